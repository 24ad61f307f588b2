"""audience: one user's data is not read by another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.checks.check import Check
from harness.checks.forgery import IDENTITY_HEADERS
from harness.finding import Finding, broken, held, not_applicable

if TYPE_CHECKING:
    from harness.testbed.testbed import Bench, Running

HOLDS = "What one user gave to the server, no other user gets from it, but the server's own and root."
READERS = ("colleague", "member", "stranger")


def attack(bench: Bench) -> Finding:
    """Let each user leave something and ask for everything, plainly and with lies."""
    if bench.subject.speaks != "hooks":
        return bench.subject.audience(bench)
    bench.lay()
    with bench.serve() as running:
        bench.open_to_all(running)
        faults, told = _read_all(bench, running, (*READERS, bench.owner, "root"))
    if told["root"] is None:
        return not_applicable("GET /events is not served: nothing can be read from it")
    missing = [f"secret-of-{name}" for name in READERS if f"secret-of-{name}" not in told["root"]]
    if missing:
        return not_applicable(f"root reads from it, and {', '.join(missing)} is not there: nothing to keep from others")
    remark = ""
    if (why := bench.no_user_namespace()) is not None:
        remark = f" (not from outside its user namespace: {why})"
    else:
        bench.lay()
        with bench.serve(outside=True) as running:
            bench.open_to_all(running)
            outside, _ = _read_all(bench, running, (bench.owner, "member", "stranger"))
            faults += [f"from outside its user namespace {fault}" for fault in outside]
    if faults:
        return broken("; ".join(faults), **told)
    return held(
        f"{', '.join(READERS)} read only what they sent themselves, whatever they claimed; {bench.owner} and root "
        f"read all{remark}",
        **told,
    )


def _read_all(
    bench: Bench, running: Running, readers: tuple[str, ...]
) -> tuple[list[str], dict[str, list[str] | None]]:
    """Everyone writes, then everyone reads: who read what of others', and all that each one got (`None`: not
    served)."""
    for name in readers:
        _read(bench, running, name, [], {})
    faults: list[str] = []
    told: dict[str, list[str] | None] = {}
    uids = ",".join(str(bench.world.uid(name)) for name in readers)
    for name in readers:
        queries = ["", f"user={bench.world.uid(bench.owner)}", "user=0", f"uid={uids}", "all=1"]
        answers = _read(bench, running, name, queries, IDENTITY_HEADERS)
        served = [answer for answer in answers if answer["status"] == 200]
        told[name] = sorted({token for answer in served for token in answer["tokens"]}) if served else None
        if name in (bench.owner, "root"):
            continue
        for answer in served:
            others = sorted({token for token in answer["tokens"] if token != f"secret-of-{name}"})
            if others:
                faults.append(f"{name} asked ({answer['asked']}) and got {', '.join(others)}")
                break
    return faults, told


def _read(
    bench: Bench, running: Running, name: str, queries: list[str], headers: dict[str, str]
) -> list[dict[str, Any]]:
    lines = bench.probe_lines(
        "read",
        bench.principal(name),
        endpoint=running.endpoint,
        label=name,
        queries=queries,
        headers=headers,
        seconds=10.0,
    )
    return lines[1:]


CHECK = Check("audience", HOLDS, attack)
