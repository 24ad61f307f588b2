"""The layouts of the kernels' credential structures as data, and the pure function that reads bytes by them.

Offsets and sizes are bytes. Each table names the header that it is taken from; the ABI suite under
tests/platforms compiles every number here into a static assertion against that header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

ByteOrder = Literal["little", "big"]

_SIGNED = {1: "b", 2: "h", 4: "i", 8: "q"}


@dataclass(frozen=True, slots=True)
class Field:
    """One member: an integer, or an array of `count` of them. `size` is that of one element."""

    name: str
    offset: int
    size: int = 4
    signed: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """A C structure as one ABI lays it out; `fields` in the order of their offsets, padding left out.

    `declaration` is the C type and `header` what must be included for it.
    """

    declaration: str
    header: str
    size: int
    fields: tuple[Field, ...]

    def compiled(self, order: ByteOrder) -> struct.Struct:
        """The structure for the struct module: members come out flat, in the order of their offsets."""
        parts = ["<" if order == "little" else ">"]
        at = 0
        for field in self.fields:
            code = _SIGNED[field.size]
            parts.append(f"{field.offset - at}x{field.count}{code if field.signed else code.upper()}")
            at = field.offset + field.size * field.count
        parts.append(f"{self.size - at}x")
        return struct.Struct("".join(parts))


def parse(layout: Layout, data: bytes, order: ByteOrder) -> Mapping[str, tuple[int, ...]] | None:
    """Each member's elements by name, or `None` if the bytes are not of the structure's size."""
    if len(data) != layout.size:
        return None
    flat = iter(layout.compiled(order).unpack(data))
    return {field.name: tuple(next(flat) for _ in range(field.count)) for field in layout.fields}


def text(characters: tuple[int, ...]) -> str:
    """What an array of C's characters holds, up to its NUL. Bytes that are not UTF-8 are shown as backslash escapes."""
    return bytes(each & 0xFF for each in characters).split(b"\0", 1)[0].decode(errors="backslashreplace")


LINUX_UCRED = Layout(
    "struct ucred",
    "sys/socket.h",
    12,
    (Field("pid", 0, signed=True), Field("uid", 4), Field("gid", 8)),
)
"""All architectures; the kernel's own is include/linux/socket.h."""

MACOS_XUCRED = Layout(
    "struct xucred",
    "sys/ucred.h",
    76,
    (
        Field("cr_version", 0),
        Field("cr_uid", 4),
        Field("cr_ngroups", 8, size=2, signed=True),
        Field("cr_groups", 12, count=16),
    ),
)

_FREEBSD_MEMBERS = (
    Field("cr_version", 0),
    Field("cr_uid", 4),
    Field("cr_ngroups", 8, size=2, signed=True),
    Field("cr_groups", 12, count=16),
)

FREEBSD_XUCRED_64 = Layout("struct xucred", "sys/ucred.h", 88, (*_FREEBSD_MEMBERS, Field("cr_pid", 80, signed=True)))
"""cr_pid shares a union with an unused pointer, which is null before FreeBSD 13: hence its alignment."""

FREEBSD_XUCRED_32 = Layout("struct xucred", "sys/ucred.h", 80, (*_FREEBSD_MEMBERS, Field("cr_pid", 76, signed=True)))

OPENBSD_SOCKPEERCRED = Layout(
    "struct sockpeercred",
    "sys/socket.h",
    12,
    (Field("uid", 0), Field("gid", 4), Field("pid", 8, signed=True)),
)

NETBSD_UNPCBID = Layout(
    "struct unpcbid",
    "sys/un.h",
    12,
    (Field("unp_pid", 0, signed=True), Field("unp_euid", 4), Field("unp_egid", 8)),
)

MACOS_PROC_BSDINFO = Layout(
    "struct proc_bsdinfo",
    "sys/proc_info.h",
    136,
    (
        Field("pbi_pid", 12),
        Field("pbi_ppid", 16),
        Field("pbi_uid", 20),
        Field("pbi_comm", 48, size=1, count=16),
        Field("pbi_start_tvsec", 120, size=8),
        Field("pbi_start_tvusec", 128, size=8),
    ),
)

FREEBSD_KINFO_PROC_64 = Layout(
    "struct kinfo_proc",
    "sys/user.h",
    1088,
    (
        Field("ki_structsize", 0, signed=True),
        Field("ki_pid", 72, signed=True),
        Field("ki_ppid", 76, signed=True),
        Field("ki_sid", 88, signed=True),
        Field("ki_uid", 168),
        Field("ki_start.tv_sec", 336, size=8, signed=True),
        Field("ki_start.tv_usec", 344, size=8, signed=True),
        Field("ki_comm", 447, size=1, count=20),
    ),
)
