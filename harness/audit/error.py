"""What keeps the audit system from recording."""

from __future__ import annotations


class AuditError(Exception):
    """The kernel does not record failed calls for us: one sentence."""
