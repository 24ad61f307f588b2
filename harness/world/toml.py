"""A world as a TOML file, read and written. The format is described in docs/worlds.md."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, get_args

from harness.world.document import DocumentError, parsed, text_of
from harness.world.error import WorldError
from harness.world.leading_zero import leading_zero
from harness.world.model import (
    DEFAULT_MODES,
    AclEntry,
    Attempt,
    Confinement,
    FileSystemKind,
    FilteredCall,
    InodeFlag,
    LandlockRight,
    Node,
    NodeKind,
    Operation,
    SocketState,
    SocketType,
    User,
    World,
)
from harness.world.position import KeyPath, line_of, spoken
from harness.world.validation import ID_LIMIT, complete, problems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tomlkit.items import Table

_T = TypeVar("_T")
_D = TypeVar("_D")
_REQUIRED: Final[Any] = object()
_CALLS: Final[tuple[FilteredCall, ...]] = get_args(FilteredCall)
_ACL_TAGS: Final = ("user", "group", "mask", "other")


def load(path: str | Path) -> World:
    """The world in a file. Raises WorldError if it can't be read or is invalid."""
    try:
        text = text_of(Path(path))
    except OSError as error:
        raise WorldError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WorldError(f"{path}: not UTF-8 at byte {error.start}") from error
    except DocumentError as error:
        raise WorldError(f"{path}: {error}") from None
    return loads(text, str(path))


def loads(text: str, name: str = "world") -> World:
    """The world in a TOML text; `name` stands for the file in what is said of errors. Raises WorldError."""
    try:
        return _loads(text, name)
    except RecursionError:  # of Python where it would say what it found
        raise WorldError(f"{name}: arrays or tables are nested too deep to be read") from None


def _loads(text: str, name: str) -> World:
    try:
        document = parsed(text)
    except tomllib.TOMLDecodeError as error:
        message = leading_zero(text, error) or re.sub(r" \(at line (\d+), column (\d+)\)$", r"", str(error))
        at = re.search(r"at line (\d+)", str(error))
        raise WorldError(f"{name}:{at[1] if at else len(text.splitlines())}: {message}") from error
    except DocumentError as error:
        raise WorldError(f"{name}{'' if error.line is None else f':{error.line}'}: {error}") from None
    try:
        world = complete(_world(_Table(document, ())))
        for problem in problems(world):
            raise _ProblemFound(problem.where, problem.sentence)
    except _ProblemFound as found:
        where = _as_written(document, found.where)
        raise WorldError(f"{name}:{line_of(text, where)}: {spoken(where)}: {found.sentence}") from None
    return world


class _ProblemFound(Exception):  # noqa: N818  never leaves this module: it becomes a WorldError with its line
    def __init__(self, where: KeyPath, sentence: str) -> None:
        super().__init__(where, sentence)
        self.where = where
        self.sentence = sentence


def _as_written(document: Mapping[str, Any], where: KeyPath) -> KeyPath:
    """The key as the file has it: the `state` of a node may stand there as `listening`."""
    match where:
        case ("nodes", int() as index, "state") if "state" not in document["nodes"][index]:
            return ("nodes", index, "listening")
    return where


class _Table:
    """One table of the file: takes its keys one by one, each with its type, and knows what is left."""

    def __init__(self, items: object, where: KeyPath) -> None:
        if not isinstance(items, dict):
            raise _ProblemFound(where, f"must be a table, not {_kind(items)}")
        self.items: dict[str, object] = items
        self.where = where
        self.asked: set[str] = set()

    def wrong(self, key: str, sentence: str) -> NoReturn:
        raise _ProblemFound((*self.where, key), sentence)

    def take(self, key: str, read: Callable[[_Table, str, object], _T], default: _D = _REQUIRED) -> _T | _D:
        self.asked.add(key)
        if key in self.items:
            return read(self, key, self.items[key])
        if default is _REQUIRED:
            raise _ProblemFound(self.where, f"{key} = is missing")
        return default

    def tables(self, key: str) -> list[_Table]:
        self.asked.add(key)
        items = self.items.get(key, [])
        if not isinstance(items, list):
            self.wrong(key, f"must be tables, each written [[{key}]], not {_kind(items)}")
        return [_Table(item, (*self.where, key, index)) for index, item in enumerate(items)]

    def named(self, key: str) -> dict[str, object]:
        self.asked.add(key)
        return _Table(self.items.get(key, {}), (*self.where, key)).items

    def nothing_else(self) -> None:
        for key in self.items:
            if key not in self.asked:
                near = difflib.get_close_matches(key, self.asked, 1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(self.asked))}"
                self.wrong(key, f"no such key; {hint}")


