"""Root's harness looks into the root directory of another user's process, in which anything may stand."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli.exit_status import DISAGREE
from harness.cli.main import main
from harness.live import foreign_root
from tests.hostile.harness_as_root import (
    MALLORY,
    UNSHARE,
    asked,
    mallory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    what: str, open_directory: Path, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with mallory(CHROOT, f"{open_directory}/root", str(secret), what) as pid:
        assert b"secret-of-root" in plainly(pid)
        main(["explain", "/etc/x", "--pid", str(pid), "--operation", "stat"])
        said = capsys.readouterr().out
        assert "secret-of-root" not in said
        assert group_of_etc(said) == f"gid-{MALLORY}"


@pytest.mark.parametrize("what", ["fifo", "lease", "endless"])
def test_no_file_of_another_root_holds_the_command_up(what: str, open_directory: Path, secret: Path) -> None:
    with mallory(CHROOT, f"{open_directory}/root", str(secret), what) as pid:
        began = time.monotonic()
        done = asked("explain", "/etc/x", "--pid", str(pid), "--operation", "stat")
        assert time.monotonic() - began < 10
        assert (done.returncode, done.stderr) == (DISAGREE, "")
        assert group_of_etc(done.stdout) == f"gid-{MALLORY}"
        if what == "endless":
            assert (open_directory / "root" / "etc" / "group").stat().st_size > 1 << 39
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                plainly(pid)


def test_what_a_root_says_of_its_own_names_is_told(open_directory: Path, secret: Path) -> None:
    with mallory(CHROOT, f"{open_directory}/root", str(secret), "file") as pid:
        done = asked("explain", "/etc/x", "--pid", str(pid), "--operation", "stat")
        assert group_of_etc(done.stdout) == "theirs"
