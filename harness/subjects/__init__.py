"""Servers under test: how each is installed, started, found, asked and stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.subjects.model import Asked, Subject
from harness.subjects.observatory import OBSERVATORY

if TYPE_CHECKING:
    from collections.abc import Mapping

SUBJECTS: Mapping[str, Subject] = {subject.name: subject for subject in (OBSERVATORY,)}
"""Every subject by its name."""

__all__ = ["SUBJECTS", "Asked", "Subject"]
