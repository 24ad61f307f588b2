"""Static assertions in C, made from the very tables that `observatory.identity` reads by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from observatory.identity import freebsd, freebsd_process, layouts, linux, macos, macos_process, netbsd, openbsd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from observatory.identity.layouts import Layout

SUN_PATH = {"linux": 108, "macos": 104, "freebsd": 104, "openbsd": 104, "netbsd": 104}
"""The bytes of `sockaddr_un.sun_path`, by system: what the length limits elsewhere in the project rely on."""


@dataclass(frozen=True)
class Target:
    """A system and processor as the compiler names them, and what the tables claim of it."""

    name: str
    system: str
    headers: tuple[str, ...]
    numbers: Mapping[str, int]
    layout: Layout


def options_of(module: ModuleType) -> dict[str, int]:
    """Every socket option and level that a module names."""
    prefixes = ("SOL_", "SO_", "LOCAL_")
    found = {name: value for name, value in vars(module).items() if name.startswith(prefixes)}
    assert found, f"{module.__name__} names no option"
    return found


def numbers_of(module: ModuleType) -> dict[str, int]:
    """Every number of a header that a module of processes names."""
    found = {name: value for name, value in vars(module).items() if name.startswith(("PROC_", "CTL_", "KERN_"))}
    assert found, f"{module.__name__} names no number"
    return found


def _linux(name: str, machine: str) -> Target:
    numbers = {option: linux.number(option, machine) for option in linux.GENERIC}
    return Target(name, "linux", ("asm/socket.h",), numbers, layouts.LINUX_UCRED)


LINUX_MACHINES = {
    "x86_64-linux-gnu": "x86_64",
    "x86_64-linux-musl": "x86_64",
    "x86_64-linux-gnux32": "x86_64",
    "x86-linux-gnu": "i686",
    "aarch64-linux-gnu": "aarch64",
    "aarch64-linux-musl": "aarch64",
    "aarch64_be-linux-gnu": "aarch64_be",
    "arm-linux-gnueabihf": "armv7l",
    "arm-linux-musleabihf": "armv7l",
    "armeb-linux-gnueabihf": "armv7b",
    "riscv64-linux-gnu": "riscv64",
    "riscv32-linux-gnu": "riscv32",
    "s390x-linux-gnu": "s390x",
    "powerpc64le-linux-gnu": "ppc64le",
    "powerpc64-linux-musl": "ppc64",
    "powerpc-linux-musleabihf": "ppc",
    "mips-linux-gnueabihf": "mips",
    "mipsel-linux-musleabihf": "mips",
    "mips64-linux-gnuabi64": "mips64",
    "mips64el-linux-gnuabi64": "mips64",
    "mips64el-linux-gnuabin32": "mips64",
    "loongarch64-linux-gnu": "loongarch64",
    "sparc64-linux-gnu": "sparc64",
    "sparc-linux-gnu": "sparc",
}
"""The compiler's target, and what uname(2) calls the machine there."""

TARGETS = (
    *(_linux(name, machine) for name, machine in LINUX_MACHINES.items()),
    *(
        Target(f"{cpu}-macos", "macos", ("sys/un.h",), options_of(macos), layouts.MACOS_XUCRED)
        for cpu in ("x86_64", "aarch64")
    ),
    *(
        Target(f"{cpu}-freebsd", "freebsd", ("sys/un.h",), options_of(freebsd), freebsd.LAYOUTS[pointer])
        for cpu, pointer in {"x86_64": 8, "aarch64": 8, "riscv64": 8, "powerpc64": 8, "x86": 4}.items()
    ),
    *(
        Target(f"{cpu}-macos", "macos", ("libproc.h",), numbers_of(macos_process), layouts.MACOS_PROC_BSDINFO)
        for cpu in ("x86_64", "aarch64")
    ),
    *(
        Target(
            f"{cpu}-freebsd", "freebsd", ("sys/sysctl.h",), numbers_of(freebsd_process), layouts.FREEBSD_KINFO_PROC_64
        )
        for cpu in ("x86_64", "aarch64", "riscv64", "powerpc64")
    ),
    Target("arm-freebsd-eabihf", "freebsd", ("sys/un.h",), options_of(freebsd), freebsd.LAYOUTS[4]),
    *(
        Target(f"{cpu}-openbsd", "openbsd", (), options_of(openbsd), layouts.OPENBSD_SOCKPEERCRED)
        for cpu in ("x86_64", "aarch64", "riscv64", "sparc64", "mips64", "x86")
    ),
    *(
        Target(f"{cpu}-netbsd", "netbsd", (), options_of(netbsd), layouts.NETBSD_UNPCBID)
        for cpu in ("x86_64", "aarch64", "sparc64", "x86")
    ),
    Target("powerpc-netbsd-eabihf", "netbsd", (), options_of(netbsd), layouts.NETBSD_UNPCBID),
)


def source(target: Target) -> str:
    """A C file that compiles if the platform's headers say what the tables say."""
    layout = target.layout
    struct = layout.declaration
    claims = {f"{name} is {value:#x}": f"{name} == {value}" for name, value in target.numbers.items()}
    claims[f"{struct} has {layout.size} bytes"] = f"sizeof({struct}) == {layout.size}"
    for field in layout.fields:
        member = f"(({struct} *)0)->{field.name}"
        element = member if field.count == 1 else f"{member}[0]"
        claims[f"{field.name} is at {field.offset}"] = f"offsetof({struct}, {field.name}) == {field.offset}"
        claims[f"{field.name} has {field.count} x {field.size} bytes"] = (
            f"sizeof({member}) == {field.count * field.size} && sizeof({element}) == {field.size}"
        )
        if field.size > 1:  # of a character it is the compiler's choice
            claims[f"{field.name} is {'signed' if field.signed else 'unsigned'}"] = (
                f"((__typeof__({element}))-1 < 0) == {int(field.signed)}"
            )
    size = SUN_PATH[target.system]
    claims[f"sun_path has {size} bytes"] = f"sizeof(((struct sockaddr_un *)0)->sun_path) == {size}"
    headers = ("stddef.h", "sys/types.h", "sys/socket.h", "sys/un.h", layout.header, *target.headers)
    lines = ["#define _GNU_SOURCE", *(f"#include <{header}>" for header in dict.fromkeys(headers))]
    lines += [f'_Static_assert({truth}, "{target.name}: {words}");' for words, truth in claims.items()]
    return "\n".join(lines) + "\n"
