"""What a service's options do to the paths that it would see: mounts of its own (systemd.exec(5), SANDBOXING).

Of a service that runs its mounts are read instead.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from harness.inside.capabilities import CAPABILITIES
from harness.live.obstacle import Obstacle
from harness.oracle import Change

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.live.actor import Actor
    from harness.live.unit_files import UnitFiles
    from harness.world import Operation

Kind = Literal["inaccessible", "empty", "read-only", "writable", "another", "own"]

HOMES: Final = ("/home", "/root", "/run/user")
SYSTEM: Final = {"yes": ("/usr", "/boot", "/efi"), "full": ("/usr", "/boot", "/efi", "/etc"), "strict": ("/",)}
SHOWN: Final = (
    *("RootDirectory", "RootImage", "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateNetwork"),
    *("ReadOnlyPaths", "InaccessiblePaths", "TemporaryFileSystem", "BindPaths", "RestrictAddressFamilies"),
    *("SystemCallFilter", "CapabilityBoundingSet", "NoNewPrivileges", "AppArmorProfile", "SELinuxContext"),
)
"""The options of a sandbox that are named where a unit has them."""
_DIRECTORIES: Final = {
    "RuntimeDirectory": "/run",
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
}
_CHANGING: Final = frozenset({"bind", "unlink", "rename", "chmod"})
_YES: Final = frozenset({"yes", "true", "1", "on"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One option that says what is at a path and below it."""

    path: str
    kind: Kind
    option: str


def obstacles(actor: Actor, operation: Operation, path: str, way: Sequence[str]) -> Iterator[Obstacle]:
    """What would refuse a service that does not run, or is not known, on its way to a path.

    `way` are the components as they are outside of it, the path as it is asked for among them or not.
    """
    files = None if actor.stopped_unit is None else actor.stopped_unit.files
    if files is None:
        return
    if path.startswith("@"):
        if files.yes("PrivateNetwork"):
            why = f"{files.name} would have a network namespace of its own (PrivateNetwork=), where nobody has {path}"
            yield Obstacle(path, "ECONNREFUSED", why, _mend(files, "PrivateNetwork=no"), layer="socket")
        return
    for option in ("RootDirectory", "RootImage"):
        if files.last(option):
            why = f"{files.name} would have a root directory of its own ({option}=), which is not looked at: start it"
            yield Obstacle("/", None, why)
            return
    held = list(rules(files))
    for component in dict.fromkeys((*way, posixpath.normpath(path))):
        found = _decisive(held, component)
        if found is not None:
            yield from _at(actor, files, found, component, operation, path)


def rules(files: UnitFiles) -> Iterator[Rule]:
    """What the options say of paths."""
    homes = (files.last("ProtectHome") or "").lower()
    kinds: dict[str, Kind] = {**dict.fromkeys(_YES, "inaccessible"), "read-only": "read-only", "tmpfs": "empty"}
    if homes in kinds:
        yield from (Rule(path, kinds[homes], f"ProtectHome={homes}") for path in HOMES)
    system = (files.last("ProtectSystem") or "").lower()
    system = "yes" if system in _YES else system
    yield from (Rule(path, "read-only", f"ProtectSystem={system}") for path in SYSTEM.get(system, ()))
    if system == "strict":
        yield from (Rule(path, "writable", "ProtectSystem=strict") for path in ("/dev", "/proc", "/sys"))
    if (files.last("PrivateTmp") or "").lower() in _YES | {"disconnected"}:
        yield from (Rule(path, "own", "PrivateTmp=") for path in ("/tmp", "/var/tmp"))
    if files.yes("PrivateDevices"):
        yield Rule("/dev", "another", "PrivateDevices=")
    options: tuple[tuple[str, Kind], ...] = (
        ("ReadWritePaths", "writable"),
        ("ReadOnlyPaths", "read-only"),
        ("InaccessiblePaths", "inaccessible"),
        ("TemporaryFileSystem", "empty"),
        ("BindPaths", "another"),
        ("BindReadOnlyPaths", "another"),
    )
    for option, kind in options:
        for word in files.words(option):
            yield _listed(option, kind, word.lstrip("-+"))
    for option, above in _DIRECTORIES.items():
        for word in files.words(option):
            yield Rule(posixpath.join(above, word.partition(":")[0]), "writable", f"{option}=")


def _listed(option: str, kind: Kind, word: str) -> Rule:
    source, _, rest = word.partition(":")
    target = (rest.partition(":")[0] or source) if option.startswith("Bind") else source
    same = kind == "another" and target == source
    shown: Kind = ("read-only" if option == "BindReadOnlyPaths" else "writable") if same else kind
    return Rule(posixpath.normpath(target), shown, f"{option}=")


def _decisive(held: Sequence[Rule], component: str) -> Rule | None:
    """The rule of the longest path; what is closed closes all that is below, but what is bound there."""
    covering = [rule for rule in held if _within(component, rule.path)]
    closed = [rule for rule in covering if rule.kind == "inaccessible"]
    if closed:
        return min(closed, key=lambda rule: len(rule.path))
    return max(covering, key=lambda rule: len(rule.path), default=None)


def _at(
    actor: Actor, files: UnitFiles, rule: Rule, component: str, operation: Operation, path: str
) -> Iterator[Obstacle]:
    told = f"{files.name} ({rule.option})"
    below = component != rule.path
    if rule.kind == "inaccessible":
        passes = actor.capabilities & (1 << CAPABILITIES["CAP_DAC_OVERRIDE"] | 1 << CAPABILITIES["CAP_DAC_READ_SEARCH"])
        if not passes and not below:
            yield Obstacle(component, "EACCES", f"{component} is closed to {told}", _mend(files, _without(rule)))
        elif passes and component == path and operation == "connect" and not below:
            why = f"{component} is a dead socket for {told}"
            yield Obstacle(component, "ECONNREFUSED", why, _mend(files, _without(rule)), layer="socket")
        elif passes and below:
            why = f"{component} is not there for {told}, to which {rule.path} is empty"
            yield Obstacle(component, "ENOENT", why, _mend(files, _without(rule)))
    elif rule.kind in {"empty", "own"} and below:
        if operation == "bind" and rule.kind == "own" and posixpath.dirname(component) == rule.path:
            return
        why = f"{component} is not there for {told}, which has a {rule.path} of its own"
        mended = _without(rule) if rule.kind == "own" else f"BindPaths={component}"
        yield Obstacle(component, "ENOENT", why, _mend(files, mended))
    elif rule.kind == "another" and below:
        yield Obstacle(component, None, f"what {told} would have at {component} is not known: start it, and ask again")
    elif rule.kind == "read-only" and operation in _CHANGING and component == _changed(operation, path):
        why = f"{component} is on a mount that is read-only for {told}"
        yield Obstacle(component, "EROFS", why, _mend(files, f"ReadWritePaths={component}"), last=True)


def _without(rule: Rule) -> str:
    """The option, set such that it does nothing to the path."""
    option = rule.option.partition("=")[0]
    return f"{option}=no" if option.startswith(("Protect", "Private")) else f"{option}= without {rule.path}"


def _changed(operation: Operation, path: str) -> str:
    """The component that a read-only mount refuses: the directory of the name, or what has the mode."""
    path = posixpath.normpath(path)
    return path if operation == "chmod" else posixpath.dirname(path)


def _mend(files: UnitFiles, assignment: str) -> tuple[Change, ...]:
    return (Change("elsewhere", None, f"systemctl edit {files.name}  # {assignment} in [Service]; and restart it", 0),)


def _within(path: str, above: str) -> bool:
    return above in {"/", path} or path.startswith(above + "/")
