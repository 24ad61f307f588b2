"""audience: one user's data is not read by another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import Check
from harness.checks.forgery import IDENTITY_HEADERS
from harness.finding import Finding, broken, held, not_applicable

if TYPE_CHECKING:
    from harness.inside.reports import ReadReport
    from harness.testbed.testbed import RunningServer, Testbed

HOLDS = "What one user gave to the server, no other user gets from it, but the server's own and root."
READERS = ("colleague", "member", "stranger")


def attack(testbed: Testbed) -> Finding:
    """Let each user leave something and ask for everything, plainly and with lies."""
    if testbed.subject.speaks != "hooks":
        return testbed.subject.audience(testbed)
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


CHECK = Check("audience", HOLDS, attack)
