"""What is there in every place before a world's nodes are made, as hier(7) has it: all of it root's."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDARD_DIRECTORIES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "/etc": 0o755,
        "/home": 0o755,
        "/mnt": 0o755,
        "/opt": 0o755,
        "/root": 0o700,
        "/run": 0o755,
        "/srv": 0o755,
        "/tmp": 0o1777,
        "/var": 0o755,
        "/var/lib": 0o755,
        "/var/log": 0o755,
        "/var/tmp": 0o1777,
    }
)
"""Directories and their modes; a node may give any of them another owner, group or mode."""

STANDARD_LINKS: Final[Mapping[str, str]] = MappingProxyType({"/var/run": "/run"})
"""Symlinks and their texts."""
