"""`HOST` or `HOST:PLACE`, as `--mount` takes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.engines.protocol import PlaceError


@dataclass(frozen=True, slots=True)
class MountOption:
    """Something of this machine (`source`) at an absolute path of a place (`target`), read-only."""

    source: str
    target: str


def parse(text: str) -> MountOption:
    """Read `HOST` or `HOST:PLACE`. Raises PlaceError if the source is not there or the target is not absolute."""
    source, _, target = text.partition(":")
    path = Path(source).absolute()
    if not path.exists():
        raise PlaceError(f"--mount {text}: there is no {path} on this machine")
    target = target or str(path)
    if not target.startswith("/") or target == "/":
        raise PlaceError(f"--mount {text}: {target} is not an absolute path below the place's root")
    return MountOption(str(path.resolve()), target.rstrip("/"))
