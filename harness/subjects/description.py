"""A server described by somebody, in a file `subject.toml` or on a command line, made a `Subject`.

Both are a table with the same keys; what is wrong in it is one sentence.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.inside.dialects import DIALECTS, NAMES, dialect
from harness.subjects.command import CommandSubject
from harness.subjects.machine import named_accounts
from harness.subjects.subject import ConfigurationFile, DataDirectory
from harness.world.document import DocumentError, parsed, text_of
from harness.world.leading_zero import leading_zero

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.subjects.subject import Subject

BROUGHT = "/opt/harness/data"
"""Where data directories are brought in."""
TEXTS = frozenset(
    {"name", "about", "user", "group", "mode", "at_most", "speaks", "socket", "socket_owner", "directory", "ready"}
    | {"stop", "suite", "image"}
)
LISTS = frozenset({"doors", "own_check", "accounts", "config", "data", "mounts", "packages"})
COMMANDS = frozenset({"command", "setup", "spawn", "client"})
TABLES = frozenset({"environment", "files", "dialect", "expected"})
NUMBERS = {"patience": (1, 3600), "starts": (1, 10_000)}
"""Seconds and a count, and the least and the most of each: a place needs some time for every answer."""
KEYS = frozenset({*TEXTS, *LISTS, *COMMANDS, *TABLES, *NUMBERS, "activated"})
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
OTHERS = frozenset({"bare", "colleague", "member", "stranger", "searcher", "kin"})
"""Who else takes part in the checks (`harness.testbed.cast`)."""
EVERYWHERE = frozenset({"root", *OTHERS} - {"kin"})
"""Who takes part whatever is asked for; kin does where there is a group."""
READY = re.compile(r"notify|line:.+|tcp:[0-9]{1,5}|socket")
PORTS = range(1, 2**16)
EXCHANGE = frozenset({"begin", "send", "expect", "refused"})
"""Keys of `[dialect]` whose values are texts (`harness.inside.dialects.exchange`)."""


class DescriptionError(Exception):
    """An invalid description: one sentence, what, where and what to do."""


@dataclass(frozen=True, slots=True)
class Described:
    """A server, what is asked of it, and which checks it is known not to hold, each with the reason."""

    subject: Subject
    mode: int
    owner: str
    group: str | None
    image: str | None = None
    expected: Mapping[str, str] = field(default_factory=dict[str, str])


def load(file: Path) -> Described:
    """Read a subject file. Raises DescriptionError."""
    text = ""
    try:
        text = text_of(file)
        table = parsed(text)
    except OSError as error:
        raise DescriptionError(f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DescriptionError(f"{file} is not TOML: {error}") from None
    except DocumentError as error:
        raise DescriptionError(f"{file}{'' if error.line is None else f':{error.line}'}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise DescriptionError(f"{file} is not TOML: {leading_zero(text, error) or error}") from None
    try:
        return described(
            {"name": file.stem if file.stem != "subject" else file.absolute().parent.name, **table}, file.parent
        )
    except DescriptionError as error:
        raise DescriptionError(f"{file}: {error}") from None


def described(table: Mapping[str, Any], base: Path) -> Described:
    """Make a subject of a table; paths of this machine are relative to `base`. Raises DescriptionError."""
    _check_kinds(table)
    command = _words(table, "command")
    if not command:
        raise DescriptionError("there is no command: say how the server is started")
    if "directory" not in table:
        command = (_program(command[0], base), *command[1:])
    at_most = "at_most" in table
    if at_most and "mode" in table:
        raise DescriptionError("mode asks for exactly that mode and at_most for no more than that: give one of them")
    configurations, named = _configurations(table, base)
    data = _data(table, base)
    copied = data[0].path if data else "{data}"
    subject = CommandSubject(
        name=table.get("name") or command[0].rpartition("/")[2],
        about=table.get("about") or shlex.join(command),
        command=tuple(word.replace("{config}", named).replace("{data}", copied) for word in command),
        speaks=speaks_of(table, base),
        owner=account(table.get("user", "alice"), "user"),
        group=account(table["group"], "group") if table.get("group") else None,
        suite=table.get("suite", "bookworm"),
        packages=tuple(table.get("packages", ())),
        mounts=tuple(_mount(text, base) for text in table.get("mounts", ())),
        environment=dict(table.get("environment", {})),
        stop=signal_number(table["stop"]) if "stop" in table else signal.SIGTERM,
        starts=table.get("starts"),
        patience=float(table.get("patience", 10.0)),
        client=_words(table, "client"),
        socket=table.get("socket", ""),
        directory=table.get("directory", "/"),
        readiness=_readiness(table.get("ready", "")),
        socket_owner=account(table["socket_owner"], "socket_owner") if table.get("socket_owner") else None,
        accounts=tuple(account(name, "accounts") for name in table.get("accounts", ())),
        activated=bool(table.get("activated", False)),
        doors=tuple(table.get("doors", ())),
        at_most=at_most,
        own_check=tuple(table["own_check"]) if "own_check" in table else None,
        setup=_words(table, "setup"),
        spawn=_words(table, "spawn"),
        configurations=configurations,
        data=data,
    )
    _check_placeholders(subject)
    _check_own_check(subject)
    return Described(
        subject,
        mode_of(table.get("at_most") or table.get("mode") or "0660"),
        subject.owner,
        subject.group,
        table.get("image"),
        dict(table.get("expected", {})),
    )


def _check_kinds(table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if key not in KEYS:
            raise DescriptionError(f"there is no key {key!r}; there are {', '.join(sorted(KEYS))}")
        if key in TEXTS and not isinstance(value, str):
            raise DescriptionError(f'{key} must be a text, as in {key} = "..."')
        if key in LISTS and not (isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)):
            raise DescriptionError(f'{key} must be a list of texts, as in {key} = ["..."]')
        if key in TABLES and not isinstance(value, dict):
            raise DescriptionError(f"{key} must be a table, as in [{key}]")
        if key in NUMBERS:
            check_number(key, value)
        if key == "activated" and not isinstance(value, bool):
            raise DescriptionError("activated must be true or false")
        texts = value.values() if isinstance(value, dict) and key != "dialect" else ()
        if not all(isinstance(each, str) for each in texts):
            raise DescriptionError(f"every value of [{key}] must be a text")
        if any("\0" in text for text in _names_of_the_system(key, value)):
            raise DescriptionError(f"{key} holds a NUL, which no path, word or variable can have: leave it out")
    for name in table.get("environment", {}):
        if not name or "=" in name:
            raise DescriptionError(f"[environment] has {name!r}, which can't be a variable's name: write NAME = VALUE")


def _names_of_the_system(key: str, value: object) -> Iterator[str]:
    """The texts of a key that the system is given as they are; those of a file or a protocol may be any bytes."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        yield from (each for each in value if isinstance(each, str))
    elif isinstance(value, dict) and key != "dialect":
        yield from value
        yield from value.values() if key != "files" else ()


