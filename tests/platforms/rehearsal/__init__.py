"""The suites of other systems' jobs, in an interpreter that has only what that system's CPython has."""
