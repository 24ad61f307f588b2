"""What a service's options do to the paths that it would see: mounts of its own (systemd.exec(5), SANDBOXING).

Of a service that runs its mounts are read instead.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from harness.inside.capabilities import CAPABILITIES
from harness.live.obstacle import Obstacle
from harness.live.unit_directories import SHOWN as DIRECTORIES
from harness.live.unit_directories import set_again
from harness.oracle import Change

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.live.actor import Actor
    from harness.live.scene import Scene
    from harness.live.unit_files import UnitFiles
    from harness.world import Operation

Kind = Literal["inaccessible", "empty", "read-only", "writable", "another", "own"]

HOMES: Final = ("/home", "/root", "/run/user")
SYSTEM: Final = {"yes": ("/usr", "/boot", "/efi"), "full": ("/usr", "/boot", "/efi", "/etc"), "strict": ("/",)}
SHOWN: Final = (
    *("RootDirectory", "RootImage", "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateNetwork"),
    *("ReadOnlyPaths", "InaccessiblePaths", "TemporaryFileSystem", "BindPaths", "RestrictAddressFamilies"),
    *("SystemCallFilter", "CapabilityBoundingSet", "NoNewPrivileges", "AppArmorProfile", "SELinuxContext"),
    *DIRECTORIES,
)
"""The options of a sandbox that are named where a unit has them."""
_MAKING: Final = frozenset({"bind", "create", "mkdir"})
_MOVING: Final = frozenset({"unlink", "rename"})
_USES: Final[Mapping[Operation, str]] = {
    **dict.fromkeys(("read", "list"), "r"),
    **dict.fromkeys(("connect", "write", "truncate", "create"), "w"),
    "execute": "x",
}
"""The permission that each operation takes on what is there; the others take none."""
_YES: Final = frozenset({"yes", "true", "1", "on"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One option that says what is at a path and below it. `frozen`: nothing can be changed there."""

    path: str
    kind: Kind
    option: str
    frozen: bool = False


def obstacles(actor: Actor, scene: Scene) -> Iterator[Obstacle]:
    """What would refuse a service that does not run, or is not known. The scene is what is outside of it."""
    files = None if actor.stopped_unit is None else actor.stopped_unit.files
    if files is None:
        return
    path = scene.attempt.path
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
    box = _Sandbox(actor, files, scene, tuple(rules(files)))
    yield from box.of_moving()
    for component in dict.fromkeys((*scene.way, *(end or posixpath.normpath(path) for end in scene.ends))):
        yield from box.on_the_way(component)
    yield from box.of_changes()


def rules(files: UnitFiles) -> Iterator[Rule]:
    """What the options say of paths."""
    homes = (files.last("ProtectHome") or "").lower()
    kinds: dict[str, Kind] = {**dict.fromkeys(_YES, "inaccessible"), "read-only": "read-only", "tmpfs": "empty"}
    if homes in kinds:
        yield from (Rule(path, kinds[homes], f"ProtectHome={homes}", frozen=True) for path in HOMES)
    system = (files.last("ProtectSystem") or "").lower()
    system = "yes" if system in _YES else system
    yield from (Rule(path, "read-only", f"ProtectSystem={system}", frozen=True) for path in SYSTEM.get(system, ()))
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
    yield from (Rule(one.path, "writable", f"{one.option}=") for one in set_again(files))


def _listed(option: str, kind: Kind, word: str) -> Rule:
    source, _, rest = word.partition(":")
    target = (rest.partition(":")[0] or source) if option.startswith("Bind") else source
    same = kind == "another" and target == source
    shown: Kind = ("read-only" if option == "BindReadOnlyPaths" else "writable") if same else kind
    frozen = shown in {"read-only", "inaccessible"} or (kind == "empty" and "ro" in rest.split(","))
    return Rule(posixpath.normpath(target), shown, f"{option}=", frozen)


def _decisive(held: Sequence[Rule], component: str) -> Rule | None:
    """The rule of the longest path; what is closed closes all that is below, but what is bound there."""
    covering = [rule for rule in held if _within(component, rule.path)]
    closed = [rule for rule in covering if rule.kind == "inaccessible"]
    if closed:
        return min(closed, key=lambda rule: len(rule.path))
    return max(covering, key=lambda rule: len(rule.path), default=None)


