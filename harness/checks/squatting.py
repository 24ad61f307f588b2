"""squatting: whoever took the name first gains nothing by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, Finding, broken, held, not_applicable

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = (
    "If another user took the name in /tmp first, the server says so and ends with a failure, and its own client, "
    "where there is one, does not talk to whoever took it."
)


def attack(testbed: Testbed) -> Finding:
    """A stranger listens at the name; start the server, then its client."""
    if "*" in testbed.endpoint:
        return not_applicable("it takes a new name in a new directory at each start, which nobody can take first")
    if testbed.no_path:
        return not_applicable(testbed.no_path)
    testbed.lay("tmp")
    path = testbed.endpoint
    told: dict[str, Any] = {}
    with testbed.holding("squat", testbed.principal("stranger"), path=path, last=told):
        before = testbed.look(path)[path]
        assert before is not None
        running = testbed.start()
        ended = testbed.settle(running, path, before)
        after = testbed.look(path)[path]
        taken_over = after is not None and after["inode"] != before["inode"]
        if not ended:
            testbed.kill(running)
        said = "" if not ended else testbed.log(running)
        status = running.process.wait(testbed.subject.patience).status
        client = "" if taken_over else _client(testbed, path)
    if taken_over:
        return held("as a user that may, it took the name from whoever squatted there", squatter=told)
    if not ended:
        return broken("it runs on, though the name belongs to another user's server", squatter=told)
    if status == 0 or "nothing" in said.partition(";")[0]:
        return broken(f"it ended with status {status}, {said}: nobody learns that the name is taken", squatter=told)
    if told.get("bytes"):
        return broken(f"its client sent {told['bytes']} bytes to whoever took the name; {client}", squatter=told)
    return held(f"it ended with status {status}, {said}{client}", squatter=told)


def _client(testbed: Testbed, path: str) -> str:
    """Run the server's own client against the squatter: what it said."""
    if not testbed.subject.client:
        return "; it has no client of its own that could be misled"
    command = [part.replace("{socket}", path).replace("{owner}", testbed.owner) for part in testbed.subject.client]
    done = testbed.place.run(
        command, testbed.principal("member"), environment=testbed.environment(), timeout=testbed.subject.patience
    )
    words = " ".join((done.stderr or done.stdout).split())
    return f"; its client ended with status {done.status} and said: {words[-200:]}"


CHECK = Check("squatting", HOLDS, attack)
