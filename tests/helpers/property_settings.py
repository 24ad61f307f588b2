"""The settings of property tests, for the suites that have some: to import Hypothesis takes half a second."""

from __future__ import annotations

import contextlib


def load_profile() -> None:
    """Let the property tests that are collected from now on have these settings."""
    with contextlib.suppress(ModuleNotFoundError):  # it has a native part, which platforms without sockets lack
        from hypothesis import HealthCheck, settings

        # How fast this machine is, and whether Hypothesis has made its tables (seconds, in a new checkout), is no
        # property.
        settings.register_profile("properties", deadline=None, suppress_health_check=[HealthCheck.too_slow])
        settings.load_profile("properties")
