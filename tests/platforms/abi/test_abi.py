"""The headers of every platform say what the tables of `observatory.identity` say.

The compiler is `ziglang` from PyPI, which brings the headers of all of them. Nothing is run: this proves numbers
and layouts, not what a kernel does with them.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from observatory.identity.layouts import Field
from tests.platforms.abi.assertions import LINUX_MACHINES, TARGETS, source

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.platforms.abi.assertions import Target

CACHE = Path(__file__).parents[3] / ".cache" / "zig"
BY_NAME = {target.name: target for target in reversed(TARGETS)}


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """Compile C text for a target; the compiler's complaints, empty if it has none."""
    if importlib.util.find_spec("ziglang") is None:
        why = "needs the compiler with every platform's headers: pip install ziglang"
        if "CI" in os.environ:
            pytest.fail(why)
        pytest.skip(why)
    directory = tmp_path_factory.mktemp("abi")
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(CACHE), "ZIG_LOCAL_CACHE_DIR": str(CACHE)}

    def compile_for(target: str, text: str) -> str:
        (directory / f"{target}.c").write_text(text)
        command = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-w", "-ferror-limit=0", "-c"]
        done = subprocess.run(
            [*command, f"{target}.c", "-o", f"{target}.o"],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == (not done.stderr), done.stderr or f"exit status {done.returncode}"
        return done.stderr

    return compile_for


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.name}-{target.layout.declaration}")
def test_the_headers_say_what_the_tables_say(compiled: Callable[[str, str], str], target: Target) -> None:
    assert compiled(target.name, source(target)) == ""


def other(target: Target, name: str, **changes: Any) -> Target:
    """The target with one member of its structure told otherwise."""
    fields = tuple(replace(field, **changes) if field.name == name else field for field in target.layout.fields)
    assert fields != target.layout.fields
    return replace(target, layout=replace(target.layout, fields=fields))


WRONG = {
    "freebsd's cr_pid where 32-bit systems have it": (
        other(BY_NAME["x86_64-freebsd"], "cr_pid", offset=76),
        ["x86_64-freebsd: cr_pid is at 76"],
    ),
    "openbsd's members in linux's order": (
        replace(
            BY_NAME["x86_64-openbsd"],
            layout=replace(
                BY_NAME["x86_64-openbsd"].layout,
                fields=(Field("pid", 0, signed=True), Field("uid", 4), Field("gid", 8)),
            ),
        ),
        ["pid is at 0", "uid is at 4", "gid is at 8"],
    ),
    "a signed uid": (other(BY_NAME["x86_64-linux-gnu"], "uid", signed=True), ["uid is signed"]),
    "macos with a group too many": (other(BY_NAME["aarch64-macos"], "cr_groups", count=17), ["cr_groups has 17 x 4"]),
    "a short count read as an int": (other(BY_NAME["aarch64-macos"], "cr_ngroups", size=4), ["cr_ngroups has 1 x 4"]),
    "a structure without its end": (
        replace(BY_NAME["x86_64-freebsd"], layout=replace(BY_NAME["x86_64-freebsd"].layout, size=84)),
        ["struct xucred has 84 bytes"],
    ),
    **{
        f"the hard-coded 17 on {machine}": (
            replace(BY_NAME[name], numbers={**BY_NAME[name].numbers, "SO_PEERCRED": 17}),
            [f"{name}: SO_PEERCRED is 0x11"],
        )
        for name, machine in LINUX_MACHINES.items()
        if machine in {"ppc64le", "ppc64", "mips64", "sparc64"}
    },
    "netbsd with freebsd's option": (
        replace(BY_NAME["x86_64-netbsd"], numbers={"SOL_LOCAL": 0, "LOCAL_PEEREID": 1}),
        ["LOCAL_PEEREID is 0x1"],
    ),
}


@pytest.mark.parametrize(("target", "complaints"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_number_does_not_compile(
    compiled: Callable[[str, str], str], target: Target, complaints: list[str]
) -> None:
    said = compiled(target.name, source(target))

    for complaint in complaints:
        assert "static assertion failed" in said
        assert complaint in said
    assert said.count("error:") == len(complaints), said


def test_windows_headers_know_no_peer_credentials(compiled: Callable[[str, str], str]) -> None:
    """There is nothing to read there, and CPython has no AF_UNIX there either."""
    options = ("SO_PEERCRED", "LOCAL_PEERCRED", "LOCAL_PEEREID")
    refusals = "\n".join(f"#ifdef {option}\n#error {option} is defined\n#endif" for option in options)
    text = f"#include <winsock2.h>\n#include <afunix.h>\n{refusals}\n"

    assert compiled("x86_64-windows-gnu", text) == ""
    assert "SO_PEERCRED is defined" in compiled("x86_64-windows-gnu", f"#define SO_PEERCRED 17\n{text}")
