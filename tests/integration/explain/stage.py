"""A part of this machine to rebuild a reported situation in: mounts, users and groups of its own, and real processes.

It is made by `unshare --mount`, so that all processes are this machine's, which is what `harness explain` looks at;
what is mounted, and what is written below /etc, /home, /run, /srv, /mnt and /tmp, goes with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.helpers.harness_command import answering_here, asked

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
SECONDS = 60.0

USERS = {
    "ali": 1000,
    "bob": 1001,
    "app": 1002,
    "mysql": 110,
    "postgres": 114,
    "nginx": 996,
    "redis": 112,
    "www-data": 33,
}
GROUPS = {"docker": 999, "lxd": 998, "web": 1200}
PASSWD = "root:x:0:0::/root:/bin/sh\n" + "".join(f"{name}:x:{uid}:{uid}::/:/bin/sh\n" for name, uid in USERS.items())
GROUP = "root:x:0:\n" + "".join(f"{name}:x:{gid}:\n" for name, gid in {**USERS, **GROUPS}.items())

SERVER = """
import os, socket, sys, time
arguments = dict(word.split("=", 1) for word in sys.argv[2:])
path = sys.argv[1]
if "name" in arguments:
    open("/proc/self/comm", "w").write(arguments["name"])
os.umask(int(arguments.get("umask", "022"), 8))
kind = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
if "chroot" in arguments:
    os.chroot(arguments["chroot"])
    os.chdir("/")
server = socket.socket(socket.AF_UNIX, kind[arguments.get("type", "stream")])
server.bind("\\0" + path[1:] if path.startswith("@") else path)
if "mode" in arguments:
    os.chmod(path, int(arguments["mode"], 8))
if "group" in arguments:
    import grp
    os.chown(path, -1, grp.getgrnam(arguments["group"]).gr_gid)
if arguments.get("type") != "dgram" and arguments.get("state") != "bound":
    server.listen(int(arguments.get("backlog", "128")))
waiting = [socket.socket(socket.AF_UNIX) for _ in range(int(arguments.get("waiting", "0")))]
for client in waiting:
    client.connect(path)
print("ready", flush=True)
os.close(1)
if arguments.get("state") != "dead":
    time.sleep(600)
"""
"""A server: PATH, then words name=, mode=, group=, umask=, chroot=, type=, backlog=, waiting= (clients) and state=."""

ATTEMPT = """
import errno, socket, sys
operation, path, kind = sys.argv[1:]
one = socket.socket(socket.AF_UNIX, getattr(socket, "SOCK_" + kind.upper()))
one.setblocking(False)
try:
    getattr(one, operation)("\\0" + path[1:] if path.startswith("@") else path)
    print("ok")
except OSError as error:
    print(errno.errorcode[error.errno or errno.EINVAL])
"""
"""The kernel's answer to an operation on a path by a socket of a type."""

FUNCTIONS = """
set -e
serve() {  # serve [as USER] [in COMMAND...] -- PATH WORD...: a server in the background that is ready
    before=
    while [ "$1" != -- ]; do
        if [ "$1" = as ]; then shift; before="$before setpriv --reuid $1 --regid $1 --init-groups"
        else before="$before $1"; fi
        shift
    done
    shift
    mkfifo "$T/ready"
    $before "$PYTHON" -ISc "$SERVER" "$@" >"$T/ready" &
    SERVER_PID=$!
    read line <"$T/ready"
    rm "$T/ready"
}
dead() {  # dead PATH WORD...: what a server leaves behind that has ended
    serve -- "$@" state=dead
    wait $SERVER_PID
}
waiting() {  # waiting COMMAND...: a process that stands where COMMAND puts it; its pid
    "$@" sleep 600 >/dev/null &
    WAITING=$!
    while [ "$(tr '\\0' ' ' </proc/$WAITING/cmdline)" != "sleep 600 " ]; do sleep .02; done
    echo "PID=$WAITING"
}
"""
"""For the shell in which the situations are written. `$T` is a folder of this stage's own."""