def check_number(key: str, value: object) -> None:
    """Whether these seconds or this count make sense. Raises DescriptionError."""
    least, most = NUMBERS[key]
    kind, called = (int, "a whole number") if key == "starts" else (int | float, "a number of seconds")
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
        raise DescriptionError(f"{key} must be {called} from {least} to {most}")


def _check_own_check(subject: Subject) -> None:
    """Whether there will be everybody whom it is to serve by a check of its own (`harness.testbed.cast`)."""
    if subject.own_check is None:
        return
    accounts = (*subject.accounts_besides(subject.owner), *named_accounts(subject))
    known = {*EVERYWHERE, subject.owner, *accounts, *(("kin",) if subject.group is not None else ())}
    for name in subject.own_check:
        if name == "kin" and name not in known:
            raise DescriptionError("own_check names kin, who takes part only where a group is given: give group too")
        if name not in known:
            raise DescriptionError(
                f"own_check names {name!r}, who takes no part; there are {', '.join(sorted(known))}, and those whom "
                "accounts names"
            )


def _check_placeholders(subject: Subject) -> None:
    if subject.group is not None and not subject.takes_group:
        raise DescriptionError(
            f"the group {subject.group} would have no effect: write {{group}} in the command or its configuration "
            "where the server is told the socket's group"
        )
    if not (subject.activated or subject.socket or subject.says("{socket}", "{directory}")):
        raise DescriptionError(
            f"nothing in {shlex.join(subject.command)!r} says where the socket goes: write {{socket}} where its path "
            "belongs, or {directory} for the directory in which it is to be"
        )


def _program(word: str, base: Path) -> str:
    """A program of this machine that is named by a relative path, by its whole path: the server runs elsewhere."""
    relative = "/" in word and not word.startswith("/") and (base / word).is_file()
    return os.path.normpath((base / word).absolute()) if relative else word


