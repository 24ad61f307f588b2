"""The version, which stands in `observatory/__init__.py` alone, and the changelog's section of it: `nox -s bump`."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULE = ROOT / "observatory" / "__init__.py"
CHANGELOG = ROOT / "CHANGELOG.md"
PARTS = ("major", "minor", "patch")
UNRELEASED = "## [Unreleased]\n"
_ASSIGNED = re.compile(r'^__version__ = "(\d+)\.(\d+)\.(\d+)"$', re.MULTILINE)


class VersionError(Exception):
    """Why there is no such version: one sentence."""


def version(text: str) -> str:
    """The version in the text of the module. Raises VersionError."""
    found = _ASSIGNED.search(text)
    if found is None:
        raise VersionError(f'{MODULE} has no line __version__ = "MAJOR.MINOR.PATCH"')
    return ".".join(found.groups())


def bumped(old: str, part: str) -> str:
    """The version after `old`: a part one higher, and those behind it zero."""
    if part not in PARTS:
        raise VersionError(f"{part!r} is no part of a version: {', '.join(PARTS)}")
    at = PARTS.index(part)
    numbers = [int(number) for number in old.split(".")]
    return ".".join(map(str, [*numbers[:at], numbers[at] + 1, *[0] * (len(PARTS) - at - 1)]))


def released(changelog: str, new: str, date: str) -> str:
    """The changelog in which what was unreleased is that of a version. Raises VersionError if nothing was."""
    before, found, after = changelog.partition(UNRELEASED)
    if not found or not after.partition("\n## ")[0].strip():
        raise VersionError(f"{CHANGELOG} has nothing under {UNRELEASED.strip()}: say first what is new")
    return f"{before}{UNRELEASED}\n## [{new}] - {date}\n{after}"


def notes(changelog: str, of: str) -> str:
    """The changelog's section of a version. Raises VersionError if there is none."""
    found = re.search(rf"^## \[{re.escape(of)}\][^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None:
        raise VersionError(f"{CHANGELOG} has no section ## [{of}]: `nox -s bump` makes one")
    return f"{found[1].strip()}\n"


def main() -> int:
    """Write the next version into the module and the changelog."""
    try:
        (part,) = sys.argv[1:] or ["patch"]
        text, changelog = MODULE.read_text(encoding="utf-8"), CHANGELOG.read_text(encoding="utf-8")
        old = version(text)
        new = bumped(old, part)
        dated = released(changelog, new, datetime.now(UTC).date().isoformat())
    except (ValueError, VersionError) as error:
        print(f"bump: {error}", file=sys.stderr)
        return 2
    MODULE.write_text(_ASSIGNED.sub(f'__version__ = "{new}"', text), encoding="utf-8")
    CHANGELOG.write_text(dated, encoding="utf-8")
    print(f"{old} -> {new}; look at CHANGELOG.md, commit, and tag the commit v{new}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