PRELUDE = """
set -e
T=$1 PASSWD=$2 GROUP=$3
shift 3
exec 3<"$1" 4<"$2" 5<"$3"
mkdir "$T/etc" "$T/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$T/etc,workdir=$T/work" overlay /etc
rm /etc/passwd /etc/group
printf %s "$PASSWD" >/etc/passwd
printf %s "$GROUP" >/etc/group
for folder in /home /srv /mnt /run; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mount -t tmpfs -o mode=1777 tmpfs /tmp
for descriptor in 3 4 5; do
    if ! [ -e "$1" ]; then
        mkdir -p "$1"
        mount --no-canonicalize --bind /proc/$$/fd/$descriptor "$1"
    fi
    shift
done
exec 3<&- 4<&- 5<&-
# A machine may keep /dev/fuse for root; usually it is everybody's.
if [ -e /dev/fuse ]; then
    mknod -m 666 "$T/fuse" c 10 229
    mount --bind "$T/fuse" /dev/fuse
fi
echo ready
read end
"""
"""What a shell does to its mounts: TEMPORARY PASSWD GROUP, and three directories to be seen; it ends with its input."""


@dataclass
class Stage:
    """A shell in such a part of the machine."""

    shell: subprocess.Popen[str]
    temporary: Path

    def run(self, commands: str) -> str:
        """Run shell commands there; what they print. Fails with what they said if one of them fails."""
        done = self.enter("sh", "-c", FUNCTIONS + commands)
        assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
        return done.stdout

    def entered(self, *command: str) -> list[str]:
        """The words by which a command is started there."""
        return ["nsenter", "--target", str(self.shell.pid), "--mount", "--wd=/", *command]

    def enter(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command there, whatever it ends with."""
        with contextlib.ExitStack() as files:
            out, err = (files.enter_context((self.temporary / name).open("w+")) for name in ("out", "err"))
            ran = subprocess.run(
                self.entered(*command),
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                check=False,
                timeout=SECONDS,
            )
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(command, ran.returncode, out.read(), err.read())

    @property
    def environment(self) -> dict[str, str]:
        """What the commands find set."""
        return {
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": "utf-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SERVER": SERVER,
            "ATTEMPT": ATTEMPT,
            "T": str(self.temporary),
        }

    def explain(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`harness explain` there, by a process that has imported it already and goes there."""
        environment = {**os.environ, **self.environment}
        request = {"stage": self.shell.pid, "environment": environment, "arguments": ["explain", *arguments]}
        done = asked(answering_here(), request)
        return subprocess.CompletedProcess(arguments, done.status, done.stdout, done.stderr)


@contextlib.contextmanager
def staged(*, alone: bool = False) -> Iterator[Stage]:
    """A stage; all that was started in it ends with it. `alone`: no other is there meanwhile, since what is made in
    this one is seen from all.
    """
    with Path(__file__).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        with _staged() as stage:
            yield stage


@contextlib.contextmanager
def _staged() -> Iterator[Stage]:
    temporary = Path(tempfile.mkdtemp(prefix="stage-", dir="/var/tmp"))
    temporary.chmod(0o755)
    arguments = (str(temporary), PASSWD, GROUP, str(ROOT), sys.prefix, sys.base_prefix)
    shell = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", PRELUDE, "sh", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert shell.stdout is not None
    try:
        assert shell.stdout.readline() == "ready\n"
        yield Stage(shell, temporary)
    finally:
        _end(temporary)
        shell.communicate("end\n")
        shutil.rmtree(temporary)


def _end(temporary: Path) -> None:
    """End every process that has this stage's folder in its environment."""
    mark = f"T={temporary}".encode()
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdecimal() and mark in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                os.kill(int(name), signal.SIGKILL)
