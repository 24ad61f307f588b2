"""What a Landlock domain may refuse, which nobody sees from outside of it (landlock(7))."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

from harness.inside.libc import LIBC
from harness.inside.procfs import status_fields
from harness.live.layer_state import Answer, LayerState, inactive

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.live.actor import Actor
    from harness.live.scene import Scene
    from harness.world import Operation

CREATE_RULESET: Final = 444
"""landlock_create_ruleset, the same on all machines; with its flag it tells the ABI (linux/landlock.h)."""
CREATE_RULESET_VERSION: Final = 1
FILES: Final = 1
TRUNCATED: Final = 3
SCOPED: Final = 6
LOGGED: Final = 7
NAMED: Final = 9
"""The ABIs since which a domain may be over files (Linux 5.13), over their truncation (6.2), keep abstract sockets
out (6.12), has its denials audited (6.15), and may be over connections to named sockets (7.1,
LANDLOCK_ACCESS_FS_RESOLVE_UNIX).
"""


def answer(actor: Actor, scene: Scene, active: Collection[str] | None) -> Answer:
    """What it has to say."""
    return Answer(_state(actor, scene, active))


def _state(actor: Actor, scene: Scene, active: Collection[str] | None) -> LayerState:
    """What Landlock has to say."""
    del active  # it tells by itself
    abi = landlock_abi()
    asked = _asked(scene.attempt.operation, scene.attempt.path.startswith("@"))
    if abi <= 0:
        return inactive("Landlock")
    if asked is None or abi < asked[0]:
        return LayerState("Landlock", "passed", f"this kernel's (ABI {abi}) does not ask about it")
    if actor.process is None:
        return LayerState("Landlock", "passed", "who is started anew is in no domain")
    if not _may_be_held(actor.pid):
        return LayerState("Landlock", "passed", "who enters a domain has no_new_privs, and this process has not")
    why = (
        f"process {actor.pid} may be in a Landlock domain (it has no_new_privs), which can't be seen from outside and "
        f"may refuse it {asked[1]}"
    )
    look = "have it try, and look for its denial: journalctl -k --grep landlock" if abi >= LOGGED else "have it try"
    return LayerState("Landlock", "not looked at", why, look)


def landlock_abi() -> int:
    """The version of this kernel's Landlock, 0 or less where it is not there or not to be asked."""
    return int(LIBC.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION))


def _asked(operation: Operation, abstract: bool) -> tuple[int, str] | None:
    """Since which ABI a domain may refuse an operation, and what it refuses."""
    if operation == "connect":
        return (SCOPED, "abstract sockets of processes outside") if abstract else (NAMED, "connections to sockets")
    if abstract:
        return None
    return {
        "bind": (FILES, "sockets that are new there"),
        "rename": (FILES, "sockets that are new there"),
        "unlink": (FILES, "to take names away"),
        "read": (FILES, "to read files"),
        "write": (FILES, "to write to files"),
        "execute": (FILES, "to execute files"),
        "list": (FILES, "to list directories"),
        "create": (FILES, "new files, and to write to those that are there"),
        "mkdir": (FILES, "new directories"),
        "truncate": (TRUNCATED, "to cut files off"),
    }.get(operation)


def _may_be_held(pid: int) -> bool:
    """Whether it may be in a domain. (CAP_SYS_ADMIN enters one without no_new_privs, which is not looked for.)"""
    try:
        return status_fields(pid).get(b"NoNewPrivs") != b"0"
    except OSError:
        return True
