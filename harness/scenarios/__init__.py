"""The library of scenarios: worlds that show one known problem each, with its symptom, cause and remedy."""

from harness.scenarios.library import Scenario, Story, find, library, read

__all__ = ["Scenario", "Story", "find", "library", "read"]
