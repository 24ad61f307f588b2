"""A part of this machine to rebuild a reported situation in: mounts, users and groups of its own, and real processes.

It is made by `unshare --mount`, so that all processes are this machine's, which is what `harness explain` looks at; what
is mounted or written below /etc, /home, /run, /srv, /mnt, /var and /tmp goes with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[3]
SECONDS = 60.0

USERS = {"ali": 1000, "bob": 1001, "app": 1002, "mysql": 110, "postgres": 114, "nginx": 996, "redis": 998, "www-data": 33}
GROUPS = {"docker": 999, "web": 1200, "adm": 4}
PASSWD = "root:x:0:0::/root:/bin/sh\n" + "".join(f"{name}:x:{uid}:{uid}::/:/bin/sh\n" for name, uid in USERS.items())
GROUP = "root:x:0:\n" + "".join(f"{name}:x:{gid}:\n" for name, gid in {**USERS, **GROUPS}.items())

SERVER = """
import os, socket, sys, time
arguments = dict(word.split("=", 1) for word in sys.argv[2:])
path = sys.argv[1]
os.umask(int(arguments.get("umask", "022"), 8))
kind = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
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
if arguments.get("state") != "dead":
    time.sleep(600)
"""
"""A server: PATH, then mode=, group=, umask=, type=, backlog=, waiting= (clients that are not accepted), state=."""

CONNECT = """
import errno, os, socket, sys
path, kind = sys.argv[1], sys.argv[2]
client = socket.socket(socket.AF_UNIX, getattr(socket, "SOCK_" + kind.upper()))
client.setblocking(False)
try:
    client.connect("\\0" + path[1:] if path.startswith("@") else path)
    print("ok")
except OSError as error:
    print(errno.errorcode.get(error.errno, "EINVAL") if error.errno else "EINVAL")
"""

FUNCTIONS = """
set -e
serve() {  # serve [as USER] PATH WORD...: a server in the background that is ready
    who=; if [ "$1" = as ]; then who="setpriv --reuid $2 --regid $2 --init-groups"; shift 2; fi
    mkfifo $T/ready; exec 9<>$T/ready
    $ENTER $who "$PYTHON" -c "$SERVER" "$@" >$T/ready 9<&- &
    read line <&9; exec 9<&-; rm $T/ready; SERVER_PID=$!
}
"""
"""For the shell: what the situations are written in. `$T` is a folder of this stage's own, `$D` an empty one on /srv."""

PRELUDE = r"""
import json, os, subprocess, sys
request = json.loads(sys.argv[1])
def mount(*words): subprocess.run(["mount", *words], check=True)
mount("--make-rprivate", "/")
temporary = request["temporary"]
for folder in ("/home", "/srv", "/mnt", "/media", "/tmp", "/run"):
    if os.path.isdir(folder):
        mount("-t", "tmpfs", "-o", "mode=" + ("1777" if folder == "/tmp" else "755"), "tmpfs", folder)
for name in ("passwd", "group"):
    with open(f"{temporary}/{name}", "w") as file:
        file.write(request[name])
    os.chmod(f"{temporary}/{name}", 0o644)
    mount("--bind", f"{temporary}/{name}", f"/etc/{name}")
# A machine may keep /dev/fuse for root; usually it is everybody's.
if os.path.exists("/dev/fuse"):
    os.mknod(f"{temporary}/fuse", 0o666 | 0o020000, os.makedev(10, 229))
    os.chmod(f"{temporary}/fuse", 0o666)
    mount("--bind", f"{temporary}/fuse", "/dev/fuse")
os.environ.update(request["environment"])
os.execvp("sh", ["sh"])
"""


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

    def enter(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command there, whatever it ends with."""
        with contextlib.ExitStack() as files:
            out, err = (files.enter_context((self.temporary / name).open("w+")) for name in ("out", "err"))
            ran = subprocess.run(
                ["nsenter", "--target", str(self.shell.pid), "--mount", "--wd=/", *command],
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
        """What the situations' commands find set."""
        return environment(self.temporary)

    def explain(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`harness explain` there."""
        return self.enter(sys.executable, "-m", "harness", "explain", *arguments)


def environment(temporary: Path) -> dict[str, str]:
    return {
        "PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "SERVER": SERVER,
        "CONNECT": CONNECT,
        "T": str(temporary),
        "TZ": "UTC",
    }


@contextlib.contextmanager
def staged(temporary: Path, groups: Sequence[str] = ()) -> Iterator[Stage]:
    """A stage; `groups` are lines of its /etc/group before its own. All its processes end with it."""
    request = {
        "temporary": str(temporary),
        "passwd": PASSWD,
        "group": GROUP,
        "environment": environment(temporary),
    }
    del groups
    shell = subprocess.Popen(
        ["unshare", "--mount", sys.executable, "-c", PRELUDE, json.dumps(request)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert shell.stdin is not None
    assert shell.stdout is not None
    try:
        shell.stdin.write("echo ready\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == "ready\n"
        yield Stage(shell, temporary)
    finally:
        end(shell)


def end(shell: subprocess.Popen[str]) -> None:
    """End every process that is in the stage's mounts, and the shell."""
    place = os.readlink(f"/proc/{shell.pid}/ns/mnt")
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdecimal() and os.readlink(f"/proc/{name}/ns/mnt") == place:
                os.kill(int(name), signal.SIGKILL)
    shell.communicate()
