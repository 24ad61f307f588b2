"""The directories that systemd makes for a service whenever it is started: RuntimeDirectory= and the like.

Of what is there already it sets the mode and the owner again (systemd.exec(5); setup_exec_directory in
src/core/exec-invoke.c).
"""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness.live.components import Component, Sight, look

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.live.actor import Actor
    from harness.live.unit_files import UnitFiles

ABOVE: Final[Mapping[str, str]] = {
    "RuntimeDirectory": "/run",
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "ConfigurationDirectory": "/etc",
}
"""The options, and below what their directories are."""
SHOWN: Final = tuple(option for one in ABOVE for option in (one, f"{one}Mode"))
_PRIVATE: Final = frozenset({"StateDirectory", "CacheDirectory", "LogsDirectory"})
"""With DynamicUser= these are links to directories of a closed one."""
_LEFT: Final = "ConfigurationDirectory"
"""What is there of this one is left as it is."""
_USUAL: Final = 0o755


@dataclass(frozen=True, slots=True)
class UnitDirectory:
    """A directory of a service: where, by which option, and with which mode."""

    path: str
    option: str
    mode: int


def directories(files: UnitFiles) -> Iterator[UnitDirectory]:
    """Those of a service, as its files name them."""
    for option, above in ABOVE.items():
        if option in _PRIVATE and files.yes("DynamicUser"):
            continue
        said = files.last(f"{option}Mode") or ""
        mode = int(said, 8) if said and not set(said) - set("01234567") else _USUAL
        for word in files.words(option):
            yield UnitDirectory(posixpath.normpath(posixpath.join(above, word.partition(":")[0])), option, mode)


def set_again(files: UnitFiles) -> Iterator[UnitDirectory]:
    """Those whose mode and owner are set whenever the service is started, also where they are there."""
    yield from (one for one in directories(files) if one.option != _LEFT)


def as_started(actor: Actor, path: str, sight: Sight, *, follow: bool) -> tuple[Sight, tuple[str, ...]]:
    """What a service that does not run finds at a path when it is started, and a sentence on each such directory."""
    files = None if actor.stopped_unit is None else actor.stopped_unit.files
    if files is None or files.last("RootDirectory") or files.last("RootImage"):
        return sight, ()
    own = {one.path: one for one in directories(files)}
    there = {component.path for component in sight.components}
    kept = {at: one for at, one in own.items() if one.option == _LEFT and at in there}
    own = {at: one for at, one in own.items() if at not in kept}
    sight = _with_what_is_missing(actor, path, _set_again(actor, sight, own), own, follow=follow)
    passed = [own[component.path] for component in sight.components if component.path in own]
    return sight, tuple(_told(actor, files, one, there=one.path in there) for one in passed)


def _told(actor: Actor, files: UnitFiles, one: UnitDirectory, *, there: bool) -> str:
    uid, gid = actor.principal.uid, actor.principal.gid
    group = actor.accounts.group(gid) or str(gid)
    does = "sets mode and owner of" if there else "makes"
    return (
        f"systemd {does} {one.path} when {files.name} is started ({one.option}=): {one.mode:04o}, "
        f"{actor.name if uid else 'root'}:{'root' if gid == 0 else group}; it is judged as it is then"
    )


def _status(of: os.stat_result, uid: int, gid: int, mode: int | None = None) -> os.stat_result:
    """A status with another owner, and another mode if one is given."""
    shown = of.st_mode if mode is None else stat.S_IFMT(of.st_mode) | mode
    return os.stat_result((shown, of.st_ino, of.st_dev, of.st_nlink, uid, gid, *of[6:10]))


def _set_again(actor: Actor, sight: Sight, own: Mapping[str, UnitDirectory]) -> Sight:
    """What is there, as it will be; where a directory gets another owner, all below it does."""
    uid, gid = actor.principal.uid, actor.principal.gid
    given: list[str] = []
    components: list[Component] = []
    for component in sight.components:
        one, status = own.get(component.path), component.status
        if one is not None and component.kind == "directory":
            if (status.st_uid, status.st_gid) != (uid, gid):
                given.append(f"{component.path}/")
            status = _status(status, uid, gid, one.mode)
        elif component.path.startswith(tuple(given)):
            status = _status(status, uid, gid)
        components.append(replace(component, status=status))
    return replace(sight, components=tuple(components))


def _with_what_is_missing(
    actor: Actor, path: str, sight: Sight, own: Mapping[str, UnitDirectory], *, follow: bool
) -> Sight:
    """What a lookup finds when those that are not there have been made: empty, below parents of root's."""
    here = sight.missing
    rest = None if here is None or sight.hidden is not None else _rest(actor, path, here, follow=follow)
    if here is None or rest is None or not _leads_to(here, own):
        return sight
    components = list(sight.components)
    above = next(one for one in reversed(components) if one.path == posixpath.dirname(here))
    while _leads_to(here, own):
        one = own.get(here)
        uid, gid, mode = (0, 0, _USUAL) if one is None else (actor.principal.uid, actor.principal.gid, one.mode)
        status = os.stat_result((stat.S_IFDIR | mode, 0, above.status.st_dev, 2, uid, gid, 0, 0, 0, 0))
        acl = None if above.acl is None else ()
        components.append(Component(here, "directory", status, acl, None, above.mount))
        if not rest:
            return Sight(tuple(components), None, None, here)
        here = posixpath.join(here, rest.pop(0))
    return Sight(tuple(components), None, here, None if rest else here)


def _leads_to(here: str, own: Mapping[str, UnitDirectory]) -> bool:
    return any(path == here or path.startswith(f"{here}/") for path in own)


def _rest(actor: Actor, path: str, missing: str, *, follow: bool) -> list[str] | None:
    """The names of a path behind the one at which nothing is; None where they can't be told."""
    names = [name for name in path.split("/") if name not in {"", "."}]
    if ".." in names:
        return None
    for number in range(1, len(names) + 1):
        prefix = "/" + "/".join(names[:number])
        last = number == len(names)
        if prefix == missing:
            return names[number:]
        if look(prefix, root=actor.root, follow=follow or not last, pid=actor.pid).missing == missing:
            return names[number:]
    return None


def lasting_modes(files: Sequence[UnitFiles], path: str) -> Iterator[tuple[str, UnitDirectory]]:
    """The services, by name, that set a path's mode when they are started, and as what they have it."""
    for one in files:
        yield from ((one.name, each) for each in set_again(one) if each.path == path)
