"""Security modules that are active and can't be asked: Smack, TOMOYO, and programs that root attaches (BPF)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.inside.libc import LIBC
from harness.live.layer_state import Answer, LayerState

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.live.actor import Actor
    from harness.live.scene import Scene

BPF_CALL: Final = {"x86_64": 321, "aarch64": 280, "ppc64le": 361, "s390x": 351, "riscv64": 280}
"""bpf(2) by machine (asm/unistd.h)."""
NEXT_ID, BY_ID, INFO = 11, 13, 15
"""BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD (linux/bpf.h)."""
LSM_PROGRAM: Final = 29
"""BPF_PROG_TYPE_LSM there."""
_MOST: Final = 10_000


def answer(actor: Actor, scene: Scene, active: Collection[str] | None) -> Answer:
    """What they are, where any is active."""
    return Answer(_state(actor, scene, active))


def _state(actor: Actor, scene: Scene, active: Collection[str] | None) -> LayerState | None:
    """What they are, where any is active."""
    del actor, scene
    if active is None:
        why = "this kernel does not tell which security modules it has"
        return LayerState("other modules", "not looked at", why, "run this as root", decides=False)
    held = [name for name, holds in (("Smack", "smack" in active), ("TOMOYO", _tomoyo(active))) if holds]
    attached = lsm_programs() if "bpf" in active else 0
    if held or attached:
        programs = f"{attached} BPF programs of this machine's root" if attached else ""
        why = f"{' and '.join(filter(None, (*held, programs)))} may refuse it, and can't be asked"
        return LayerState("other modules", "not looked at", why, "look for a denial: journalctl -k")
    if attached is None:
        why = "BPF: whether root has attached programs that refuse anything is told to root alone"
        return LayerState("other modules", "not looked at", why, "run this as root", decides=False)
    return LayerState("other modules", "passed", "no BPF program is attached") if "bpf" in active else None


def _tomoyo(active: Collection[str]) -> bool:
    """Whether TOMOYO has a policy: without one it refuses nothing (its profile 0 is disabled)."""
    if "tomoyo" not in active:
        return False
    try:
        return "MAC::file" in Path("/sys/kernel/security/tomoyo/profile").read_text("utf-8", "replace")
    except FileNotFoundError:
        return False
    except OSError:
        return True


def lsm_programs() -> int | None:
    """How many BPF programs are attached to the hooks of security modules; None where that is not told."""
    number = BPF_CALL.get(os.uname().machine)
    if number is None:
        return None
    count = at = 0
    for _ in range(_MOST):
        request = ctypes.create_string_buffer(struct.pack("=III", at, 0, 0), 12)
        if LIBC.syscall(number, NEXT_ID, request, 12) != 0:
            return count if ctypes.get_errno() == errno.ENOENT else None
        (at,) = struct.unpack_from("=I", request.raw, 4)
        kind = program_type(at)
        if kind is None:
            return None
        count += kind == LSM_PROGRAM
    return count


def program_type(which: int) -> int | None:
    """The type of a BPF program by its id (linux/bpf.h); None where that is not told, 0 of one that has gone."""
    number = BPF_CALL[os.uname().machine]
    descriptor = LIBC.syscall(number, BY_ID, ctypes.create_string_buffer(struct.pack("=III", which, 0, 0), 12), 12)
    if descriptor < 0:
        return 0 if ctypes.get_errno() == errno.ENOENT else None
    try:
        info = ctypes.create_string_buffer(16)
        request = struct.pack("=IIQ", descriptor, len(info), ctypes.addressof(info))
        if LIBC.syscall(number, INFO, ctypes.create_string_buffer(request, 16), 16) != 0:
            return None
        return int(struct.unpack_from("=I", info.raw)[0])
    finally:
        os.close(descriptor)
