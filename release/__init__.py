"""How a version is made: `nox -s bump` and `nox -s release`."""
