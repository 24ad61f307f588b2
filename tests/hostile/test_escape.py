"""Worlds that want out of their place change nothing of the machine, and nothing stays when all is killed.

By default 225 worlds are drawn. HARNESS_ESCAPES, a factor, asks for more: with 20, 2,000 in namespace and in docker and
500 in host. Worlds run in an arena (`tests.hostile.arena`), where escapes would meet copies. Beside that each wall is
taken out of a copy of the harness, and lets something out.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.engines.protocol import PlaceError
from harness.engines.registry import engine as engine_named
from tests.hostile.arena import lay
from tests.hostile.wild_worlds import BROUGHT, wild_world, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]
FACTOR = int(os.environ.get("HARNESS_ESCAPES", "1"))
BATCH = 20
"""Worlds between two looks at the machine."""
WORLDS = {"namespace": 100, "docker": 100, "host": 25}
"""How many worlds are drawn in each engine, times the factor."""
TAME = """
name = "tame"
[users.u]
uid = 1500
[[attempts]]
user = "u"
operation = "stat"
path = "/tmp"
"""
"""The first of each batch: where it is not tried, those that are drawn are not either."""
MEANINGLESS = TAME.replace('user = "u"', 'user = "nobody"')
"""The second: no world, since its attempt is of a user that it does not have."""

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces are Linux's"),
    pytest.mark.timeout(300 + 120 * FACTOR),
]


class Contest:
    """A running arena."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.counts: dict[str, int] = {}

    def ask(self, worlds: Sequence[str], kill: dict[str, Any] | None = None) -> list[str]:
        """Have worlds run; what changed on the machine."""
        assert self._process.stdin is not None
        print(json.dumps({"worlds": worlds, "kill": kill}), file=self._process.stdin, flush=True)
        done = self._answer()
        assert "died" not in done, "the harness has ended"
        for name, count in done.items():
            if isinstance(count, int):
                self.counts[name] = self.counts.get(name, 0) + count
        self.counts["worlds"] = self.counts.get("worlds", 0) + len(worlds)
        changed: list[str] = done["changed"]
        return changed

    def end(self) -> dict[str, list[str]]:
        """What is left, and what changed from the beginning to the end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the arena has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def arena(engine: str, source: Path = ROOT, *, alone: bool = False) -> Iterator[Contest]:
    """An arena on which a harness from this directory runs; `alone`: while there is no other on this machine."""
    lock = Path(tempfile.gettempdir(), "harness-arena.lock")
    with tempfile.TemporaryDirectory(prefix="arena") as folder, lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        for name in ("private", "cache", "brought", "brought/below"):
            Path(folder, name).mkdir()
        Path(folder).chmod(0o755)
        # Seen by a container engine, which is outside of any mount namespace made here.
        subprocess.run(["mount", "-t", "tmpfs", "below", f"{folder}/brought/below"], check=True)
        lay(f"{folder}/brought", f"{folder}/brought/below")
        environment = {
            **os.environ,
            "ARENA": f"{folder}/private",
            "XDG_CACHE_HOME": f"{folder}/cache",
            "HARNESS_THROWAWAY": "1",
            "PYTHONPATH": f"{source}:{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        words = [sys.executable, "-m", "tests.hostile.arena", engine, f"{folder}/brought"]
        if engine != "docker":
            words = ["unshare", "--mount", "--propagation", "private", *words]
        try:
            with subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=source
            ) as process:
                try:
                    yield Contest(process)
                finally:
                    process.kill()
        finally:
            subprocess.run(["umount", "--lazy", f"{folder}/brought/below"], check=True)


def needed(engine: str) -> None:
    """Skip without this engine, with its own sentence."""
    try:
        reason = engine_named(engine).available()
    except PlaceError as error:
        reason = str(error)
    if reason is not None and "--throwaway" not in reason:
        pytest.skip(reason)


kills = st.builds(
    lambda who, after: None if who is None else {"who": who, "after": after},
    st.sampled_from([None] * 9 + ["harness", "agent", "both"]),
    st.floats(0, 1.5),
)
"""Who is killed with SIGKILL, and after how many seconds, in one batch of four."""


@pytest.mark.parametrize("where", ["namespace", "docker", "host"])
def test_worlds_that_want_out_change_nothing(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    needed(where)
    with arena(where) as contest:

        @settings(
            max_examples=-(-WORLDS[where] * FACTOR // BATCH),
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        )
        @given(st.lists(wild_world(), min_size=BATCH, max_size=BATCH), kills)
        def changes_nothing(worlds: list[str], kill: dict[str, Any] | None) -> None:
            assert contest.ask([TAME, MEANINGLESS, *worlds], kill) == [], "\n".join(worlds)

        changes_nothing()
        assert contest.ask([TAME, MEANINGLESS]) == []  # of a batch in which somebody is killed nothing is counted
        assert contest.end() == {"left": [], "changed": []}
    with capsys.disabled():
        print(f"\n{where}: {contest.counts}")
    assert contest.counts["run"] > 0
    assert contest.counts["ok"] > 0
    assert contest.counts["refused"] > 0


# Each wall, taken out

Wall = tuple[tuple[str, str, str], ...]
"""Files of the harness, each with a text in it and what stands there without the wall."""

SOURCE: Wall = (
    (
        "harness/world/placement.py",
        'if any(no_node_path(node.source or "")) or not tree.has_made(source[1]):',
        'if any(no_node_path(node.source or "")) or source[1] not in tree.kinds:',
    ),
)
AGENT: Wall = (("harness/inside/agent/world.py", "            self._expect_own(path, source)\n", "            pass\n"),)
FLAGS: Wall = (
    (
        "harness/inside/agent/mounts.py",
        "    attributes = struct.pack",
        "    if not recursive:\n        return mount(None, path, None, 4128 | wanted)\n    attributes = struct.pack",
    ),
)
LOCK: Wall = (
    ("harness/inside/agent/entrance.py", "unshare(CLONE_NEWUSER | CLONE_NEWPID", "unshare(CLONE_NEWPID"),
    ("harness/inside/agent/entrance.py", "    how = DONE\n", "    how = WITHOUT\n"),
)
BELOW: Wall = (
    ("harness/inside/agent/entrance.py", "restrict(path, MS_RDONLY, recursive=True)", "restrict(path, MS_RDONLY)"),
    ("harness/inside/agent/main.py", "restrict(path, libc.MS_RDONLY, recursive=True)", "restrict(path, 1)"),
)
DEVICE: Wall = (
    (
        "harness/inside/agent/furniture.py",
        "        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(*DEVICES[name]))\n",
        "        open(path, 'x').close()\n        return mount(f'/dev/{name}', path, None, MS_BIND)\n",
    ),
)
PROC: Wall = (("harness/inside/agent/mounts.py", 'if os.stat("/proc/version").st_uid != 0:', "if True:"),)
MOUNTS: Wall = (("harness/inside/agent/main.py", "        _leave_mounts()\n", ""),)
CLEARING: Wall = (("harness/engines/leftovers.py", "    clear_directories()\n", ""),)


def without(folder: Path, *walls: Wall) -> Path:
    """A copy of the harness without these walls."""
    for name in ("harness", "containers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file, was, becomes in (change for wall in walls for change in wall):
        path = folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(was) == 1, (file, was)
        path.write_text(text.replace(was, becomes), encoding="utf-8")
    return folder


def escape(parent: str) -> str:
    """The world of the report: a tmpfs makes its parents known, and a bind of one of them loses `ro` by `nodev`."""
    return written(
        "escape",
        [
            {"path": f"{parent}/empty", "kind": "mount", "fs": "tmpfs"},
            {"path": "/mnt/u", "kind": "mount", "fs": "bind", "options": [f"from={parent}", "nodev"]},
        ],
        [{"user": "root", "operation": "unlink", "path": "/mnt/u/canary"}],
    )


WALLS = {
    "namespace": {"source": SOURCE, "agent": AGENT, "flags": FLAGS, "lock": LOCK},
    "docker": {"source": SOURCE, "agent": AGENT, "flags": FLAGS},
}


@pytest.mark.parametrize(
    ("where", "standing"), [(engine, wall) for engine, walls in WALLS.items() for wall in (*walls, None)]
)
def test_each_wall_around_what_is_brought_in_holds_alone(where: str, standing: str | None, tmp_path: Path) -> None:
    """Without any of them the reported world deletes a file outside; with one of them, whichever, it does not."""
    needed(where)
    taken = [wall for name, wall in WALLS[where].items() if name != standing]
    with arena(where, without(tmp_path, *taken)) as contest:
        changed = contest.ask([escape("/usr/local" if where == "namespace" else BROUGHT)])
        gone = [line for line in changed if "/canary: " in line and line.endswith("-> None")]
        assert bool(gone) == (standing is None), changed
        assert (changed == []) == (standing is not None)


def one(operation: str, path: str, **more: str) -> str:
    """A world in which root tries one thing."""
    return written("one", [], [{"user": "root", "operation": operation, "path": path, **more}])


MOUNTED = written("mounted", [{"path": "/srv/m", "kind": "mount", "fs": "tmpfs"}], [])
SINGLE = {
    "below-usr": ("namespace", BELOW, one("unlink", "/usr/local/share/canary"), "/usr/local/share/canary: "),
    "below-mount": ("namespace", BELOW, one("unlink", f"{BROUGHT}/below/canary"), "/brought/below/canary: "),
    "below-mount-docker": ("docker", BELOW, one("unlink", f"{BROUGHT}/below/canary"), "/brought/below/canary: "),
    "device": ("namespace", DEVICE, one("chmod", "/dev/zero", mode="0600"), "/dev/zero: "),
    "proc": ("namespace", PROC, one("chmod", "/proc/execdomains", mode="0400"), "/proc/execdomains "),
    "proc-docker": ("docker", PROC, one("chmod", "/proc/execdomains", mode="0400"), "/proc/execdomains "),
    "mount-namespace": ("host", MOUNTS, MOUNTED, "/srv/m "),
}


@pytest.mark.parametrize(("where", "wall", "world", "seen"), SINGLE.values(), ids=SINGLE)
def test_without_a_wall_something_gets_out(where: str, wall: Wall, world: str, seen: str, tmp_path: Path) -> None:
    needed(where)
    with arena(where) as contest:
        assert contest.ask([world]) == []
        assert contest.counts["run"] == 1
    try:
        with arena(where, without(tmp_path, wall), alone=wall is PROC) as contest:
            changed = contest.ask([world])
            assert [line for line in changed if seen in line] == changed != []
    finally:
        Path("/proc/execdomains").chmod(0o444)  # the one thing here that no arena has a copy of


@pytest.mark.parametrize("cleared", [True, False])
def test_a_directory_that_two_killed_processes_left_goes_with_the_next_start(cleared: bool, tmp_path: Path) -> None:
    needed("host")
    with arena("host", without(tmp_path, *(() if cleared else (CLEARING,)))) as contest:
        contest.ask([MOUNTED])
        assert contest.ask([MOUNTED], {"who": "both", "after": 1.5}) == []
        left = contest.end()["left"]
        for each in left:
            if each.startswith("/tmp/h"):
                shutil.rmtree(each)
    assert (left == []) == cleared
