"""audience: one user's data is not read by another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import Check, Finding, broken, held, not_applicable
from harness.checks.forgery import IDENTITY_HEADERS
from harness.engines.protocol import PlaceError
from harness.inside.dialects import dialect_name
from harness.subjects.command import CommandSubject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.inside.reports import ReadReport, StatementReport
    from harness.testbed.server import RunningServer
    from harness.testbed.testbed import Testbed

HOLDS = "What one user gave to the server, no other user gets from it, but the server's own and root."
READERS = ("colleague", "member", "stranger")
OF_ROOT = "of root alone"
READ_AS_ROOT = """
set -e
export DOCKER_HOST="unix://$0" HOME=/nonexistent
tar -c -T /dev/null | docker import - nothing >/dev/null
docker cp "$(docker create -v /:/host nothing /none):/host$1" - | tar -xO
"""
"""An image of nothing, a container that has the daemon's root mounted and never runs, and a file out of it."""


def attack(testbed: Testbed) -> Finding:
    """Let users leave something, and others ask for it, in what the server speaks."""
    speaks = testbed.subject.speaks
    if speaks == "hooks":
        return _events(testbed)
    # What is asked below takes users who have something in the server, and of a mere command nobody has seen to that.
    if speaks not in ATTACKS or isinstance(testbed.subject, CommandSubject):
        return not_applicable(f"nothing in what it speaks ({dialect_name(speaks)}) is one user's rather than another's")
    return ATTACKS[speaks](testbed)


def _events(testbed: Testbed) -> Finding:
    """Let each user leave something and ask for everything, plainly and with lies."""
    testbed.lay()
    with testbed.serve() as running:
        testbed.open_to_all(running)
        faults, told = _read_all(testbed, running, (*READERS, testbed.owner, "root"))
    if told["root"] is None:
        return not_applicable("GET /events is not served: nothing can be read from it")
    missing = [f"secret-of-{name}" for name in READERS if f"secret-of-{name}" not in told["root"]]
    if missing:
        return not_applicable(f"root reads from it, and {', '.join(missing)} is not there: nothing to keep from others")
    remark = ""
    if (why := testbed.no_user_namespace()) is not None:
        remark = f" (not from outside its user namespace: {why})"
    else:
        testbed.lay()
        with testbed.serve(outside=True) as running:
            testbed.open_to_all(running)
            outside, _ = _read_all(testbed, running, (testbed.owner, "member", "stranger"))
            faults += [f"from outside its user namespace {fault}" for fault in outside]
    if faults:
        return broken("; ".join(faults), **told)
    return held(
        f"{', '.join(READERS)} read only what they sent themselves, whatever they claimed; {testbed.owner} and root "
        f"read all{remark}",
        **told,
    )


def _read_all(
    testbed: Testbed, running: RunningServer, readers: tuple[str, ...]
) -> tuple[list[str], dict[str, list[str] | None]]:
    """Everyone writes, then everyone reads: who read what of others', and all that each one got (`None`: not
    served)."""
    for name in readers:
        _read(testbed, running, name, [], {})
    faults: list[str] = []
    told: dict[str, list[str] | None] = {}
    uids = ",".join(str(testbed.world.uid(name)) for name in readers)
    for name in readers:
        queries = ["", f"user={testbed.world.uid(testbed.owner)}", "user=0", f"uid={uids}", "all=1"]
        answers = _read(testbed, running, name, queries, IDENTITY_HEADERS)
        served = [answer for answer in answers if answer["status"] == 200]
        told[name] = sorted({token for answer in served for token in answer["tokens"]}) if served else None
        if name in (testbed.owner, "root"):
            continue
        for answer in served:
            others = sorted({token for token in answer["tokens"] if token != f"secret-of-{name}"})
            if others:
                faults.append(f"{name} asked ({answer['asked']}) and got {', '.join(others)}")
                break
    return faults, told


def _read(
    testbed: Testbed, running: RunningServer, name: str, queries: list[str], headers: dict[str, str]
) -> list[ReadReport]:
    return testbed.probe_lines(
        "read",
        testbed.principal(name),
        endpoint=running.endpoint,
        label=name,
        queries=queries,
        headers=headers,
        seconds=10.0,
    )


