"""Settings files with hooks of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory.hooks import event_names, files, settings
from observatory.hooks.command import Recipient

if TYPE_CHECKING:
    from pathlib import Path


WANTED = settings.handlers(event_names.listened(None), Recipient("/tmp/o.sock"))


OTHER = settings.handlers(event_names.listened(None), Recipient("/tmp/other.sock"))


def install(path: Path, wanted: dict[str, settings.Handler] = WANTED) -> None:
    files.make(files.plan_install(path, wanted))


def uninstall(path: Path) -> None:
    files.make(files.plan_uninstall(path))


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())
