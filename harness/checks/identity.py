"""identity: the server names every peer as the kernel knows it: pid, effective uid and gid, supplementary groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, Finding, broken, held, not_applicable, told
from harness.inside.dialects import dialect_name
from harness.testbed.cast import UNMAPPED_BUT_VALID
from harness.testbed.probing import ProbeError
from harness.testbed.server import StartError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.inside.messages import EncodedPerson
    from harness.inside.reports import PersonReport
    from harness.testbed.server import RunningServer
    from harness.testbed.testbed import Testbed

HOLDS = (
    "Of two hundred connections that are open at the same time and speak in any order, the server says of each "
    "which process, effective user, effective group and supplementary groups opened it, whoever speaks on it and "
    "whatever has become of the one who opened it; what the kernel can't tell it calls unknown."
)
CONNECTIONS = 200
EACH = 4
SEED = 20_240
ALONE = 1.0
"""Seconds that one request gets at least."""
PATIENCE = 8.0
"""Seconds that an answer may take."""
DENIED = ("refused", "closed")
"""What becomes of a request of somebody whom the server does not admit."""
OVERFLOW = 65534
CASES = (
    *("fork", "execute", "change-user", "moment", "helper", "thread", "passed", "shared", "living"),
    *("early", "dead", "reused", "large-ids", "many-groups", "changed-groups", "forged", "inner-pid", "inner-root"),
)
"""Cases of `harness.inside.peers` that any server can be asked."""
CROWD = tuple(range(3000, 3040))
"""More supplementary groups than the 32 of some old buffers, none of them in /etc/group."""


def attack(testbed: Testbed) -> Finding:
    """Let everyone connect, then speak in a shuffled order; then put the server where it can't see who they are."""
    if testbed.tells is None:
        return not_applicable(
            f"nothing in what it speaks ({dialect_name(testbed.subject.speaks)}) says whom the server saw"
        )
    testbed.lay()
    by_name = testbed.tells == "answer"
    people = testbed.named_people() if by_name else _people(testbed)
    with testbed.serve() as running:
        testbed.open_to_all(running)
        faults, counted = _hold(testbed, running, people, CONNECTIONS // len(people))
        changed, more = _hold(testbed, running, _changers(testbed), 1, stopped=running.pid)
        faults += changed
        counted += more
        cases, remark, more = ([], "", 0) if by_name or "tcp:" in running.endpoint else _play(testbed, running)
        faults += cases
        counted += more
    if not counted:
        return not_applicable("nobody's request was accepted, so nobody was named") if not faults else broken(faults[0])
    whom = f"{counted} requests of {len(people)} processes, of some that became others after they connected,{remark}"
    if not by_name:
        blind, outside = _from_outside(testbed)
        faults += blind
        whom += outside
    if faults:
        shown = faults[:3] + ([f"and {len(faults) - 3} more"] if len(faults) > 3 else [])
        return broken("; ".join(shown), faults=faults)
    return held(f"{whom} were all named as the kernel names them", requests=counted)


def _people(testbed: Testbed) -> list[EncodedPerson]:
    """The users of the world, processes that are hard to name, and as many strangers as it takes."""
    known = [testbed.person(user.name) for user in testbed.world.users if user.capabilities is None]
    member = testbed.person("member")
    stranger = testbed.person("stranger")
    hard: list[EncodedPerson] = [
        {**member, "label": "member-without-group", "groups": []},
        {**stranger, "label": "stranger-in-a-crowd", "groups": list(CROWD)},
        {**stranger, "label": "stranger-by-set-user-id", "real_uid": member["uid"]},
        {
            "label": "large-ids",
            "uid": UNMAPPED_BUT_VALID,
            "gid": UNMAPPED_BUT_VALID,
            "groups": [UNMAPPED_BUT_VALID - 1],
        },
    ]
    rest = CONNECTIONS // EACH - len(known) - len(hard)
    nameless: list[EncodedPerson] = [
        {"label": f"nameless-{number}", "uid": 5000 + number, "gid": 6000 + number, "groups": list(CROWD[:number])}
        for number in range(rest)
    ]
    return [*known, *hard, *nameless]


def _changers(testbed: Testbed) -> list[EncodedPerson]:
    """Processes that connect as one user and speak as another."""
    member, colleague, stranger = (testbed.person(name) for name in ("member", "colleague", "stranger"))
    if testbed.tells == "answer":
        return [{**member, "later": colleague}]
    return [
        {**member, "label": "member-now-stranger", "later": stranger},
        {**stranger, "label": "stranger-now-root", "later": testbed.person("root")},
    ]


def _hold(
    testbed: Testbed, running: RunningServer, people: list[EncodedPerson], each: int, stopped: int | None = None
) -> tuple[list[str], int]:
    def ask(those: list[EncodedPerson], connections: int) -> list[PersonReport]:
        return testbed.probe_lines(
            "people",
            endpoint=running.endpoint,
            speaks=testbed.subject.speaks,
            people=those,
            each=connections,
            seed=SEED,
            seconds=PATIENCE,
            longest=max(ALONE, testbed.left / 2),
            stopped=stopped,
        )

    def settled(said: PersonReport) -> bool:
        return said["kind"] == "accepted" or (said["kind"] in DENIED and not testbed.admits(said["label"]))

    # Where there is no room for so many at once some get no answer, which says nothing of whom the server sees.
    lines = [said for said in ask(people, each) if settled(said)]
    known = {said["label"] for said in lines}
    unasked = []
    for person in people:
        if person["label"] in known:
            continue
        if testbed.left:
            lines += ask([person], 1)
        else:
            unasked.append(person["label"])
    faults = []
    counted = 0
    for said in lines:
        if said["kind"] == "accepted":
            counted += 1
            seen = testbed.seen(running, said)
            if testbed.admits(said["label"]):
                faults += compare(said["label"], said["process"], seen)
            else:
                faults.append(f"{said['label']} was served as {seen}, and should be refused")
        elif testbed.admits(said["label"]):
            faults.append(f"{said['label']} was not served ({told(said)})")
        elif said["kind"] not in DENIED:
            faults.append(f"{said['label']} got {said['kind']} where a refusal is due")
    if unasked and not faults:
        raise TimeoutError(
            f"{len(unasked)} of {len(people)} processes got no answer where all were connected at once, and there was "
            "no time to ask for each of them alone"
        )
    return faults, counted


def _play(testbed: Testbed, running: RunningServer) -> tuple[list[str], str, int]:
    """Play the cases: what was wrong, what is to be said of them, and how many requests there were."""
    faults: list[str] = []
    missing: list[str] = []
    counted = 0
    for case in CASES:
        try:
            said = testbed.play(case, running.endpoint, running.pid)
        except (ProbeError, TimeoutError) as error:
            faults.append(f"{case}: {error}")
            break
        missing += [f"{case}: {line['unplayable']}" for line in said if "unplayable" in line]
        unserved = [f"{case}: {line['unserved']}" for line in said if "unserved" in line]
        faults += unserved
        for record in [] if unserved else [line for line in said if "token" in line]:
            counted += 1
            seen = testbed.seen(running, record)
            faults += compare(f"{record['token']}'s connector", record, seen)
            described = (running.event(record["token"], 0) or {}).get("_peer_process")
            faults += _describes(record, described)
        if unserved:
            break  # it may be dead, and each case would wait for it
    remark = f" and those of {len(CASES) - len(missing)} hard cases"
    return faults, remark + (f" (not played: {'; '.join(missing)})" if missing else ""), counted


def _describes(record: Mapping[str, Any], described: Mapping[str, Any] | None) -> list[str]:
    """What is wrong with the process that a server describes beside its pid: `{pid, comm, ancestors}` or nothing."""
    due = record.get("process", {"pid": record["pid"]})
    if described is None or (due and {key: described.get(key) for key in due} == due):
        return []
    whom = f"process {described.get('pid')} ({described.get('comm')})"
    return [f"{record['token']}'s connector is {'gone' if due is None else due}, the server describes {whom}"]


def compare(who: str, process: Mapping[str, Any], seen: Mapping[str, Any] | None) -> list[str]:
    """Where what the server says of a peer differs from what the kernel says of that process, one sentence each."""
    if seen is None:
        return [f"{who} was served, but the server does not say whom it saw"]
    faults = []
    for key, what in (("pid", "pid"), ("uid", "effective uid"), ("gid", "effective gid"), ("user", "name")):
        if key in seen and seen[key] != process.get(key):
            faults.append(f"{who} has {what} {process.get(key)}, the server says {_spelled(seen[key])}")
    groups = seen.get("groups")
    if groups is not None and set(groups) - {process["gid"]} != set(process["groups"]) - {process["gid"]}:
        faults.append(f"{who} has the groups {process['groups']}, the server says {sorted(groups)}")
    return faults


def _spelled(value: object) -> str:
    return "unknown" if value is None else str(value)


def _from_outside(testbed: Testbed) -> tuple[list[str], str]:
    """Start the server where most ids have no translation; what is unknown must be called so, and nothing may be
    lost."""
    if (why := testbed.no_user_namespace()) is not None:
        return [], f" (not from outside its user namespace: {why})"
    testbed.lay()
    try:
        with testbed.serve(outside=True) as running:
            faults = _named_from_outside(testbed, running)
    except StartError as error:
        faults = [f"started where most ids have no translation, {error}"]
    return faults, ", and two from outside its user and pid namespaces,"


def _named_from_outside(testbed: Testbed, running: RunningServer) -> list[str]:
    faults: list[str] = []
    testbed.open_to_all(running)
    for name in (testbed.owner, "stranger"):
        (said,) = testbed.probe_lines(
            "people",
            endpoint=running.endpoint,
            speaks=testbed.subject.speaks,
            people=[testbed.person(name)],
            each=1,
            seed=SEED,
            seconds=20.0,
            longest=20.0,
        )
        seen = testbed.seen(running, said) if said["kind"] == "accepted" else None
        if seen is None:
            faults.append(f"{name}, from outside the server's namespaces, was not served and named ({said['kind']})")
            continue
        mapped = name == testbed.owner
        process: Mapping[str, Any] = said["process"]
        due = {key: process[key] if mapped else None for key in ("uid", "gid")} | {"pid": None}
        faults += [
            f"{name}'s {key} has no translation in the server's namespaces, and it says {_spelled(seen[key])}"
            if due[key] is None
            else f"{name}'s {key} is {due[key]} there too, and it says {_spelled(seen[key])}"
            for key in due
            if seen[key] != due[key]
        ]
    return faults


CHECK = Check("identity", HOLDS, attack)
