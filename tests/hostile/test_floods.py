"""A stranger floods the server in every way that there is; another user's hooks get through, and soon.

`OBSERVATORY_FLOOD` is for how many seconds each flood lasts; `nox -s hostile` says ten.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from observatory.hooks.command import CONNECT_SECONDS, TOTAL_SECONDS
from tests.hostile.flooder import FLOODER
from tests.hostile.guards import Guard, without
from tests.hostile.stranger import PATH, keeps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helpers.observatory_server import ObservatoryServer

SECONDS = float(os.environ.get("OBSERVATORY_FLOOD", "1.5"))
VICTIM = 4343
"""A user with nothing to do with the server: neither root nor its own."""
PROCESSES = 4
SOON = 0.05
"""Seconds of a hook's median."""
FLOODS = {"pipelined": 50, "large": 50, "json": 50, "small": 50, "half-open": 1250, "followers": 100}
"""Each, and how many connections a process of it holds open at once."""
NO_PARTS = Guard(
    "service/limits.py",
    (
        ("PART_OF_TURN: Final = 1280 * 1024", "PART_OF_TURN: Final = 1 << 60"),
        ("BYTES_TO_PARSE: Final = 16 * 1024", "BYTES_TO_PARSE: Final = 128 * 1024"),
        ("ACCEPTS_PER_TURN: Final = 4096", "ACCEPTS_PER_TURN: Final = 64"),
    ),
)
"""The guard in general: what one user gets of a turn."""
NO_SHARES = Guard("service/quota.py", (("not self._is_set_aside(account, held, amount, left):", "left < 0:"),))
"""The guard against those who only hold connections, of which there are fewer here than they want: what one user gets
of them."""
ALONE = ("setsid", "sh", "-c", 'ulimit -n 4096 && exec "$@"', "sh")
"""How the server is started: in a session of its own, as a service is, with fewer descriptors than a flood wants."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What became of one user's hooks."""

    times: tuple[float, ...]
    """Seconds that each took that got through."""
    lost: tuple[str, ...]
    """What curl said of each other one."""

    @property
    def get_through(self) -> bool:
        """Whether none was lost, and all were answered soon."""
        return not self.lost and statistics.median(self.times) < SOON

    def __str__(self) -> str:
        if not self.times:
            return f"all {len(self.lost)} lost"
        median, worst = statistics.median(self.times) * 1000, max(self.times) * 1000
        sent = len(self.lost) + len(self.times)
        return f"{len(self.lost)} of {sent} lost, median {median:.1f} ms, worst {worst:.1f} ms"


def hooks(server: ObservatoryServer, seconds: float) -> Hooks:
    """Send hooks, one after the other, as the installed command does (`observatory.hooks.command`)."""
    curl = shutil.which("curl", path=PATH)
    if curl is None:
        pytest.skip("curl is what hooks are sent by")
    command = [
        *(curl, "-q", "-s", "--noproxy", "*", "--connect-timeout", CONNECT_SECONDS, "--max-time", TOTAL_SECONDS),
        *("--unix-socket", server.path, "-X", "POST", "-H", "Content-Type: application/json", "-H", "Expect:"),
        *("--data-binary", "@-", "-o", "/dev/null", "-w", "%{http_code} %{time_total}"),
        "http://localhost/hook?event=PreToolUse",
    ]
    said = b'{"session_id":"victim","tool_name":"Bash","tool_input":{"command":"make"}}'
    times, lost, until = [], [], time.monotonic() + seconds
    while time.monotonic() < until:
        done = subprocess.run(
            command, input=said, capture_output=True, check=False, user=VICTIM, group=VICTIM, extra_groups=[]
        )
        status, _, taken = done.stdout.decode().partition(" ")
        if status == "200":
            times.append(float(taken))
        else:
            lost.append(f"exit status {done.returncode}, HTTP {status}, after {taken} s, as number {len(times)}")
    return Hooks(tuple(times), tuple(lost))


def flooded(server: ObservatoryServer, kind: str) -> Hooks:
    """The hooks of one user while several processes of another flood the server."""
    with ExitStack() as stack:
        for _ in range(PROCESSES):
            stack.enter_context(keeps(FLOODER, kind, server.path, str(FLOODS[kind])))
        return hooks(server, SECONDS)


@pytest.mark.parametrize("kind", FLOODS)
def test_no_hook_of_another_user_is_lost(
    kind: str, serve: Callable[..., ObservatoryServer], record_property: Callable[[str, object], None]
) -> None:
    server = serve("--mode", "0666", prefix=ALONE)
    found = flooded(server, kind)
    print(f"{kind}: {found}", file=sys.stderr)
    record_property(kind, str(found))
    assert found.get_through, found
    stored = [event for event in server.stored() if event["_peer_uid"] == VICTIM]
    assert len(stored) == len(found.times)


@pytest.mark.parametrize("kind", FLOODS)
def test_without_a_user_s_part_the_flood_bites(
    kind: str, serve: Callable[..., ObservatoryServer], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    guard = NO_SHARES if kind == "half-open" else NO_PARTS
    server = serve("--mode", "0666", prefix=ALONE, **without(tmp_path, guard))
    found = flooded(server, kind)
    print(f"{kind}, unguarded: {found}", file=sys.stderr)
    record_property(kind, str(found))
    assert not found.get_through, found
