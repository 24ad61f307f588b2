"""A machine in which worlds may do harm: a private mount namespace whose /etc, /usr, /dev and /home are copies.

`python -m tests.hostile.arena ENGINE` takes requests, a line of JSON each, and answers each with what has changed. The
harness is a process of its own (`--harness`), imported from wherever PYTHONPATH leads: it can be one with a wall taken
out, and it can be killed. For docker, whose engine is outside of any such namespace, nothing is a copy, and what can be
reached is looked at as it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PATIENCE = 20.0
"""Seconds until everything that a dead harness has started must be gone."""
PR_SET_CHILD_SUBREAPER = 36
VOLATILE = re.compile(
    r"random/|ns_last_pid|nr$|state$|nr_|load|perf_|sched|numa|/debug|usermodehelper|cpu|tainted|seq|quota"
)
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}


def furnish(private: str) -> None:
    """Put copies over the machine's own directories, in this process's mount namespace, and canaries into them."""

    def mount(*words: str) -> None:
        subprocess.run(["mount", *words], check=True)

    mount("-t", "tmpfs", "arena", private)
    for name in ("upper", "work", "etc"):
        Path(private, name).mkdir()
    subprocess.run(["cp", "-a", "/etc/.", f"{private}/etc"], check=True)
    mount("-t", "overlay", "-o", f"lowerdir=/usr,upperdir={private}/upper,workdir={private}/work", "arena", "/usr")
    mount("--bind", f"{private}/etc", "/etc")
    for path in ("/home", "/usr/local/share", "/dev"):
        mount("-t", "tmpfs", "-o", "mode=0755", "arena", path)
    for name, numbers in DEVICES.items():
        os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(*numbers))
        os.chmod(f"/dev/{name}", 0o666)
    for name in ("fd", "stdin", "stdout", "stderr"):
        os.symlink(
            "/proc/self/fd" + ("" if name == "fd" else f"/{('stdin', 'stdout', 'stderr').index(name)}"), f"/dev/{name}"
        )
    Path("/dev/shm").mkdir(mode=0o1777)
    Path("/dev/pts").mkdir()
    lay("/home", "/usr/local", "/usr/local/share")


def lay(*directories: str) -> None:
    """Put a canary into each, and an empty directory."""
    for directory in directories:
        Path(directory, "canary").write_text("sings\n")
        Path(directory, "canary").chmod(0o644)
        Path(directory, "empty").mkdir(exist_ok=True)


def tree(top: str) -> dict[str, tuple[object, ...]]:
    """Every name below a directory, with mode, owner, size and time; of devices not the time, which use changes."""
    found: dict[str, tuple[object, ...]] = {}
    ahead = [top]
    while ahead:
        here = ahead.pop()
        with contextlib.suppress(OSError), os.scandir(here) as entries:
            for entry in entries:
                if entry.path in {"/dev/pts", "/dev/shm"} or entry.name == "__pycache__":
                    continue
                status = entry.stat(follow_symlinks=False)
                directory = stat.S_ISDIR(status.st_mode)
                times = () if entry.path.startswith("/dev/") or directory else (status.st_mtime_ns, status.st_size)
                found[entry.path] = (oct(status.st_mode), status.st_uid, status.st_gid, *times)
                if directory:
                    ahead.append(entry.path)
    return found


def kernel() -> dict[str, tuple[object, ...]]:
    """Modes of what /proc tells of the machine, and the values of its settings."""
    # A mount that there was before tells what it told before: the modes are asked of a new one.
    command = "mount -t proc proc /mnt && cd /mnt && stat -c '/proc/%n %a %u %g' [!0-9]*"
    said = subprocess.check_output(["unshare", "--mount", "sh", "-c", command], text=True)
    found: dict[str, tuple[object, ...]] = dict.fromkeys(said.splitlines(), ())
    for top in ("fs", "kernel", "vm", "user"):
        for path in Path("/proc/sys", top).rglob("*"):
            if path.is_file() and not VOLATILE.search(str(path)):
                with contextlib.suppress(OSError):
                    found[str(path)] = (oct(path.stat().st_mode), path.read_bytes())
    return found


def mounts() -> dict[str, tuple[object, ...]]:
    """What is mounted here, but for what container engines, and others in /tmp, mount and unmount meanwhile."""
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    foreign = re.compile("/var/lib/(docker|containers)|/run/(docker|containers|netns)|/tmp/(?!h[0-9a-f]{8}/)")
    return {f"mount {words[4]} {words[5]}": () for words in lines if not foreign.match(words[4])}


def descended() -> set[int]:
    """The processes that came of this one; it adopts orphans."""
    parents = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(process.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


class Arena:
    """The machine, and the harness that runs on it."""

    def __init__(self, engine: str, watched: list[str], brought: str) -> None:
        self.engine = engine
        self.watched = watched
        self.brought = brought
        self._harness: subprocess.Popen[str] | None = None
        self.claimed: set[str] = set()

    def snapshot(self) -> dict[str, tuple[object, ...]]:
        """All that must not change."""
        found = {**kernel(), **mounts()}
        for path in self.watched:
            found |= tree(path)
        return found

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have worlds run, and say what that changed."""
        before = self.snapshot()
        kill = request.get("kill")
        if kill is not None:
            self.end()
        done = self._run(request["worlds"], kill)
        if kill is not None:
            self.end()
        done["changed"] = sorted(
            f"{path}: {before.get(path)} -> {after}"
            for path, after in {**dict.fromkeys(before), **self.snapshot()}.items()
            if before.get(path, "nothing") != after
        )
        return done

    def _run(self, worlds: list[str], kill: dict[str, Any] | None) -> dict[str, Any]:
        if self._harness is None:
            command = [sys.executable, "-m", "tests.hostile.arena", "--harness", self.engine, self.brought]
            self._harness = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._harness.stdin is not None
        assert self._harness.stdout is not None
        self._harness.stdin.write(json.dumps(worlds) + "\n")
        self._harness.stdin.flush()
        if kill is None:
            said = self._harness.stdout.readline()
            done: dict[str, Any] = json.loads(said) if said else {"died": self._harness.wait()}
            return done
        time.sleep(kill["after"])  # a random moment is meant
        self._note_claims()
        victims = {"harness": {self._harness.pid}, "agent": descended() - {self._harness.pid}, "both": descended()}
        for pid in victims[kill["who"]]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return {}

    def end(self) -> None:
        """End the harness as anyone does, and wait until all that it started is gone. Raises TimeoutError."""
        if self._harness is not None:
            self._note_claims()
            assert self._harness.stdin is not None
            with contextlib.suppress(OSError):
                self._harness.stdin.close()
            self._harness.wait()
            self._harness = None
        begun = time.monotonic()
        while left := descended():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            if time.monotonic() - begun > PATIENCE:
                said = [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:80] for pid in left]
                raise TimeoutError(f"still there: {said}")
            time.sleep(0.02)  # nobody tells when the kernel has ended them
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _note_claims(self) -> None:
        for file in Path(os.environ["XDG_CACHE_HOME"]).glob("*/claims/*.json"):
            with contextlib.suppress(OSError, ValueError):
                self.claimed.add(json.loads(file.read_text())[1])

    def left(self) -> list[str]:
        """What is left of all that was claimed, once another harness has started and ended."""
        self._run([], None)
        self.end()
        claims = Path(os.environ["XDG_CACHE_HOME"]).glob("*/claims/*.json")
        containers: list[str] = []
        if self.engine == "docker":
            listed = ["docker", "ps", "--all", "--format", '{{.Label "io.github.claude-observatory.harness.claim"}}']
            containers = subprocess.check_output(listed, text=True).split()
        late = [path.name for path in claims if not path.read_text().count("container")]
        return late + [each for each in self.claimed if os.path.lexists(each) or each in containers]


