"""Failed calls of which the path is not all: arguments, the state of the socket, and where a relative path begins."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.integration.explain.stage import staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.explain.stage import Stage

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="other users and mounts take root on Linux"
)

BEGINNING = """
import array, ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def fails(call, *arguments):
    try:
        result = call(*arguments)
    except OSError:
        return
    if result != -1:
        sys.exit(f"{call} has not failed")
def new(kind=socket.SOCK_STREAM, family=socket.AF_UNIX):
    return socket.socket(family, kind)
def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
"""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


def told(stage: Stage, program: str) -> tuple[list[str], str]:
    """What the first line says of each call that failed, without who made it; and all that was said."""
    done = stage.explain("--", sys.executable, "-ISc", BEGINNING + textwrap.dedent(program))
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("harness: ")]
    return [line.partition(") ")[2] for line in lines], done.stderr


def briefly(lines: list[str]) -> list[str]:
    """Each up to its first comma."""
    return [line.partition(",")[0] for line in lines]


def test_what_the_state_of_its_socket_refuses_is_told_as_that(stage: Stage) -> None:
    stage.run("serve -- /run/s.sock mode=0777; mkdir /run/q; touch /run/file")
    lines, everything = told(
        stage,
        """
        server, sender, datagrams = new(), new(socket.SOCK_DGRAM), new(socket.SOCK_DGRAM)
        server.bind("/run/q/s"); server.listen()
        datagrams.bind("/run/q/d")
        fails(server.bind, "/run/q/other")
        fails(server.connect, "/run/s.sock")
        fails(new().sendto, b"x", "/run/s.sock")
        fails(sender.sendto, b"x", socket.MSG_OOB, "/run/q/d")
        fails(sender.sendto, b"x" * 10_000_000, "/run/q/d")
        descriptors = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [999]))]
        fails(sender.sendmsg, [b"x"], descriptors, 0, "/run/q/d")
        fails(sender.sendmsg, [b"x"], [(socket.SOL_SOCKET, 99, b"x")], 0, "/run/q/d")
        sender.setblocking(False)
        def fill():
            while True:
                sender.sendto(b"x", "/run/q/d")
        fails(fill)
        datagrams.shutdown(socket.SHUT_RD)
        fails(new(socket.SOCK_DGRAM).sendto, b"x", "/run/q/d")
        address = b"\\1\\0/run/s.sock\\0"
        fails(libc.connect, -1, address, len(address))
        fails(libc.connect, os.open("/run/file", os.O_RDONLY), address, len(address))
        fails(libc.connect, os.open("/run/s.sock", os.O_PATH), address, len(address))
        internet, unix = new(family=socket.AF_INET), new()
        fails(libc.connect, internet.fileno(), address, len(address))
        fails(libc.connect, unix.fileno(), address, 2)
        fails(libc.connect, unix.fileno(), address + bytes(200), 120)
        """,
    )
    assert briefly(lines) == [
        "bind /run/q/other: EINVAL: the socket is bound already",
        "connect /run/s.sock: EINVAL: the socket itself listens",
        "sendto /run/s.sock: ENOTSUP: a stream socket sends to whom it is connected to",
        "sendto /run/q/d: ENOTSUP: the message is to be sent out of band (MSG_OOB)",
        "sendto /run/q/d: EMSGSIZE: the message is longer than the socket's buffer",
        "sendmsg /run/q/d: EBADF: the message passes on a descriptor that is not open (SCM_RIGHTS)",
        "sendmsg /run/q/d: EINVAL: what the message has beside its bytes",
        (
            "sendto /run/q/d: EAGAIN: the receiver has not read what was sent before: its queue "
            "(net.unix.max_dgram_qlen) or the sender's buffer (SO_SNDBUF) is full"
        ),
        "sendto /run/q/d: EPIPE: the sender has shut down its writing or the receiver its reading (shutdown(2))",
        "connect /run/s.sock: EBADF: the process has no descriptor -1 open",
        "connect /run/s.sock: ENOTSOCK: descriptor 6 is no socket",
        "connect /run/s.sock: EBADF: descriptor 7 names /run/s.sock and is not open for more than that (O_PATH)",
        "connect /run/s.sock: EINVAL: descriptor 8 is a socket of another family (AF_INET)",
        "connect (no name): EINVAL: the address has neither a path nor an abstract name: there is nothing behind it",
        "connect /run/s.sock: EINVAL: the address of a Unix socket has 110 bytes at most",
    ]
    assert "security module" not in everything
    assert "rwx" not in everything, "no path is drawn"


def test_what_the_flags_of_a_call_refuse_is_told_as_that(stage: Stage) -> None:
    stage.run("serve -- /run/s.sock; dead /run/t.sock; ln -s s.sock /run/link")
    lines, everything = told(
        stage,
        """
        folder = os.open("/run", os.O_RDONLY)
        fails(libc.unlinkat, folder, b"s.sock", 0x200)
        fails(libc.renameat2, folder, b"s.sock", folder, b"t.sock", 1)
        fails(libc.renameat2, folder, b"s.sock", folder, b"gone", 2)
        fails(libc.renameat2, folder, b"s.sock", folder, b"gone", 3)
        fails(libc.fchownat, folder, b"s.sock", 0, 0, 0x40000000)
        """,
    )
    assert briefly(lines) == [
        "unlinkat s.sock (in /run): ENOTDIR: with AT_REMOVEDIR it is a directory that is to be removed",
        "renameat2 s.sock -> t.sock (in /run): EEXIST: t.sock is there already",
        (
            "renameat2 s.sock -> gone (in /run): ENOENT: there is no gone that s.sock could be exchanged "
            "with (RENAME_EXCHANGE)"
        ),
        "renameat2 s.sock -> gone (in /run): EINVAL: these flags together are not taken by renameat2",
        "fchownat s.sock (in /run): EINVAL: fchownat has no such flags: 0x40000000",
    ]
    assert "security module" not in everything
    assert "rwx" not in everything, "no path is drawn"


def test_a_change_of_owner_is_judged_as_one_and_of_a_symlink_itself_by_its_name(stage: Stage) -> None:
    """The harness's own filter is nobody's: every layer was looked at."""
    stage.run("serve -- /run/s.sock mode=0777; ln -s s.sock /run/link")
    lines, everything = told(
        stage,
        """
        become(1000)
        fails(os.chown, "/run/link", 1000, 1000)
        fails(os.lchown, "/run/link", 1000, 1000)
        """,
    )
    assert briefly(lines) == [
        "chown /run/link: EPERM: /run/s.sock belongs to uid 0: an owner may give it to a group that the owner is in",
        "lchown /run/link: EPERM: only who has CAP_CHOWN may give the symlink /run/link to another user",
    ]
    assert "chown ali:ali /run/link: EPERM at /run/s.sock\n" in everything
    assert "not looked at" not in everything


def test_a_relative_path_that_begins_with_an_at_sign_is_no_abstract_name(stage: Stage) -> None:
    stage.run("mkdir /run/d; cd /run/d; serve -- ./@s mode=0700")
    lines, _ = told(
        stage,
        """
        os.chdir("/run/d")
        become(1000)
        fails(new().connect, "@s")
        fails(new().connect, "@none")
        fails(os.unlink, "@s")
        """,
    )
    assert lines == [
        "connect ./@s (in /run/d): EACCES: ali lacks w on /run/d/@s",
        "connect ./@none (in /run/d): ENOENT: There is nothing named @none in /run/d",
        "unlink ./@s (in /run/d): EACCES: ali lacks w on /run/d",
    ]


def test_a_root_directory_is_drawn_as_it_is(stage: Stage) -> None:
    """It may be anybody's, and of any mode; that of an image often is what its archive said."""
    stage.run("mkdir -p /srv/a/run; serve -- /srv/a/run/s.sock mode=0777; chown 1500:1501 /srv/a; chmod 0750 /srv/a")
    lines, everything = told(
        stage,
        """
        os.chroot("/srv/a")
        os.chdir("/")
        become(1000)
        fails(new().connect, "/run/s.sock")
        """,
    )
    assert lines == ["connect /run/s.sock: EACCES: uid-1000 lacks x on /"]
    assert re.search(r"^  > drwxr-x---  1500 1501  /  <- EACCES", everything, re.MULTILINE), everything


