"""squatting: whoever took the name first gains nothing by it."""

from __future__ import annotations

import signal
from time import monotonic
from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, Finding, broken, held, not_applicable

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = (
    "If another user took the name in /tmp first, or made the directory that the server makes there, the server says "
    "so and ends with a failure, and its own client, "
    "where there is one, does not talk to whoever took it."
)
HANG_UPS = 8
"""How often a server that connects meets one who hangs up, in its time: whether it writes before or after is a race."""
LONGER = 1.5
"""How many times longer than the first a second meeting may take."""
ENDING = 1.5
"""Seconds that the end of a meeting takes at most."""
STRANGER = "stranger"
ANYBODY = 0o002
CLIENT = "member"
"""Who runs the server's own client."""


def attack(testbed: Testbed) -> Finding:
    """A stranger listens at the name; start the server, then its client."""
    if "*" in testbed.endpoint:
        return not_applicable("it takes a new name in a new directory at each start, which nobody can take first")
    if testbed.no_path:
        return not_applicable(testbed.no_path)
    if testbed.subject.activated:
        return not_applicable("it does not make its socket: whoever starts it does")
    made = testbed.made_in("tmp", STRANGER)
    if made:
        above = made[0].path.rpartition("/")[0] or "/"
        there = testbed.look(above)[above]
        if there is not None and not there["mode"] & ANYBODY:
            return not_applicable(f"a stranger may make no names in {above}, so none can be taken there first")
    before = monotonic()
    found = _meet(testbed, silent=False)
    took = monotonic() - before
    if found.verdict != "held" or testbed.type == "dgram":
        return found
    # Some ask who is there, and take one who says nothing for nobody.
    if LONGER * took > testbed.left:
        why = f"{found.why} (that took {took:.0f} s, so there was no time for one who hangs up on it)"
        return held(why, **found.evidence)
    for _ in range(HANG_UPS):
        other = _meet(testbed, silent=True, least=LONGER * took)
        if other.verdict == "broken":
            return broken(f"where whoever took the name hangs up on it, {other.why}", **other.evidence)
        if not other.evidence["squatter"]["connections"] or testbed.left < took:
            break
    return found


def _meet(testbed: Testbed, *, silent: bool, least: float = 0.0) -> Finding:
    """Start it where a stranger has the name, who answers or hangs up.

    Some try again for a while, and one that gives up in the end is not one that runs on: it gets what time there is,
    and not less than `least`.
    """
    testbed.lay("tmp", made_by=STRANGER)
    path = testbed.endpoint
    told: dict[str, Any] = {}
    datagrams = testbed.type == "dgram"
    how = {"datagrams": datagrams, "silent": silent}
    with testbed.holding("squat", testbed.principal(STRANGER), path=path, last=told, **how):
        before = testbed.look(path)[path]
        assert before is not None
        running = testbed.start()
        patience = min(testbed.subject.patience, max(testbed.settling, least, testbed.left - ENDING))
        ended = testbed.settle(running, path, before, patience)
        after = testbed.look(path)[path]
        taken_over = after is not None and after["inode"] != before["inode"]
        if not ended:
            testbed.kill(running)
        said = testbed.log(running) if ended else ""
        status = running.process.wait(testbed.subject.patience).status
        client = "" if taken_over or silent else _client(testbed, path)
    by_client = told.get("bytes", {}).get(str(testbed.world.uid(CLIENT)), 0)
    if testbed.made and (taken_over or not ended):
        return broken(
            f"it serves in {path.rpartition('/')[0]}, which another user had made first, who can put a socket of their "
            "own there at any time",
            squatter=told,
        )
    if taken_over:
        return not_applicable(
            f"it took the name from whoever squatted there, as {testbed.owner} may, so the squatter gains nothing; "
            "that a start removes another user's living socket is what takeover-foreign is about",
            squatter=told,
        )
    if not ended:
        return broken(
            f"after {patience:.0f} s it still runs, though the name belongs to another user's server", squatter=told
        )
    if status < 0:
        return broken(
            f"it was ended by {signal.Signals(-status).name} when it met another user's server, {said}: nobody learns "
            "that the name is taken",
            squatter=told,
        )
    if status == 0 or said.startswith("it said nothing"):
        return broken(f"it ended with status {status}, {said}: nobody learns that the name is taken", squatter=told)
    if by_client and testbed.subject.client:
        return broken(f"its client sent {by_client} bytes to whoever took the name; {client}", squatter=told)
    return held(f"it ended with status {status}, {said}{client}", squatter=told)


def _client(testbed: Testbed, path: str) -> str:
    """Run the server's own client against the squatter: what it said."""
    if not testbed.subject.client:
        return "; it has no client of its own that could be misled"
    command = [part.replace("{socket}", path).replace("{owner}", testbed.owner) for part in testbed.subject.client]
    done = testbed.place.run(
        command, testbed.principal(CLIENT), environment=testbed.environment(), timeout=testbed.subject.patience
    )
    words = " ".join((done.stderr or done.stdout).split())
    return f"; its client ended with status {done.status} and said: {words[-200:]}"


CHECK = Check("squatting", HOLDS, attack)
