"""What AppArmor says: the profile that holds a process, and the kernel's own answer to what that profile allows.

The kernel answers as it does to libapparmor's aa_query_label(2): a label and what is asked for, written to `.access`,
and read back as masks (`query_label` in security/apparmor/apparmorfs.c).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from harness.inside.libc import LIBC
from harness.live.confinement import enforced_label
from harness.live.layer_state import Answer, LayerState, inactive
from harness.live.limits import in_child
from harness.live.obstacle import Obstacle
from harness.live.privileges import refusal_without
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
    "chown": 0x2000,
    "stat": 0x200,
    "rename": 0x326,
    "read": 0x4,
    "list": 0x4,
    "write": 0x2,
    "truncate": 0x102,
    "create": CREATE | 0x2,
    "mkdir": CREATE,
    "execute": 0x1,
}
"""What each operation asks of what the path names (security/apparmor/lsm.c), in the bits of include/perms.h:

execute; write; read; read, write and connect; create; delete; write and setattr; chmod; chown; getattr; for a rename's
first path read, write, delete and both attr. Of a symlink's text nothing is asked.
"""
RENAMED: Final = 0x112
"""What rename asks of its second path: write, create and setattr."""
_LETTERS: Final[Mapping[Operation, str]] = {
    "connect": "rw",
    "rename": "rw",
    "stat": "r",
    "read": "r",
    "list": "r",
    "execute": "ix",
}
"""What a rule has to give (apparmor.d(5)); for all else it is to be w."""
_LATE: Final[frozenset[Operation]] = frozenset({"connect", "read", "list", "write", "truncate", "execute"})
"""What is asked about after all permissions (`security_file_open`, `security_path_truncate` in fs/open.c, ...)."""
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
    if scene.attempt.operation == "readlink":
        return Answer(LayerState("AppArmor", "passed", "no profile is asked about what a symlink says"))
    try:
        refusals = tuple(_refusals(actor, scene, name))
        if not refusals and refusal_without(scene) is not None:
            raise UnansweredError("whether it may use its capabilities, without which it is refused, is not told")
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
    allowed = True
    top = "" if actor.root == "/" else os.readlink(actor.root).rstrip("/")
    letters = _LETTERS.get(operation, "w")
    for at, mask, owned, directory in _objects(actor, scene):
        named = f"{top}{at}" + ("/" if directory else "")
        if not allows(label, named, mask, owned=owned):
            why = f"the AppArmor profile {label} of {actor.name} does not let it {operation} {at} ({letters})"
            change = _change(label, f"{named} {letters},")
            late = operation in _LATE or (operation == "create" and at in scene.components)
            yield Obstacle(at, "EACCES", why, change, last=late, layer="AppArmor")
            allowed = False
    if operation == "execute" and allowed:
        raise UnansweredError("under which profile the program would run, and whether it may, is not asked for")


def _objects(actor: Actor, scene: Scene) -> Iterator[tuple[str, int, bool, bool]]:
    """What the kernel asks about: a path, what for, whether it is the actor's, and whether it is a directory's.

    Of a rename's second path it takes the owner and the kind of what is moved (`apparmor_path_rename`). Raises
    UnansweredError.
    """
    operation = scene.attempt.operation
    if scene.hidden is not None:
        raise UnansweredError(f"what it says of the path is not asked for, since {scene.hidden} can't be looked at")
    ends = [end for end in scene.ends if end is not None]
    thing = scene.components.get(ends[0]) if ends else None
    makes = operation in {"bind", "create", "mkdir"}
    if not ends or len(ends) < len(scene.ends) or ((thing is None) != makes and operation != "create"):
        raise UnansweredError("the kernel's lookup ends before it is asked about what is wanted")
    owned = thing is None or thing.status.st_uid == actor.principal.uid
    directory = operation == "mkdir" if thing is None else thing.kind == "directory"
    for end, mask in zip(ends, (MASKS[operation], RENAMED), strict=False):
        yield end, mask, owned, directory


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