@dataclass(frozen=True, slots=True)
class _Sandbox:
    """What a service's options make of the paths of one attempt."""

    actor: Actor
    files: UnitFiles
    scene: Scene
    held: tuple[Rule, ...]

    def on_the_way(self, component: str) -> Iterator[Obstacle]:
        """What is in the place of a component, or refuses to lead on."""
        rule = _decisive(self.held, component)
        if rule is None:
            return
        told, below, end = f"{self.files.name} ({rule.option})", component != rule.path, component in self.scene.ends
        makes = component == self._made
        if rule.kind == "inaccessible" and not below:
            yield from self._closed(rule, told, end=end)
        elif rule.kind == "inaccessible" and self._has("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"):
            why = f"{component} is not there for {told}, to which {rule.path} is empty"
            yield Obstacle(component, "ENOENT", why, self._mended(_without(rule)))
        elif rule.kind in {"empty", "own"} and below:
            if makes and posixpath.dirname(component) == rule.path:
                if not rule.frozen and (rule.kind == "empty" or component in self._kinds):
                    why = f"whether {told} may make {component} in a {rule.path} of its own is not known: start it"
                    yield Obstacle(component, None, why)
                return
            why = f"{component} is not there for {told}, which has a {rule.path} of its own"
            mended = _without(rule) if rule.kind == "own" else f"BindPaths={component}"
            yield Obstacle(component, "ENOENT", why, self._mended(mended))
        elif rule.kind == "another" and below:
            why = f"what {told} would have at {component} is not known: start it, and ask again"
            yield Obstacle(component, None, why)

    def _closed(self, rule: Rule, told: str, *, end: bool) -> Iterator[Obstacle]:
        """A path that is closed: who has no capability for it gets no further, and does not use it."""
        operation = self.scene.attempt.operation
        asked = _USES.get(operation) if end else "r"
        passes = ("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH") if asked == "r" else ("CAP_DAC_OVERRIDE",)
        if asked is None:
            return
        mended = self._mended(_without(rule))
        if not self._has(*passes) or asked == "x":
            yield Obstacle(rule.path, "EACCES", f"{rule.path} is closed to {told}", mended)
        elif end and operation == "connect":
            yield Obstacle(
                rule.path, "ECONNREFUSED", f"{rule.path} is a dead socket for {told}", mended, layer="socket"
            )

    def of_moving(self) -> Iterator[Obstacle]:
        """What keeps a name: that it is mounted, last of all; and another mount, before any name is looked up."""
        if self.scene.attempt.operation not in _MOVING:
            return
        ends = self._ends
        for end in ends:
            if any(rule.path == end and rule.kind != "writable" for rule in self.held):
                yield Obstacle(end, "EBUSY", f"{end} is mounted for {self.files.name}", last=True)
        if self._leaves_its_mount:
            why = f"{ends[0]} and {ends[1]} are on different mounts for {self.files.name}"
            yield Obstacle(ends[0], "EXDEV", why)

    def of_changes(self) -> Iterator[Obstacle]:
        """What read-only mounts refuse, in the kernel's order: names before the directory's permission is asked for,
        and what is written to after its own (`do_open`, `vfs_truncate`).
        """
        for at, last in () if self._leaves_its_mount else self._changed():
            rule = _decisive(self.held, at)
            if rule is not None and rule.frozen:
                why = f"{at} is on a mount that is read-only for {self.files.name} ({rule.option})"
                mended = self._mended(f"ReadWritePaths={at}" if rule.kind == "read-only" else _without(rule))
                yield Obstacle(at, "EROFS", why, mended, last=last, behind_search=True)

    @property
    def _ends(self) -> tuple[str, ...]:
        """What the paths name, if all lookups come so far."""
        ends = tuple(end for end in self.scene.ends if end is not None)
        return ends if len(ends) == len(self.scene.ends) else ()

    @property
    def _leaves_its_mount(self) -> bool:
        """Whether a name is to be moved from one mount to another."""
        if self.scene.attempt.operation != "rename":
            return False
        return len({self._mount(posixpath.dirname(end)) for end in self._ends}) > 1

    def _changed(self) -> Iterator[tuple[str, bool]]:
        """A directory that gets or loses a name, or the thing; and whether its permission is asked for before."""
        operation = self.scene.attempt.operation
        for end in self._ends:
            if operation in _MOVING or (operation in _MAKING and not self._is_there(end)):
                yield posixpath.dirname(end), False
            elif operation in {"chmod", "chown"} and self._is_there(end):
                yield end, False
            elif operation in {"write", "truncate", "create"} and self._kinds.get(end) == "file":
                yield end, True

    def _is_there(self, path: str) -> bool:
        rule = _decisive(self.held, path)
        hidden = rule is not None and rule.kind not in {"read-only", "writable"} and rule.path != path
        return path in self._kinds and not hidden

    @property
    def _kinds(self) -> dict[str, str]:
        return {node.path: node.kind for node in self.scene.world.nodes}

    @property
    def _made(self) -> str | None:
        """The name that is to be made."""
        operation = self.scene.attempt.operation
        return self.scene.ends[-1] if operation in _MAKING or operation == "rename" else None

    def _mount(self, path: str) -> Rule | None:
        """The rule whose mount a path is on: one below another of its kind makes none (`drop_nop` in namespace.c)."""
        rule = _decisive(self.held, path)
        above = None if rule is None or rule.path == "/" else self._mount(posixpath.dirname(rule.path))
        return above if rule is not None and above is not None and above.kind == rule.kind else rule

    def _has(self, *capabilities: str) -> bool:
        return any(self.actor.capabilities & 1 << CAPABILITIES[name] for name in capabilities)

    def _mended(self, assignment: str) -> tuple[Change, ...]:
        return _mend(self.files, assignment)


def _without(rule: Rule) -> str:
    """The option, set such that it does nothing to the path."""
    option = rule.option.partition("=")[0]
    return f"{option}=no" if option.startswith(("Protect", "Private")) else f"{option}= without {rule.path}"


def _mend(files: UnitFiles, assignment: str) -> tuple[Change, ...]:
    return (Change("elsewhere", None, f"systemctl edit {files.name}  # {assignment} in [Service]; and restart it", 0),)


def _within(path: str, above: str) -> bool:
    return above in {"/", path} or path.startswith(above + "/")