def test_below_a_root_directory_of_its_own_a_relative_path_begins_where_the_process_says(stage: Stage) -> None:
    stage.run("mkdir -p /srv/a/run /srv/ab; serve -- /srv/a/run/s.sock mode=0700; dead /srv/ab/stale")
    lines, everything = told(
        stage,
        """
        outside = os.open("/srv/ab", os.O_RDONLY)
        os.chroot("/srv/a")
        os.chdir("/run")
        folder = os.open(".", os.O_RDONLY)
        become(1000)
        fails(os.unlink, "s.sock")
        fails(lambda: os.chmod("s.sock", 0, dir_fd=folder))
        fails(new().connect, "../run/s.sock")
        os.fchdir(outside)
        fails(new().connect, "stale")
        """,
    )
    outside = "(unreachable)/srv/ab"
    assert lines == [
        "unlink s.sock (in /run): EACCES: uid-1000 lacks w on /run",
        (
            "fchmodat s.sock (in /run): EPERM: /run/s.sock belongs to uid 0; only its owner and CAP_FOWNER may change "
            "its mode"
        ),
        "connect ../run/s.sock (in /run): EACCES: uid-1000 lacks w on /run/s.sock",
        (
            f"connect stale (in {outside}): EACCES: the directory at which the path begins is outside of the process's "
            f"root directory ({outside})"
        ),
    ]
    table = everything[everything.index("\npath ") :]
    assert [line.split()[0] for line in table.splitlines()[2:]] == [
        "/run/s.sock",
        "/run/s.sock",
        "/run/../run/s.sock",
        "(unreachable)/srv/ab/stale",
    ]


