"""Root runs `harness explain` and `harness capture` where another user has planted what there is to be seen."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli import sweep
from harness.cli.exit_status import AGREE, DISAGREE, USAGE
from harness.cli.main import main
from harness.engines.host import SYSTEM_PATH
from harness.live import foreign_root, network_namespace, sockets
from harness.live.sock_diag import TCP_CLOSE, TCP_LISTEN, UnixSocket
from harness.live.sockets import FoundSocket, abstract
from harness.report import output_file
from harness.world import World, complete, load

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only Linux's root can start another user's processes"
)

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


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory in which everyone makes and takes away files, under a short path."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="h") as path:
        Path(path).chmod(0o777)
        yield Path(path)


@pytest.fixture
def dead(shared: Path) -> str:
    """A socket file whose server is gone."""
    path = f"{shared}/db"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
    return path


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
            assert abstract(name) == (FoundSocket("stream", "listening"),)
            assert abstract(name[:-2]) == ()


def by_name(path: str) -> FoundSocket:
    """A listener for a file to which the name of any listener leads, as the kernel's lines give it: no guard at all."""
    for one in by_lines("self"):
        with contextlib.suppress(OSError):
            if one.name and one.state == TCP_LISTEN and os.path.samestat(os.stat(one.name), os.stat(path)):
                return FoundSocket("stream", "listening")
    return FoundSocket("stream", "stale")


