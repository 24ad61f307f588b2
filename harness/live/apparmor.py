"""What AppArmor says: the profile that holds a process, and the kernel's own answer to what that profile allows.

The kernel answers as it does to libapparmor's aa_query_label(2): a label and what is asked for, written to `.access`,
and read back as masks (`query_label` in security/apparmor/apparmorfs.c).
"""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Final

from harness.inside.libc import LIBC
from harness.live.confinement import enforced_label
from harness.live.layer_state import Answer, LayerState, inactive
from harness.live.limits import in_child
from harness.live.obstacle import Obstacle
from harness.live.query import UnansweredError, exchange
from harness.oracle import Change, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from harness.live.actor import Actor
    from harness.live.scene import Scene
    from harness.world import Operation

ACCESS: Final = "/sys/kernel/security/apparmor/.access"
FEATURES: Final = "/sys/kernel/security/apparmor/features"
FILES, FAMILIES, SOCKETS = 2, 14, 15
"""AA_CLASS_FILE, AA_CLASS_NET and AA_CLASS_NETV9 (security/apparmor/include/apparmor.h)."""
CREATE: Final = 0x10
MASKS: Final[Mapping[Operation, int]] = {
    "connect": 0x46,
    "bind": CREATE,
    "unlink": 0x20,
    "chmod": 0x1000,
    "stat": 0x200,
    "rename": 0x326,
}
"""What each operation asks of what the path names (security/apparmor/lsm.c), in the bits of include/perms.h:

read, write and connect; create; delete; chmod; getattr; for a rename's first path read, write, delete and both attr.
"""
RENAMED: Final = 0x112
"""What rename asks of its second path: write, create and setattr."""
_TYPES: Final = {"stream": 1, "dgram": 2, "seqpacket": 5}
_SECONDS: Final = 2.0
_LOOK: Final = "look for a denial: journalctl -k --grep 'apparmor=\"DENIED\"'"


def answer(actor: Actor, scene: Scene, active: Collection[str] | None) -> Answer:
    """What AppArmor has to say."""
    if active is not None and "apparmor" not in active:
        return Answer(inactive("AppArmor"))
    label = _label(actor)
    if isinstance(label, LayerState):
        return Answer(label)
    name, mode = label
    if mode not in {"enforce", "kill"}:
        why = f"the profiles {name} hold it, of which not all are enforced ({mode})"
        return Answer(LayerState("AppArmor", "not looked at", why, _LOOK))
    try:
        refusals = tuple(_refusals(actor, scene, name))
    except UnansweredError as error:
        return Answer(LayerState("AppArmor", "not looked at", f"the profile {name} holds it: {error}", _LOOK))
    return Answer(LayerState("AppArmor", "passed", f"the profile {name} allows it, says the kernel"), refusals)


def _label(actor: Actor) -> tuple[str, str] | LayerState:
    """The label that counts and its mode, or why there is none."""
    unit = actor.stopped_unit
    if unit is not None:
        files = unit.files
        name = None if files is None else files.last("AppArmorProfile")
        if name:
            return name.removeprefix("-"), "enforce"
        why = f"which profile holds {unit.name} is told while it runs"
        return LayerState("AppArmor", "not looked at", why, f"start it: systemctl start {unit.name}")
    if actor.process is None:
        return LayerState("AppArmor", "passed", "a new login is unconfined; a program with a profile: ask with --pid")
    label = enforced_label(actor.pid)
    if label == "":
        return LayerState("AppArmor", "passed", f"it holds process {actor.pid} to nothing (unconfined, or complain)")
    if label is None:
        why = f"the label of process {actor.pid} can't be read"
        return LayerState("AppArmor", "not looked at", why, "run this as root")
    name, _, mode = label.rpartition(" (")
    return (name, mode.removesuffix(")")) if name else (label, "enforce")


