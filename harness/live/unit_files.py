"""A systemd service as its files say it: search path and drop-ins of systemd.unit(5), syntax of systemd.syntax(7).

Read from the files alone, so that it works where systemd does not run.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.live.limits import read_up_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SEARCH_PATH: Final = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
"""Where units of the system are found, the first first (systemd.unit(5), UNIT FILE LOAD PATH)."""
LARGEST: Final = 1 << 20
"""Bytes of one file: more than any unit has."""
TRUE: Final = frozenset({"1", "yes", "y", "true", "t", "on"})
"""What systemd takes for yes (parse_boolean in src/basic/parse-util.c)."""

SWITCHES: Final = frozenset(
    ["DynamicUser", "NoNewPrivileges", "PrivateDevices", "PrivateNetwork", "PrivateTmp", "ProtectHome", "ProtectSystem"]
)
"""Options that take one word: an empty one is no word, and is passed over."""
_TYPES: Final = frozenset(
    ["service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope"]
)
_NAME: Final = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}")


class UnitError(Exception):
    """No such unit, or none that can be read: one sentence."""


@dataclass(frozen=True, slots=True)
class UnitFiles:
    """What the files of a service say: each assignment of its section [Service], in order, since the last empty one.

    `name` has its suffix; `files` are those that were read, the unit's own first.
    """

    name: str
    files: tuple[str, ...]
    assignments: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def last(self, key: str) -> str | None:
        """What was assigned last; None where nothing was, or an empty value."""
        values = self.assignments.get(key, ())
        return self.expanded(values[-1]) if values else None

    def words(self, key: str) -> tuple[str, ...]:
        """All words that were assigned; quotes around one are taken off."""
        words = (word for value in self.assignments.get(key, ()) for word in value.split())
        return tuple(self.expanded(word.strip("'\"")) for word in words)

    def yes(self, key: str) -> bool:
        """Whether a switch is on."""
        return (self.last(key) or "").lower() in TRUE

    def expanded(self, text: str) -> str:
        """A value with its specifiers replaced, as the manager of the system knows them; others are left."""
        whole = self.name.rpartition(".")[0]
        prefix, _, instance = whole.partition("@")
        known = {
            "i": instance,
            "I": _unescaped(instance),
            "j": prefix.rpartition("-")[2],
            "n": self.name,
            "N": whole,
            "p": prefix,
            "P": _unescaped(prefix),
            "t": "/run",
            "S": "/var/lib",
            "C": "/var/cache",
            "L": "/var/log",
            "E": "/etc",
            "T": "/tmp",
            "V": "/var/tmp",
            "u": "root",
            "U": "0",
            "h": "/root",
            "%": "%",
        }
        return re.sub(r"%(.)", lambda match: known.get(match[1], match[0]), text)


def read_unit(name: str, top: str = "/") -> UnitFiles:
    """A service by its name, `.service` or not, below a root directory. Raises UnitError."""
    name = name if name.rpartition(".")[2] in _TYPES else f"{name}.service"
    if not _NAME.fullmatch(name):
        raise UnitError(f"{name!r} is no name of a unit")
    if not name.endswith(".service"):
        raise UnitError(f"{name} is no service: only a service has a user and a sandbox to ask about")
    folders = [Path(top, folder.lstrip("/")) for folder in SEARCH_PATH]
    own = next((found for each in _with_template(name) if (found := _first(folders, each)) is not None), None)
    if own is None:
        raise UnitError(
            f"systemd's search path has no unit named {name} (/etc/systemd/system, /usr/lib/systemd/system)"
        )
    real = own.resolve()
    if str(real) == os.devnull or (real.is_file() and real.stat().st_size == 0):
        raise UnitError(f"{name} is masked: it can't be started (systemctl unmask {name})")
    files = [own, *_drop_ins(folders, dict.fromkeys((name, real.name)))]
    assignments: dict[str, list[str]] = {}
    for file in files:
        for key, value in _assignments(_text(file)):
            if value:
                assignments.setdefault(key, []).append(value)
            elif key not in SWITCHES:
                assignments[key] = []
    shown = tuple("/" + str(file.relative_to(top)) for file in files)
    return UnitFiles(name, shown, {key: tuple(values) for key, values in assignments.items()})


def _with_template(name: str) -> tuple[str, ...]:
    prefix, at, rest = name.partition("@")
    return (name, f"{prefix}@.{rest.rpartition('.')[2]}") if at and not rest.startswith(".") else (name,)


def _first(folders: Iterable[Path], name: str) -> Path | None:
    return next((folder / name for folder in folders if os.path.lexists(folder / name)), None)


def _drop_ins(folders: list[Path], names: Iterable[str]) -> list[Path]:
    """The drop-ins of a unit, in the order in which they are read: by file name, whatever folder they are in.

    Of several with one file name the first that is found counts (unit_file_find_dropin_paths in src/shared/dropin.c);
    one that leads to /dev/null takes it away (src/basic/conf-files.c).
    """
    beside = [folder / f"{each}.d" for name in names for folder in folders for each in _general(name)]
    found: dict[str, Path] = {}
    for folder in (*beside, *(folder / "service.d" for folder in folders)):
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        for entry in entries:
            if entry.endswith(".conf"):
                found.setdefault(entry, folder / entry)
    return [found[entry] for entry in sorted(found) if str(found[entry].resolve()) != os.devnull]


def _general(name: str) -> Iterator[str]:
    """The names under which drop-ins of a unit are looked for: its own, shorter ones, its template's."""
    for each in _with_template(name):
        yield each
        stem, _, suffix = each.rpartition(".")
        prefix, at, instance = stem.partition("@")
        while "-" in prefix.rstrip("-"):
            prefix = prefix.rstrip("-").rpartition("-")[0] + "-"
            yield f"{prefix}{at}{instance}.{suffix}"


def _text(file: Path) -> str:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return read_up_to(descriptor, LARGEST).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UnitError(f"{file} can't be read: {error.strerror}") from error


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """The keys and values of the section [Service]; a backslash at the end of a line goes on in the next."""
    section = ""
    pending = ""
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped.startswith(("#", ";")) or (not stripped and not pending):
            continue
        if stripped.endswith("\\"):
            pending += stripped[:-1] + " "
            continue
        whole, pending = pending + stripped, ""
        if whole.startswith("[") and whole.endswith("]"):
            section = whole[1:-1]
        elif section == "Service" and "=" in whole:
            key, _, value = whole.partition("=")
            yield key.strip(), value.strip()


def _unescaped(text: str) -> str:
    r"""A name as it was before systemd-escape(1): `-` was a slash, `\xNN` another byte."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), text.replace("-", "/"))
