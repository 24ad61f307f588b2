"""Root asks the harness who listens, where another user chose the names of sockets and mounts."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli.exit_status import AGREE, DISAGREE
from harness.cli.main import main
from harness.inside.sock_diag import TCP_LISTEN
from harness.live import network_namespace, sockets
from harness.live.sockets import FoundSocket, abstract
from tests.hostile.harness_as_root import (
    FORGED,
    LISTEN,
    MALLORY,
    SOURCE,
    UNSHARE,
    asked,
    by_lines,
    explained,
    first_line,
    mallory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def own_network() -> Iterator[None]:
    """A network namespace of this test's own: `by_lines` is to meet no name that another test has forged."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = network_namespace.open_namespace("thread-self")
    try:
        if libc.unshare(network_namespace.CLONE_NEWNET) != 0:
            pytest.skip(f"no network namespace of its own: {os.strerror(ctypes.get_errno())}")
        yield
        assert libc.setns(before, network_namespace.CLONE_NEWNET) == 0
    finally:
        os.close(before)


def test_no_other_test_s_names_are_met() -> None:
    assert by_lines("thread-self") == ()


def test_a_newline_in_an_abstract_name_makes_no_listener(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = f"@victim-{os.getpid()}"
    with mallory(LISTEN, f"@x\n{FORGED}{victim}"):
        assert first_line(capsys, victim).endswith(f"connect {victim}: ECONNREFUSED at {victim}")
        monkeypatch.setattr(sockets, "_of_process", by_lines)
        assert first_line(capsys, victim).endswith(f"connect {victim}: ok")


def test_no_name_ends_the_command_with_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with mallory(LISTEN, "@x\na b c zz zz zz zz zz"):
        done = asked("explain", "@nobody")
        assert (done.returncode, done.stderr) == (DISAGREE, "")
        monkeypatch.setattr(sockets, "_of_process", by_lines)
        with pytest.raises(ValueError, match="invalid literal"):
            main(["explain", "@nobody"])


def test_every_byte_of_an_abstract_name_is_its_own() -> None:
    names = [f"@{os.getpid()}-{os.fsdecode(bytes([byte]))}-" for byte in range(1, 256)]
    with mallory(LISTEN, *names):
        for name in names:
            (found,) = abstract(name)
            assert (found.type, found.state, found.uid) == ("stream", "listening", MALLORY)
            assert found.name == "\0" + name[1:]
            assert abstract(name[:-2]) == ()


def by_name(path: str) -> FoundSocket:
    """A listener for a file to which the name of any listener leads, as the kernel's lines give it: no guard at all."""
    for one in by_lines("self"):
        with contextlib.suppress(OSError):
            if one.name and one.state == TCP_LISTEN and os.path.samestat(os.stat(one.name), os.stat(path)):
                return FoundSocket("stream", "listening")
    return FoundSocket("stream", "stale")


def test_a_newline_in_a_path_makes_no_listener_of_a_socket_that_was_left_behind(
    open_directory: Path, dead_socket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = explained(capsys, dead_socket)
    folder = open_directory / f"x\n{FORGED}"
    (folder / str(open_directory)[1:]).mkdir(parents=True)
    (folder / str(open_directory)[1:]).chmod(0o777)
    assert by_name(dead_socket).state == "stale"
    with mallory(LISTEN, f"{folder}{dead_socket}"):
        assert explained(capsys, dead_socket) == before
        assert by_name(dead_socket).state == "listening"


SAME_NAME = UNSHARE + LISTEN.replace("held = []", "unshare(NEWNS); mount('m', sys.argv.pop(1), 'tmpfs', 0); held = []")


def test_the_same_name_in_a_mount_namespace_of_anothers_is_another_socket(
    open_directory: Path, dead_socket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = explained(capsys, dead_socket)
    with mallory(SAME_NAME, str(open_directory), dead_socket) as pid:
        program = Path(f"/proc/{pid}/comm").read_text().strip()
        note = (
            f"  note   process {pid} ({program}) listens on a socket that it calls {dead_socket}, in mounts or a root"
        )
        said = explained(capsys, dead_socket).splitlines(keepends=True)
        assert len([line for line in said if line.startswith(note)]) == 1
        assert "".join(line for line in said if not line.startswith(note)) == before
        assert by_name(dead_socket).state == "listening"


IN_A_NETWORK_OF_ITS_OWN = (
    UNSHARE
    + r"""
import socket
how, folder = sys.argv[1:]
unshare(NEWNET)
os.chdir(folder)
server = socket.socket(socket.AF_UNIX)
server.bind({"relative": "s", "plain": folder + "/s"}.get(how, folder + "/t"))
if how == "renamed":
    os.rename("t", "s")
elif how == "linked":
    os.link("t", "s")
    os.unlink("t")
server.listen()
print("ready", flush=True)
sys.stdin.read()
"""
)


@pytest.mark.parametrize("how", ["plain", "relative", "renamed", "linked"])
def test_a_listener_in_another_network_namespace_is_found_by_its_file(
    how: str, open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mallory(IN_A_NETWORK_OF_ITS_OWN, how, str(open_directory)):
        done = asked("explain", f"{open_directory}/s")
        assert (done.returncode, done.stdout.partition("\n")[0][-2:]) == (AGREE, "ok")
        assert "note" not in done.stdout
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{open_directory}/s")


def test_a_network_namespace_that_cannot_be_entered_leaves_the_answer_open_for_its_sockets_alone(
    open_directory: Path, dead_socket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: int) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    theirs = f"{open_directory}/s"
    before = explained(capsys, dead_socket)
    with mallory(IN_A_NETWORK_OF_ITS_OWN, "plain", str(open_directory)):
        monkeypatch.setattr(network_namespace, "_open_socket_in", refused)
        assert explained(capsys, dead_socket) == before
        assert main(["explain", theirs]) == DISAGREE
        said = capsys.readouterr().out
        assert f": not known at {theirs}\n" in said
        assert f"whether anybody listens at {theirs} is not known" in said
        assert main(["capture", theirs, "-o", f"{open_directory}/w.toml"]) == DISAGREE
        assert not (open_directory / "w.toml").exists()


FORGED_ANSWER = (
    UNSHARE
    + r"""
import socket, struct
sys.path.insert(0, sys.argv[1])
unshare(NEWNET)
asking, forging = (socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) for _ in range(2))
asking.bind((0, 0))
name = b"\0forged"
body = struct.pack("=BBBBIII", 1, 1, 10, 0, 1, 0, 0) + struct.pack("=HH", 4 + len(name), 0) + name + b"\0"
forging.sendto(struct.pack("=IHHII", 16 + len(body), 20, 2, 1, 0) + body, asking.getsockname())
there = asking.recvmsg(65536, 0, socket.MSG_PEEK)
assert there[0].rstrip(b"\0").endswith(b"forged") and there[3][0] != 0, there
import time
from harness.live.network_namespace import _dump
print([one.name for one in _dump(asking, time.monotonic() + 10)])
"""
)


def test_who_owns_a_network_namespace_answers_nothing_in_the_kernels_place() -> None:
    """With CAP_NET_ADMIN there one may write to others' netlink sockets; the control is in the program."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", FORGED_ANSWER, str(SOURCE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_every_byte_of_a_mounts_path_is_its_own(open_directory: Path) -> None:
    """Root's own mounts, in a namespace that ends with the program: no name there makes another mount read-only."""
    program = UNSHARE + (
        "sys.path.insert(0, sys.argv[1]); unshare(NEWNS)\n"
        "names = [bytes([byte]) for byte in range(1, 256) if byte != 0x2f]\n"
        "names += [b'\\r1 1 0:1 \\\\040 \\\\040 ro - tmpfs x ro', '\\x85\\u2028'.encode()]\n"
        "paths = [os.fsencode(sys.argv[2]) + b'/m' + name for name in names]\n"
        "for path in paths:\n"
        "    os.mkdir(path); assert libc.mount(b'm', path, b'tmpfs', 0, None) == 0\n"
        "from harness.live.mounts import read_mounts\n"
        "told = [mount for mount in read_mounts() if mount.path.startswith(sys.argv[2] + '/m')]\n"
        "assert [os.fsencode(mount.path) for mount in told] == paths, told\n"
        "assert not any(mount.options for mount in told)\n"
        "lines = open('/proc/self/mountinfo', encoding='utf-8', errors='surrogateescape').read().splitlines()\n"
        "print(len(lines) - len(read_mounts()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(SOURCE), str(open_directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5  # what a reader by `splitlines()` takes for lines
