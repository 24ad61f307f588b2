"""What must hold of a server on a Unix socket: one module for each check."""

from __future__ import annotations

from harness.checks import (
    audience,
    creation_window,
    descriptor_leak,
    flood,
    forgery,
    identity,
    inherited,
    lifetime,
    mode,
    replacement,
    slow_peer,
    squatting,
    takeover_foreign,
    takeover_live,
    takeover_stale,
    traversal,
    umask,
)
from harness.checks.check import Check, CheckResult, CheckVerdict, Finding

CHECKS: tuple[Check, ...] = tuple(
    module.CHECK
    for module in (
        mode,
        traversal,
        identity,
        forgery,
        audience,
        creation_window,
        umask,
        takeover_live,
        takeover_stale,
        takeover_foreign,
        squatting,
        replacement,
        lifetime,
        slow_peer,
        flood,
        descriptor_leak,
        inherited,
    )
)
"""All checks, in the order in which they are made."""

__all__ = ["CHECKS", "Check", "CheckResult", "CheckVerdict", "Finding"]