def test_a_working_directory_that_its_name_does_not_lead_to_is_not_judged_by_what_is_there_instead(
    stage: Stage,
) -> None:
    stage.run("mkdir /srv/d /srv/gone; serve -- /srv/d/s.sock mode=0700")
    lines, _ = told(
        stage,
        """
        libc.unshare(0x20000)
        os.chdir("/srv/d")
        libc.mount(b"none", b"/srv/d", b"tmpfs", 0, None)
        fails(new().connect, "none")
        os.chdir("/srv/gone")
        os.rmdir("/srv/gone")
        fails(new().connect, "none")
        """,
    )
    lost = "since it was removed, replaced or mounted upon, so what is in it is not known"
    where = "the directory at which the path begins is not to be found by its name"
    assert lines == [
        f"connect none (in /srv/d): ENOENT: {where} (/srv/d), {lost}",
        f"connect none (in /srv/gone (deleted)): ENOENT: {where} (/srv/gone (deleted)), {lost}",
    ]


def test_a_reason_counts_for_no_failure_of_another_kind_place_or_time(stage: Stage) -> None:
    """All within a second: a directory that is opened meanwhile, another root directory, other groups."""
    stage.run(
        "mkdir -m 700 /srv/d; mkdir -p /srv/a/run /srv/b; serve -- /srv/d/s.sock mode=0700\n"
        "mkdir /srv/web; chgrp web /srv/web; chmod 750 /srv/web; serve -- /srv/web/s.sock mode=0700"
    )
    lines, everything = told(
        stage,
        """
        def apart(uid, path, root="/"):
            if os.fork() == 0:
                os.chroot(root)
                os.chdir("/")
                become(uid)
                fails(new().connect, path)
                os._exit(0)
            os.wait()
        apart(1000, "/srv/d/s.sock")
        os.chmod("/srv/d", 0o755)
        apart(1000, "/srv/d/s.sock")
        apart(1000, "/srv/d/s.sock")
        apart(0, "/run/none", "/srv/a")
        apart(0, "/run/none", "/srv/b")
        def become(uid):
            os.setgroups(groups)
            os.setresuid(uid, uid, uid)
        groups = []
        apart(1000, "/srv/web/s.sock")
        groups = [1200]
        apart(1000, "/srv/web/s.sock")
        """,
    )
    assert lines == [
        "connect /srv/d/s.sock: EACCES: ali lacks x on /srv/d",
        "connect /srv/d/s.sock: EACCES: ali lacks w on /srv/d/s.sock",
        "connect /run/none: ENOENT: There is nothing named none in /run",
        "connect /run/none: ENOENT: There is nothing named run in /",
        "connect /srv/web/s.sock: EACCES: ali lacks x on /srv/web",
        "connect /srv/web/s.sock: EACCES: ali lacks w on /srv/web/s.sock",
    ]
    assert [line.split()[4] for line in everything[everything.index("\npath ") :].splitlines()[2:]] == list("121111")