def _refusals(actor: Actor, scene: Scene, label: str) -> Iterator[Obstacle]:
    attempt = scene.attempt
    operation, path = attempt.operation, attempt.path
    if operation in {"connect", "bind"} and not _makes_sockets(label, _TYPES[attempt.type]):
        why = f"the AppArmor profile {label} of {actor.name} lets it make no Unix sockets"
        yield Obstacle(path, "EACCES", why, _change(label, "network unix,"), first=True, layer="AppArmor")
        return
    peers = _asks_of_peers(label)
    if path.startswith("@"):
        if peers:
            raise UnansweredError("what it says of abstract names is not asked for here")
        return
    if operation == "connect" and not peers:
        return
    if operation not in MASKS:
        return
    if scene.hidden is not None:
        raise UnansweredError(f"what it says of the path is not asked for, since {scene.hidden} can't be looked at")
    top = "" if actor.root == "/" else os.readlink(actor.root).rstrip("/")
    asked = [(_object(scene), MASKS[operation])]
    if attempt.to is not None:
        asked.append((posixpath.normpath(posixpath.join(attempt.cwd or "/", attempt.to)), RENAMED))
    for at, mask in asked:
        seen = scene.components.get(at)
        owned = seen is None or seen.status.st_uid == actor.principal.uid
        named = f"{top}{at}" + ("/" if seen is not None and seen.kind == "directory" else "")
        if not allows(label, named, mask, owned=owned):
            letters = "rw" if operation in {"connect", "rename"} else "r" if operation == "stat" else "w"
            why = f"the AppArmor profile {label} of {actor.name} does not let it {operation} {at} ({letters})"
            change = _change(label, f"{named} {letters},")
            yield Obstacle(at, "EACCES", why, change, last=operation == "connect", layer="AppArmor")


def _object(scene: Scene) -> str:
    """What the path names, with symlinks resolved."""
    attempt = scene.attempt
    ways = [path for path in scene.way if path in scene.components]
    name = posixpath.basename(attempt.path.rstrip("/"))
    last = ways[-1] if ways else "/"
    if attempt.to is None and posixpath.basename(last) == name:
        return last
    whole = posixpath.normpath(posixpath.join(attempt.cwd or "/", attempt.path))
    if attempt.to is not None or attempt.operation != "bind":
        return whole if whole in scene.components or not ways else last
    return posixpath.join(last, name)


def _change(label: str, rule: str) -> tuple[Change, ...]:
    text = (
        f"add the rule {quoted(rule)} to the profile {label} (aa-logprof proposes it), and apparmor_parser -r its file"
    )
    return (Change("elsewhere", None, text, 0),)


def _mediates(label: str, which: int) -> bool:
    """Whether a profile says anything of a class: of one that it does not, all is allowed."""
    return not ask(label, bytes([which])) & CREATE


def _makes_sockets(label: str, kind: int) -> bool:
    """By the rules for Unix sockets (`unix`) where there are any, else by those for families (`network unix`).

    A rule may end early: then what follows does not count (`aa_match_to_prot` in security/apparmor/net.c).
    """
    of_unix, of_kind, protocol = (number.to_bytes(2, "big") for number in (1, kind, 0))
    begun = bytes([SOCKETS if _mediates(label, SOCKETS) else FAMILIES])
    asked = (begun, begun + of_unix, begun + of_unix + of_kind, begun + of_unix + of_kind + protocol)
    return any(ask(label, each) & CREATE for each in asked)


def allows(label: str, path: str, mask: int, *, owned: bool) -> bool:
    """Whether a profile allows this to a path. Raises UnansweredError.

    Rules for owners count where the file belongs to who asks. The kernel takes the queried file for root's: root is its
    owner by the file system's uid, and is not by another one (`aa_lookup_fperms` in security/apparmor/file.c).
    """
    query = bytes([FILES]) + os.fsencode(path)
    if os.geteuid() == 0:
        return ask(label, query, None if owned else 1) & mask == mask
    if ask(label, query) & mask == mask:
        return True
    if owned:
        raise UnansweredError("what it allows to owners alone is told to root")
    return False


def ask(label: str, query: bytes, fsuid: int | None = None) -> int:
    """What the kernel says that a label allows, as a mask; asked by another uid of the file system if one is given.

    Raises UnansweredError.
    """
    text = b"label\0" + os.fsencode(label) + b"\0" + query
    try:
        said = _exchange(text) if fsuid is None else in_child(lambda: _exchange(text, fsuid), _SECONDS)
        lines = dict(line.split(" ") for line in said.decode("ascii").splitlines())
        return int(lines["allow"], 16) & ~int(lines["deny"], 16)
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise UnansweredError(f"the kernel does not answer queries about it ({error})") from error


def _exchange(text: bytes, fsuid: int | None = None) -> bytes:
    if fsuid is not None:
        LIBC.setfsuid(fsuid)
    return exchange(ACCESS, text)


def _asks_of_peers(label: str) -> bool:
    """Whether a profile is asked about connections to named sockets at all (security/apparmor/net.c, af_unix.c).

    By upstream's `network_v9/af_unix`, since Linux 6.17, if its compiler knew of it; by Ubuntu's own `network/af_unix`
    (read, not run). Debian's 6.1 and 6.12 have neither.
    """
    upstream, ubuntu = (os.path.exists(f"{FEATURES}/{name}/af_unix") for name in ("network_v9", "network"))
    return (upstream and _mediates(label, SOCKETS)) or (ubuntu and _mediates(label, FAMILIES))
