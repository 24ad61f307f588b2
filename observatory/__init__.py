"""An HTTP server on a Unix domain socket that stamps each event with kernel-verified peer credentials."""

__version__ = "0.1.0"
"""Of the distribution, and the only place where it stands; `nox -s bump` changes it."""