def test_a_proc_of_another_pid_namespace_is_read_by_its_numbers(stage: Stage) -> None:
    """Its process 1 is the one that asks, and not this machine's first."""
    stage.run("mkdir /run/d; serve -- /run/d/s mode=0700")
    lines, _ = told(
        stage,
        """
        libc.unshare(0x20020000)
        libc.mount(b"none", b"/", None, 0x44000, None)
        if os.fork() == 0:
            libc.mount(b"proc", b"/proc", b"proc", 0, None)
            os.chdir("/run/d")
            become(1000)
            fails(new().connect, "/proc/self/cwd/s")
            fails(new().connect, "/proc/1/cwd/s")
            fails(new().connect, "/proc/thread-self/cwd/none")
            os._exit(0)
        os.wait()
        """,
    )
    assert lines == [
        "connect /proc/self/cwd/s: EACCES: ali lacks w on /proc/1/cwd/s",
        "connect /proc/1/cwd/s: EACCES: ali lacks w on /proc/1/cwd/s",
        "connect /proc/thread-self/cwd/none: ENOENT: There is nothing named none in /proc/1/task/1/cwd",
    ]


def test_the_open_files_of_a_process_are_open_to_itself_though_it_may_not_be_dumped(stage: Stage) -> None:
    stage.run("mkdir /run/d; serve -- /run/d/s mode=0700")
    lines, _ = told(
        stage,
        """
        folder = os.open("/run/d", os.O_RDONLY)
        become(1000)
        if os.path.exists(f"/proc/{os.getppid()}/fd/0"):
            sys.exit("this process has not lost what it needs for that")
        fails(new().connect, f"/proc/self/fd/{folder}/s")
        """,
    )
    assert [re.sub(r"/proc/\d+/", "/proc/PID/", line) for line in lines] == [
        "connect /proc/self/fd/3/s: EACCES: ali lacks w on /proc/PID/fd/3/s"
    ]


def test_in_a_thread_self_is_its_process_and_thread_self_the_thread(stage: Stage) -> None:
    """The thread has a working directory of its own."""
    stage.run("mkdir /run/d; serve -- /run/d/s mode=0700")
    lines, _ = told(
        stage,
        """
        import threading
        def apart():
            libc.unshare(0x200)
            os.chdir("/run/d")
            fails(new().connect, "/proc/self/cwd/s")
            fails(new().connect, "/proc/thread-self/cwd/s")
        os.chdir("/srv")
        become(1000)
        thread = threading.Thread(target=apart)
        thread.start()
        thread.join()
        """,
    )
    assert [re.sub(r"\d\d+", "N", line) for line in lines] == [
        "connect /proc/self/cwd/s: ENOENT: There is nothing named s in /proc/N/cwd",
        "connect /proc/thread-self/cwd/s: EACCES: ali lacks w on /proc/N/task/N/cwd/s",
    ]