def harness(engine: str, brought: str) -> None:
    """Run worlds as they come, each in the place of the one before."""
    from harness.engines.protocol import PlaceError
    from harness.engines.registry import choose
    from harness.world import WorldError
    from harness.world.toml import loads

    mounts = [] if engine == "host" else [f"{brought}:/opt/brought"]
    place = None
    for line in sys.stdin:
        counts = {"refused": 0, "unbuildable": 0, "run": 0, "ok": 0}
        failures = set()
        for text in json.loads(line):
            try:
                world = loads(text)
            except WorldError:
                counts["refused"] += 1
                continue
            try:
                if place is None:
                    place = choose(engine).open(mounts=mounts)
                place.build(world)
                seen = place.attempt(world.attempts)
            except PlaceError as error:
                counts["unbuildable"] += 1
                failures.add(re.sub(r"/[\w./]+", "PATH", str(error)))
                if "the place has ended" in str(error) or "agent failed" in str(error):
                    if place is not None:
                        place.close()
                    place = None
                continue
            counts["run"] += 1
            counts["ok"] += sum(each.outcome == "ok" for each in seen)
        if place is None:
            place = choose(engine).open(mounts=mounts)
        print(json.dumps({**counts, "failures": sorted(failures)}), flush=True)
    if place is not None:
        place.close()


def main(engine: str, brought: str) -> None:
    """Serve requests until there are no more; the last line says what is left."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    watched = ["/etc", "/usr/local", "/dev", "/home", brought]
    if engine != "docker":
        private = os.environ["ARENA"]
        furnish(private)
        watched.append(f"{private}/upper")
    arena = Arena(engine, watched, brought)
    whole = arena.snapshot() | (tree("/usr") if engine == "docker" else {})
    for line in sys.stdin:
        print(json.dumps(arena.answer(json.loads(line))), flush=True)
    arena.end()
    left = arena.left()
    now = arena.snapshot() | (tree("/usr") if engine == "docker" else {})
    changed = [path for path in now | whole if now.get(path) != whole.get(path)]
    print(json.dumps({"left": left, "changed": changed}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--harness":
        harness(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