def test_a_newline_in_a_path_makes_no_listener_of_a_socket_that_was_left_behind(
    shared: Path, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = explained(capsys, dead)
    folder = shared / f"x\n{FORGED}"
    (folder / str(shared)[1:]).mkdir(parents=True)
    (folder / str(shared)[1:]).chmod(0o777)
    assert by_name(dead).state == "stale"
    with mallory(LISTEN, f"{folder}{dead}"):
        assert explained(capsys, dead) == before
        assert by_name(dead).state == "listening"


SAME_NAME = UNSHARE + LISTEN.replace("held = []", "unshare(NEWNS); mount('m', sys.argv.pop(1), 'tmpfs', 0); held = []")


def test_the_same_name_in_a_mount_namespace_of_anothers_is_another_socket(
    shared: Path, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = explained(capsys, dead)
    with mallory(SAME_NAME, str(shared), dead):
        assert explained(capsys, dead) == before
        assert by_name(dead).state == "listening"


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
    how: str, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mallory(IN_A_NETWORK_OF_ITS_OWN, how, str(shared)):
        done = asked("explain", f"{shared}/s")
        assert (done.returncode, done.stdout.partition("\n")[0][-2:]) == (AGREE, "ok")
        assert "note" not in done.stdout
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{shared}/s")


def test_a_network_namespace_that_cannot_be_entered_leaves_the_answer_open(
    shared: Path, dead: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: int) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    with mallory(IN_A_NETWORK_OF_ITS_OWN, "plain", str(shared)):
        monkeypatch.setattr(network_namespace, "_open_socket_in", refused)
        assert main(["explain", dead]) == DISAGREE
        said = capsys.readouterr().out
        assert f": not known at {dead}\n" in said
        assert f"whether anybody listens at {dead} is not known" in said
        assert main(["capture", dead, "-o", f"{shared}/w.toml"]) == DISAGREE
        assert not (shared / "w.toml").exists()


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


CHROOT = (
    UNSHARE
    + r"""
root, secret, what = sys.argv[1:]
import fcntl
os.makedirs(root + "/etc")
group = root + "/etc/group"
if what == "fifo":
    os.mkfifo(group)
elif what == "link":
    os.symlink(secret, group)
elif what == "dots":
    os.symlink("../" * 20 + secret, group)
elif what == "/proc":
    os.mkdir(root + "/proc")
    os.symlink("/proc/self/root" + secret, group)
else:
    with open(group, "w") as file:
        file.write("theirs:x:%d:\n" % gid)
unshare(NEWNS)
if what == "mount":
    mount(secret, group, None, 4096)
elif what == "/proc":
    mount("/proc", root + "/proc", None, 4096 | 16384)
elif what == "lease":
    held = os.open(group, os.O_RDWR)
    fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    import signal; signal.signal(signal.SIGIO, signal.SIG_IGN)
elif what == "endless":
    os.truncate(group, 1 << 40)
os.chroot(root)
print("ready", flush=True)
sys.stdin.read()
"""
)
"""A process whose root directory has something else as its /etc/group."""


@pytest.fixture
def secret() -> Iterator[Path]:
    """A file that root alone may read, in which Mallory's group has a name."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="h") as path:
        Path(path).chmod(0o755)
        file = Path(path, "secret")
        file.write_text(f"secret-of-root:x:{MALLORY}:\n")
        file.chmod(0o600)
        yield file


def plainly(pid: int) -> bytes:
    """The file as anybody would open it: the guard taken out. Raises TimeoutExpired."""
    program = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read(4096))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, f"/proc/{pid}/root/etc/group"], capture_output=True, timeout=3, check=True
    )
    return done.stdout


def group_of_etc(said: str) -> str:
    """The group that /etc has in the drawing."""
    (line,) = [line for line in said.splitlines() if line.endswith("└─ etc")]
    return line.split()[2]


@pytest.fixture(params=["openat2", "walk"])
def opened_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "walk":
        monkeypatch.setattr(foreign_root, "_OPENAT2", 9999)


@pytest.mark.usefixtures("opened_by")
@pytest.mark.parametrize("what", ["link", "dots", "mount", "/proc"])
def test_no_file_of_root_is_read_through_another_root(
    what: str, shared: Path, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with mallory(CHROOT, f"{shared}/root", str(secret), what) as pid:
        assert b"secret-of-root" in plainly(pid)
        main(["explain", "/etc/x", "--pid", str(pid), "--operation", "stat"])
        said = capsys.readouterr().out
        assert "secret-of-root" not in said
        assert group_of_etc(said) == f"gid-{MALLORY}"


@pytest.mark.parametrize("what", ["fifo", "lease", "endless"])
def test_no_file_of_another_root_holds_the_command_up(what: str, shared: Path, secret: Path) -> None:
    with mallory(CHROOT, f"{shared}/root", str(secret), what) as pid:
        began = time.monotonic()
        done = asked("explain", "/etc/x", "--pid", str(pid), "--operation", "stat")
        assert time.monotonic() - began < 10
        assert (done.returncode, done.stderr) == (DISAGREE, "")
        assert group_of_etc(done.stdout) == f"gid-{MALLORY}"
        if what == "endless":
            assert (shared / "root" / "etc" / "group").stat().st_size > 1 << 39
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                plainly(pid)


def test_what_a_root_says_of_its_own_names_is_told(shared: Path, secret: Path) -> None:
    with mallory(CHROOT, f"{shared}/root", str(secret), "file") as pid:
        done = asked("explain", "/etc/x", "--pid", str(pid), "--operation", "stat")
        assert group_of_etc(done.stdout) == "theirs"


PLANT = r"""
import os, sys
what, target, path = sys.argv[1:]
os.umask(0)
if what == "link":
    os.symlink(target, path)
elif what == "fifo":
    os.mkfifo(path, 0o666)
elif what == "file":
    open(path, "w").write("theirs")
elif what == "directory":
    os.symlink(os.path.dirname(target), os.path.dirname(path))
print("ready", flush=True)
sys.stdin.read()
"""
PRECIOUS = "precious\n"


def precious(shared: Path) -> Path:
    """A file of root's that nobody else may write."""
    folder = shared / "own"
    folder.mkdir(mode=0o755)
    file = folder / "w.toml"
    file.write_text(PRECIOUS)
    return file


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("link", "it is a symlink, which is not followed"),
        ("fifo", "what is there is no regular file"),
        ("file", f"what is there belongs to uid {MALLORY}"),
        ("directory", f"a symlink on the way to it is uid {MALLORY}'s, who may lead it anywhere"),
    ],
)
@pytest.mark.parametrize("sticky", [0o777, 0o1777])
def test_nothing_is_captured_into_what_another_user_has_planted(
    what: str, said: str, sticky: int, shared: Path, dead: str
) -> None:
    shared.chmod(sticky)
    target = precious(shared)
    output = shared / "planted" / "w.toml" if what == "directory" else shared / "w.toml"
    with mallory(PLANT, what, str(target), str(output)):
        before = sorted(os.listdir(shared))
        done = asked("capture", dead, "--operation", "stat", "-o", str(output))
        assert (done.returncode, done.stderr) == (USAGE, f"harness: {output} is not written: {said}\n")
        assert (target.read_text(), sorted(os.listdir(shared))) == (PRECIOUS, before)
        if what == "file":
            assert output.read_text() == "theirs"