def _root_of_the_machine(testbed: Testbed) -> Finding:
    """docker has no data that is one user's: who is let in reads whatever root reads, which is shown."""
    testbed.lay()
    secret = f"{testbed.request().state}/secret"
    testbed.root("sh", "-c", 'umask 077 && printf %s "$1" > "$0"', secret, OF_ROOT)
    member = testbed.principal("member")
    with testbed.serve() as running:
        plainly = testbed.place.run(["cat", secret], member)
        through = testbed.place.run(["sh", "-c", READ_AS_ROOT, running.endpoint, secret], member, timeout=60.0)
    seen = {"plainly": plainly.stderr.strip(), "through the daemon": through.stdout, "said": through.stderr}
    if plainly.status == 0 or through.stdout != OF_ROOT:
        return broken(f"a member of {testbed.group} did not become root through the daemon: {seen}", **seen)
    return not_applicable(
        f"membership of {testbed.group} equals root: member, who may not read {secret}, read it through a "
        "container that has the daemon's own / mounted; so nothing there is one user's rather than another's",
        **seen,
    )


def _tables(testbed: Testbed) -> Finding:
    """A role's table is not read by another role, nor by a user without a role; the superuser reads it."""
    testbed.lay()
    table = "member.secret"
    select = "select content from member.secret"
    with testbed.serve() as running:
        testbed.open_to_all(running)
        wrote = _sql(testbed, running, "member", f"create table {table} as select 'of member' as content; {select}")
        asked = {name: _sql(testbed, running, name, select) for name in ("colleague", "stranger", testbed.owner)}
    if not wrote["rows"]:
        return broken(f"member could not write a table of its own: {wrote}")
    faults = [
        f"{name} read {table}: {asked[name]['rows']}"
        for name in ("colleague", "stranger")
        if asked[name]["kind"] == "accepted"
    ]
    if faults:
        return broken("; ".join(faults), **asked)
    if asked[testbed.owner]["kind"] != "accepted":
        return broken(f"the superuser {testbed.owner} could not read {table}: {asked[testbed.owner]['rows']}", **asked)
    said = "; ".join(f"{name} got {asked[name]['rows'][0][0]!r}" for name in ("colleague", "stranger"))
    return held(f"member's table is not read by others ({said}); the superuser {testbed.owner} reads it", **asked)


def _sql(testbed: Testbed, running: RunningServer, who: str, statement: str) -> StatementReport:
    return testbed.probe(
        "statement", testbed.principal(who), endpoint=running.endpoint, statement=statement, seconds=10.0
    )


def _keys(testbed: Testbed) -> Finding:
    """With its directory and its socket opened, the agent itself refuses the stranger; root is admitted."""
    testbed.lay()
    with testbed.serve() as running:
        ssh_add(testbed, running, f"{testbed.request().state}/key")
        testbed.open_to_all(running)
        asked = {name: testbed.ask(running, name, "keys") for name in (testbed.owner, "stranger", "member", "root")}
    said = {name: f"{answer['kind']} {answer['text']}".strip() for name, answer in asked.items()}
    wrong = [name for name in ("stranger", "member") if asked[name]["kind"] == "accepted"]
    missing = [name for name in (testbed.owner, "root") if said[name] != "accepted 1 keys"]
    if wrong:
        return broken(f"{', '.join(wrong)} could list {testbed.owner}'s keys", **said)
    if missing:
        return broken(f"{', '.join(missing)} could not list {testbed.owner}'s keys: {said}", **said)
    return held(
        "with its directory and socket open to all, the agent closes the connection of stranger and member; "
        f"{testbed.owner} and root list the key",
        **said,
    )


def ssh_add(testbed: Testbed, running: RunningServer, *arguments: str) -> None:
    """Run ssh-add(1) as the agent's own user. Raises PlaceError if it fails."""
    environment = {"SSH_AUTH_SOCK": running.endpoint, **testbed.environment()}
    done = testbed.place.run(["ssh-add", *arguments], testbed.principal(testbed.owner), environment=environment)
    if done.status != 0:
        raise PlaceError(f"ssh-add {' '.join(arguments)} failed: {done.stderr.strip()}")


ATTACKS: Mapping[str, Callable[[Testbed], Finding]] = {
    "docker": _root_of_the_machine,
    "postgresql": _tables,
    "ssh-agent": _keys,
}
"""By dialect, what is asked of a subject whose users have something in it."""

CHECK = Check("audience", HOLDS, attack)