def _kind(value: object) -> str:
    kinds: dict[type, str] = {bool: "true or false", int: "a number", str: "a text", list: "an array", dict: "a table"}
    return kinds.get(type(value), "a date or a fraction")


def _text(table: _Table, key: str, value: object) -> str:
    if not isinstance(value, str):
        table.wrong(key, f"must be a text in quotes, not {_kind(value)}")
    return value


def _number(table: _Table, key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        table.wrong(key, f"must be a number, not {_kind(value)}")
    return value


def _flag(table: _Table, key: str, value: object) -> bool:
    if not isinstance(value, bool):
        table.wrong(key, f"must be true or false, not {_kind(value)}")
    return value


def _who(table: _Table, key: str, value: object) -> str | int:
    if not isinstance(value, str | int) or isinstance(value, bool):
        table.wrong(key, f"must be a name in quotes or a number, not {_kind(value)}")
    return value


def _mode(table: _Table, key: str, value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[0-7]{1,4}", value):
        table.wrong(key, f'must be one to four octal digits in quotes, such as "0660", not {value!r}')
    return int(value, 8)


def _list_of(read: Callable[[_Table, str, object], _T]) -> Callable[[_Table, str, object], tuple[_T, ...]]:
    def read_list(table: _Table, key: str, value: object) -> tuple[_T, ...]:
        if not isinstance(value, list):
            table.wrong(key, f"must be an array, not {_kind(value)}")
        return tuple(read(table, key, item) for item in value)

    return read_list


def _one_of(choices: object) -> Callable[[_Table, str, object], Any]:
    allowed = get_args(choices)

    def read_choice(table: _Table, key: str, value: object) -> str:
        if value not in allowed:
            table.wrong(key, f"{value!r} is none of {', '.join(allowed)}")
        return str(value)

    return read_choice


def _acl_entry(table: _Table, key: str, value: object) -> AclEntry:
    text = _text(table, key, value)
    parts = re.fullmatch(r"(user|group|mask|other):([^:]*):([r-][w-][x-])", text)
    if parts is None:
        table.wrong(key, f"{text!r} is no ACL entry such as user:bob:rw-, group::r-- or mask::rwx")
    tag, who, permissions = parts.groups()
    if who.isdecimal() and len(who) > len(str(ID_LIMIT)):
        table.wrong(key, f"{who[:8]}... in an entry is no {tag}'s number: 0 to {ID_LIMIT - 1}")
    return AclEntry(
        tag=_ACL_TAGS[_ACL_TAGS.index(tag)],
        who=int(who) if who.isdecimal() else who or None,
        permissions=sum(4 >> place for place, letter in enumerate(permissions) if letter != "-"),
    )


def _world(table: _Table) -> World:
    world = World(
        name=table.take("name", _text),
        about=table.take("about", _text, ""),
        groups=_numbers(table, "groups"),
        users=tuple(_user(name, _Table(items, ("users", name))) for name, items in table.named("users").items()),
        nodes=tuple(_node(node) for node in table.tables("nodes")),
        attempts=tuple(_attempt(attempt) for attempt in table.tables("attempts")),
        sysctls=_numbers(table, "sysctls"),
    )
    table.asked.add("scenario")  # symptom, cause and remedy for people: harness.scenarios reads them
    table.nothing_else()
    return world


def _numbers(table: _Table, key: str) -> dict[str, int]:
    inner = _Table(table.named(key), (key,))
    return {name: inner.take(name, _number) for name in inner.items}


def _user(name: str, table: _Table) -> User:
    uid = table.take("uid", _number)
    user = User(
        name=name,
        uid=uid,
        gid=table.take("gid", _who, uid),
        groups=table.take("groups", _list_of(_who), ()),
        capabilities=table.take("capabilities", _capabilities, None),
        confined=table.take("confined", _confinement, None),
    )
    table.nothing_else()
    return user


def _capabilities(table: _Table, key: str, value: object) -> frozenset[str] | None:
    return frozenset(_list_of(_text)(table, key, value))


def _confinement(table: _Table, key: str, value: object) -> Confinement:
    confined = _Table(value, (*table.where, key))
    calls = _Table(confined.named("seccomp"), (*confined.where, "seccomp"))
    confinement = Confinement(
        seccomp=tuple(sorted((call, calls.take(call, _text)) for call in _CALLS if call in calls.items)),
        landlock=frozenset(confined.take("landlock", _list_of(_one_of(LandlockRight)), ())),
        apparmor=confined.take("apparmor", _rules, None),
        selinux=confined.take("selinux", _rules, None),
    )
    calls.asked.update(_CALLS)
    calls.nothing_else()
    confined.nothing_else()
    return confinement


def _rules(table: _Table, key: str, value: object) -> tuple[str, ...] | None:
    return tuple(sorted(_list_of(_text)(table, key, value)))


def _node(table: _Table) -> Node:
    kind: NodeKind = table.take("kind", _one_of(NodeKind))
    node = Node(
        path=table.take("path", _text),
        kind=kind,
        owner=table.take("owner", _who, "root"),
        group=table.take("group", _who, "root"),
        mode=table.take("mode", _mode, DEFAULT_MODES[kind]),
        target=table.take("target", _text, None),
        acl=table.take("acl", _list_of(_acl_entry), ()),
        type=table.take("type", _one_of(SocketType), "stream"),
        state=_state(table),
        fs=table.take("fs", _one_of(FileSystemKind), None),
        options=table.take("options", _list_of(_text), ()),
        network=table.take("network", _text, None),
        root=table.take("root", _text, None),
        default_acl=table.take("default_acl", _list_of(_acl_entry), ()),
        flags=tuple(dict.fromkeys(table.take("flags", _list_of(_one_of(InodeFlag)), ()))),
        label=table.take("label", _text, None),
        domain=table.take("domain", _text, None),
    )
    table.nothing_else()
    without = (
        "a bind mount"
        if node.fs == "bind"
        else "an abstract socket"
        if node.path.startswith("@")
        else "what is absent"
        if kind == "absent"
        else "a symlink"
        if kind == "symlink"
        else "a fuse mount"
        if node.fs == "fuse"
        else None
    )
    for key in ("owner", "group", "mode"):
        if without is not None and key in table.items and (key == "mode" or not _has_owner(node)):
            table.wrong(key, f"{without} has no {key} of its own")
    return node


def _has_owner(node: Node) -> bool:
    return node.kind != "absent" and node.fs != "bind" and not node.path.startswith("@")


def _has_mode(node: Node) -> bool:
    return _has_owner(node) and node.kind != "symlink" and node.fs != "fuse"


def _state(table: _Table) -> SocketState:
    listening = table.take("listening", _flag, None)
    state: SocketState = table.take("state", _one_of(SocketState), "bound" if listening is False else "listening")
    if listening is not None and listening != (state in {"listening", "full"}):
        table.wrong("listening", f"says the contrary of state = {state!r}")
    return state


def _attempt(table: _Table) -> Attempt:
    attempt = Attempt(
        user=table.take("user", _text),
        operation=table.take("operation", _one_of(Operation)),
        path=table.take("path", _text),
        to=table.take("to", _text, None),
        mode=table.take("mode", _mode, None),
        type=table.take("type", _one_of(SocketType), "stream"),
        cwd=table.take("cwd", _text, None),
        root=table.take("root", _text, None),
        network=table.take("network", _text, None),
        expect=table.take("expect", _text, None),
        at=table.take("at", _text, None),
        owner=table.take("owner", _who, None),
        group=table.take("group", _who, None),
    )
    table.nothing_else()
    return attempt


def dumps(world: World) -> str:
    """The world as TOML. `loads` of it gives the same world, completed."""
    # Here and not above: `harness explain` runs where only the standard library is, and writes no world.
    import tomlkit  # noqa: PLC0415
    from tomlkit.items import AoT  # noqa: PLC0415

    document = tomlkit.document()
    document.add("name", tomlkit.item(world.name))
    if world.about:
        document.add("about", tomlkit.item(world.about))
    for key, numbers in (("sysctls", world.sysctls), ("groups", world.groups)):
        if numbers:
            document.add(key, _filled(numbers))
    if world.users:
        users = tomlkit.table(is_super_table=True)
        for user in world.users:
            users.add(user.name, _filled(_user_items(user)))
        document.add("users", users)
    for key, tables in (
        ("nodes", [_node_items(node) for node in world.nodes]),
        ("attempts", [_attempt_items(attempt) for attempt in world.attempts]),
    ):
        if tables:
            document.add(key, AoT([_filled(items) for items in tables]))
    return tomlkit.dumps(document)


def _filled(items: Mapping[str, object]) -> Table:
    import tomlkit  # noqa: PLC0415

    table = tomlkit.table()
    for key, value in items.items():
        if value is not None:
            table.add(key, tomlkit.item(value))
    return table


def _user_items(user: User) -> dict[str, object]:
    return {
        "uid": user.uid,
        "gid": user.gid,
        "groups": list(user.groups) or None,
        "capabilities": None if user.capabilities is None else sorted(user.capabilities),
        "confined": None if user.confined is None else _confinement_items(user.confined),
    }


def _confinement_items(confined: Confinement) -> dict[str, object]:
    items: dict[str, object] = {"seccomp": dict(confined.seccomp), "landlock": sorted(confined.landlock)}
    rules = {"apparmor": confined.apparmor, "selinux": confined.selinux}
    return {
        **{key: value for key, value in items.items() if value},
        **{key: list(value) for key, value in rules.items() if value is not None},
    }


def _node_items(node: Node) -> dict[str, object]:
    owned = _has_owner(node)
    return {
        "path": node.path,
        "kind": node.kind,
        "owner": node.owner if owned else None,
        "group": node.group if owned else None,
        "mode": f"{node.mode:04o}" if _has_mode(node) else None,
        "target": node.target,
        "acl": [_acl_text(entry) for entry in node.acl] or None,
        "type": node.type if node.type != "stream" else None,
        "state": node.state if node.state != "listening" else None,
        "fs": node.fs,
        "options": list(node.options) or None,
        "network": node.network,
        "root": node.root,
        "default_acl": [_acl_text(entry) for entry in node.default_acl] or None,
        "flags": list(node.flags) or None,
        "label": node.label,
        "domain": node.domain,
    }


def _acl_text(entry: AclEntry) -> str:
    letters = "".join(letter if entry.permissions & 4 >> place else "-" for place, letter in enumerate("rwx"))
    return f"{entry.tag}:{'' if entry.who is None else entry.who}:{letters}"


def _attempt_items(attempt: Attempt) -> dict[str, object]:
    return {
        "user": attempt.user,
        "operation": attempt.operation,
        "path": attempt.path,
        "to": attempt.to,
        "mode": None if attempt.mode is None else f"{attempt.mode:04o}",
        "owner": attempt.owner,
        "group": attempt.group,
        "type": attempt.type if attempt.type != "stream" else None,
        "cwd": attempt.cwd,
        "root": attempt.root,
        "network": attempt.network,
        "expect": attempt.expect,
        "at": attempt.at,
    }
