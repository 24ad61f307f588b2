"""Another user who plants what root's harness will look at, and root who looks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli.main import main
from harness.engines.host import SYSTEM_PATH
from harness.inside.sock_diag import TCP_CLOSE, TCP_LISTEN, UnixSocket

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[2]
MALLORY = 64001
"""A uid and gid that no account has."""
FORGED = "0000000000000000: 00000002 00000000 00010000 0001 01 1 "
"""What /proc/net/unix writes of a listening stream socket, before its name."""
LISTEN = r"""
import os, socket, sys
held = []
for name in sys.argv[1:]:
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].bind(os.fsencode(name).replace(b"@", b"\0", 1) if name.startswith("@") else os.fsencode(name))
    held[-1].listen()
print("ready", flush=True)
sys.stdin.read()
"""
"""Listens on each name; `@` stands for the NUL of an abstract one."""
UNSHARE = r"""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUSER, NEWNET = 0x20000, 0x10000000, 0x40000000
uid, gid = os.getuid(), os.getgid()
def unshare(flags):
    if libc.unshare(flags | NEWUSER) != 0:
        sys.exit(f"unshare: {os.strerror(ctypes.get_errno())}")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
def mount(source, target, kind, flags):
    arguments = [None if one is None else one.encode() for one in (source, target, kind)]
    if libc.mount(*arguments, flags, None) != 0:
        sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
"""


def python() -> str:
    """A Python that everyone may run: root's own may be in root's home."""
    own = Path(sys.executable).resolve()
    found = str(own) if all(parent.stat().st_mode & 0o001 for parent in own.parents) else None
    found = found or shutil.which("python3", path=SYSTEM_PATH)
    assert found is not None
    return found


@contextlib.contextmanager
def mallory(program: str, *arguments: str) -> Iterator[int]:
    """A process of another user's that has said `ready`, and lives until the end of the block: its pid."""
    with subprocess.Popen(
        [python(), "-I", "-c", program, *arguments],
        user=MALLORY,
        group=MALLORY,
        extra_groups=[],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            if process.stdout.readline() != b"ready\n":
                said = process.stderr.read().decode()
                if said.startswith("unshare: "):
                    pytest.skip(f"this machine gives no user namespaces to ordinary users ({said.strip()})")
                pytest.fail(said)
            yield process.pid
        finally:
            process.kill()


def asked(*arguments: str, seconds: float = 20) -> subprocess.CompletedProcess[str]:
    """What root is told by the command, in a process of its own that must end in time."""
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
    )


def first_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    return explained(capsys, *arguments).partition("\n")[0]


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """All that `explain` says, in which a doubt is a note."""
    main(["explain", *arguments])
    return capsys.readouterr().out


def by_lines(process: str, _until: float = 0) -> tuple[UnixSocket, ...]:
    """The sockets of a network namespace as the lines of /proc/net/unix give them: the guard taken out."""
    found = []
    for line in Path(f"/proc/{process}/net/unix").read_text("utf-8", "surrogateescape").splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8:
            state = TCP_LISTEN if int(fields[3], 16) & 0x10000 else TCP_CLOSE
            name = os.fsencode(fields[7])
            found.append(UnixSocket(int(fields[4], 16), state, 0, b"\0" + name[1:] if name[:1] == b"@" else name))
    return tuple(found)
