"""What `harness explain -- COMMAND` costs a command that makes ten thousand connections, and strace beside it; and
what `harness watch` costs every command meanwhile.

Counted is processor time, of the command and of all that follows it, less what it takes to start: on a busy machine a
clock says little. Two stops for each call is what ptrace(2) can do; so many are made by strace too, which is C.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.inside.libc import prctl

if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_CHILD_SUBREAPER = 36
"""linux/prctl.h."""
CONNECTS = 10_000
RUNS = 5
CLIENT = """
import socket, sys
for _ in range(int(sys.argv[2])):
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[1])
    client.close()
"""
SERVER = """
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(4096)
print("ready", flush=True)
while True:
    server.accept()[0].close()
"""
WAYS = {
    "the command alone": (),
    "harness explain --": (sys.executable, "-m", "harness", "explain", "--"),
    "strace -f --seccomp-bpf -e trace=socket,connect": (
        *("strace", "-f", "--seccomp-bpf", "-o", os.devnull),
        *("-e", "trace=socket,connect"),
    ),
    "strace -f": ("strace", "-f", "-o", os.devnull),
}


def seconds(command: list[str]) -> float:
    """Processor time of a command and of all that it leaves behind, counted by a process to which that comes."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        os.write(writing, str(used.ru_utime + used.ru_stime).encode())
        os._exit(0)
    os.close(writing)
    said = os.read(reading, 64)
    os.close(reading)
    os.waitpid(pid, 0)
    return float(said)


def cost(way: tuple[str, ...], path: str) -> float:
    """The median of some runs, less that of those that connect to nobody."""
    client = [*way, sys.executable, "-ISc", CLIENT, path]
    runs = [(seconds([*client, str(CONNECTS)]), seconds([*client, "0"])) for _ in range(RUNS)]
    return statistics.median(connecting - starting for connecting, starting in runs)


@contextlib.contextmanager
def watched(path: str) -> Iterator[bool]:
    """`harness watch` of a path meanwhile; whether this machine lets us."""
    command = [sys.executable, "-m", "harness", "watch", path]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            yield process.stderr.readline().startswith(b"harness: watching ")
        finally:
            process.terminate()


def say(name: str, took: float, alone: float) -> None:
    """A row of the table."""
    print(f"{name:50} {took / CONNECTS * 1e6:6.1f} us a connect {took / alone:5.1f} x")


def main() -> None:
    """Print the table."""
    if sys.platform != "linux":
        sys.exit("ptrace(2) is asked as Linux has it")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "s")
        server = subprocess.Popen([sys.executable, "-c", SERVER, path], stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            alone = None
            for name, way in WAYS.items():
                if way and shutil.which(way[0]) is None:
                    print(f"{name:50} not installed")
                    continue
                took = cost(way, path)
                alone = alone or took
                say(name, took, alone)
            name = "the command alone, while harness watch runs"
            with watched(path) as possible:
                took = cost((), path) if possible else 0.0
            if not possible or alone is None:
                print(f"{name:50} not possible here")
            else:
                say(name, took, alone)
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