def _words(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A command, as a list of words or as a text that a shell would split so."""
    value = table.get(key, ())
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError as error:
            raise DescriptionError(f"{key} can't be split into words: {error}") from None
    if not (isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)):
        raise DescriptionError(f"{key} must be a text or a list of texts")
    if value and not value[0]:
        raise DescriptionError(f"the first word of {key} is empty: it must be a program")
    return tuple(value)


def account(name: str, key: str) -> str:
    """The name of a user or a group. Raises DescriptionError if it can't be one."""
    if not NAME.fullmatch(name):
        raise DescriptionError(f"{key} = {name!r} can't be a name (letters, digits, _ . -, at most 32)")
    if name in OTHERS:
        raise DescriptionError(f"{key} = {name!r}: {name} is one of those who take part in every check; choose another")
    return name


def mode_of(text: str) -> int:
    """An octal mode of one to four digits, the first of four 0. Raises DescriptionError."""
    if not re.fullmatch(r"[0-7]{1,3}|0[0-7]{3}", text):
        raise DescriptionError(f"{text!r} is not a mode: write one to four octal digits, the first of four 0")
    return int(text, 8)


def signal_number(text: str) -> int:
    """A signal by its name, with or without SIG, or its number. Raises DescriptionError."""
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    try:
        return signal.Signals(int(text)) if text.isdigit() else signal.Signals[name]
    except (KeyError, ValueError):
        raise DescriptionError(f"there is no signal {text!r}: write one as SIGINT, INT or 2") from None


def _readiness(text: str) -> str:
    if text and not READY.fullmatch(text):
        raise DescriptionError(f"ready = {text!r} is none of socket, notify, line:PATTERN and tcp:PORT")
    kind, _, what = text.partition(":")
    if kind == "line":
        _check_pattern("ready", what)
    if kind == "tcp" and int(what) not in PORTS:
        raise DescriptionError(f"ready = {text!r}: a port is a number from {PORTS[0]} to {PORTS[-1]}")
    return "" if text == "socket" else text


def _check_pattern(key: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise DescriptionError(f"{key}: {pattern!r} is not a regular expression: {error}") from None


def speaks_of(table: Mapping[str, Any], base: Path) -> str:
    """The dialect: one of ours by name, a module by its file, or the table `dialect`. Raises DescriptionError."""
    said = table.get("speaks", "")
    if "dialect" in table:
        if said:
            raise DescriptionError(
                f"speaks = {said!r} names a dialect and [dialect] describes one: delete speaks to have [dialect] spoken"
            )
        _check_exchange("dialect", table["dialect"])
        return _usable({"name": "its own dialect", "steps": [table["dialect"]], **table["dialect"]})
    if said.endswith(".py"):
        try:
            text = (base / said).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DescriptionError(f"the dialect {said} can't be read: {error}") from None
        return _usable({"name": said, "module": text})
    if said and said not in DIALECTS:
        raise DescriptionError(
            f"no dialect is named {said!r}; there are {', '.join(NAMES)}, or MODULE.py for a protocol of your own"
        )
    return said or "nothing"


def _check_exchange(where: str, exchange: Mapping[str, Any]) -> None:
    for key in EXCHANGE.intersection(exchange):
        text = exchange[key]
        if not isinstance(text, str):
            raise DescriptionError(f'{where}.{key} must be a text, as in {key} = "..."')
        if key in {"expect", "refused"}:
            _check_pattern(f"{where}.{key}", text)
        elif max(text, default="") > "\xff":
            raise DescriptionError(
                f"{where}.{key} has {max(text)!r}: each character stands for a byte, so write \\u0000 to \\u00ff"
            )
    steps = exchange.get("steps", [])
    if not (isinstance(steps, list) and all(isinstance(step, dict) for step in steps)):
        raise DescriptionError(f"{where}.steps must be tables, each written [[{where}.steps]]")
    for step in steps:
        _check_exchange(f"{where}.steps", step)


def _usable(description: Mapping[str, Any]) -> str:
    """The description as it goes into the place, if it makes a dialect."""
    try:
        speaks = json.dumps(description)
        made = dialect(speaks)
        missing = [name for name in ("TELLS", "begin", "ask") if not hasattr(made, name)]
    except Exception as error:  # whatever their module does when it is loaded
        raise DescriptionError(f"{description['name']} is not a dialect: {type(error).__name__}: {error}") from None
    if missing:
        raise DescriptionError(f"{description['name']} is not a dialect: it has no {', '.join(missing)}")
    return speaks


def _split(text: str) -> tuple[str, str]:
    source, _, target = text.partition(":")
    return source, target


def _mount(text: str, base: Path) -> str:
    source, target = _split(text)
    whole = str((base / source).absolute())
    return f"{whole}:{target or whole}"


def _configurations(table: Mapping[str, Any], base: Path) -> tuple[tuple[ConfigurationFile, ...], str]:
    """The files to be written, and the path of the first that was given by `config`."""
    files = [ConfigurationFile(path, text) for path, text in table.get("files", {}).items()]
    named = ""
    for each in table.get("config", ()):
        source, target = _split(each)
        path = target or f"/run/check/configuration/{Path(source).name}"
        named = named or path
        try:
            files.append(ConfigurationFile(path, (base / source).read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise DescriptionError(f"the configuration {source} can't be read: {error}") from None
    for file in files:
        if not file.path.startswith(("/", "{state}", "{directory}")):
            raise DescriptionError(f"the configuration {file.path} must be an absolute path of the place")
    return tuple(files), named or "{config}"


def _data(table: Mapping[str, Any], base: Path) -> tuple[DataDirectory, ...]:
    found = []
    for number, each in enumerate(table.get("data", ())):
        source, target = _split(each)
        whole = (base / source).absolute()
        if not whole.is_dir():
            raise DescriptionError(f"the data {source} is not a directory on this machine")
        found.append(DataDirectory(str(whole), f"{BROUGHT}-{number}", target or f"{{state}}/{whole.name}"))
    return tuple(found)