@pytest.mark.parametrize("what", ["link", "directory"])
def test_without_the_guard_a_capture_is_written_into_roots_own_file(
    what: str, shared: Path, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a directory that is not sticky, where fs.protected_symlinks does nothing."""
    monkeypatch.setattr(output_file, "write_output", lambda file, text: file.write_text(text))
    target = precious(shared)
    output = shared / "planted" / "w.toml" if what == "directory" else shared / "w.toml"
    with mallory(PLANT, what, str(target), str(output)):
        assert main(["capture", dead, "--operation", "stat", "-o", str(output)]) == AGREE
        assert target.read_text() != PRECIOUS


JUNIT = """<testsuites><testsuite name="pytest" time="1"><properties><property name="engine" value="host"/>
<property name="shard" value="1/1"/></properties><testcase classname="a" name="b"/></testsuite></testsuites>"""


@pytest.mark.parametrize("option", ["--html", "--junit"])
def test_no_report_is_written_into_what_another_user_has_planted(
    option: str, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / "part.xml"
    part.write_text(JUNIT)
    target = precious(shared)
    output = shared / "report"
    with mallory(PLANT, "link", str(target), str(output)):
        assert main(["merge", str(part), option, str(output)]) == USAGE
        assert capsys.readouterr().err == f"harness: {output} is not written: it is a symlink, which is not followed\n"
        assert target.read_text() == PRECIOUS
        monkeypatch.setattr(output_file, "write_output", lambda file, text: file.write_text(text))
        assert main(["merge", str(part), option, str(output)]) == AGREE
        assert target.read_text() != PRECIOUS


def test_no_world_of_a_sweep_is_saved_into_what_another_user_has_planted(
    shared: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = precious(shared)
    monkeypatch.chdir(shared)
    with mallory(PLANT, "link", str(target), f"{shared}/disagreement-1.toml"):
        found = sweep.Found(as_json=False)
        for name in ("one", "two"):
            found.add(complete(World(name)), [name])
        out, err = capsys.readouterr()
        assert err == "harness: disagreement-1.toml is not written: it is a symlink, which is not followed\n"
        assert 'name = "one"' in out
        assert "harness run disagreement-2.toml" in out
        assert load(Path("disagreement-2.toml")).name == "two"
        assert target.read_text() == PRECIOUS


MOVES_THE_CURSOR = "\x1b[2J\r\x9b3J\u202e\u2028"


def test_no_name_that_another_user_chose_reaches_the_terminal_as_it_is(
    shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = f"{shared}/{MOVES_THE_CURSOR}"
    plant = (
        "import os, socket, sys; os.umask(0); os.mkdir(sys.argv[1]); s = socket.socket(socket.AF_UNIX); "
        "s.bind(sys.argv[1] + '/s'); s.listen(); os.symlink('s' + sys.argv[1][-1], sys.argv[1] + '/l'); "
        "open('/proc/self/comm', 'w').write(sys.argv[1][-7:]); os.chdir(sys.argv[1]); "
        "print('ready', flush=True); sys.stdin.read()"
    )
    with mallory(plant, folder) as pid:
        commands = [
            ["explain", f"{folder}/s"],
            ["explain", f"{folder}/l"],
            ["explain", f"{folder}/s", "--pid", str(pid)],
            ["explain", f"{folder}/s", "--uid", "7", "--operation", "unlink"],
            ["capture", f"{folder}/s", "-o", f"{shared}/{MOVES_THE_CURSOR}.toml"],
            ["capture", f"{folder}/s", "-o", f"{shared}/{MOVES_THE_CURSOR}/none/x"],
        ]
        for command in commands:
            main(command)
        monkeypatch.setattr(network_namespace, "_open_socket", refuse)
        for command in commands:
            main(command)
        said = "".join(capsys.readouterr())
        assert "\\x1b[2J\\r\\x9b3J\\u202e\\u2028" in said
        assert all(character == "\n" or character.isprintable() for character in said)


def refuse() -> socket.socket:
    raise FileNotFoundError(2, "No such file or directory")


def test_every_byte_of_a_mounts_path_is_its_own(shared: Path) -> None:
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
        [sys.executable, "-I", "-c", program, str(SOURCE), str(shared)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5  # what a reader by `splitlines()` takes for lines


def test_an_output_has_no_more_rights_than_any_file(shared: Path, dead: str) -> None:
    done = asked("capture", dead, "--operation", "stat", "-o", f"{shared}/w.toml")
    assert done.returncode == AGREE, done.stderr
    status = (shared / "w.toml").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode) & 0o022) == (0, 0)
