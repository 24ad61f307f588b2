"""Servers that nobody here wrote, each by its subject file: every check, and a second look at every verdict.

`python -m harness.showcase.field` writes docs/field.md. The second look (`second_look`) shares no code with the checks.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any

from harness.checks import CHECKS
from harness.checks.runner import CheckError, Configuration, check
from harness.engines.error import PlaceError
from harness.engines.registry import choose
from harness.engines.side_by_side import places
from harness.report import checks_baseline
from harness.report.checks_terminal import print_result
from harness.report.output_file import write_output
from harness.subjects.description import load
from harness.subjects.machine import named_accounts
from harness.subjects.subject import fill, fill_text
from harness.testbed.rehearsal import rehearse
from harness.testbed.testbed import Testbed
from harness.world import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.engines.protocol import Engine, Facts, Place
    from harness.subjects.description import Described

SUBJECTS = Path(__file__).parents[2] / "contrib" / "subjects"
SECOND_LOOK = Path(__file__).with_name("second_look")
TYPES = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
DELIVERED = """
import sys, types
for name in ("harness", "harness.showcase", "harness.showcase.second_look"):
    sys.modules[name] = types.ModuleType(name)
for name, text in zip(("ground", "logins", "names"), sys.argv[1:]):
    module = sys.modules[f"harness.showcase.second_look.{name}"] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
exec(compile(sys.argv[-1], "looks", "exec"), {"__name__": "__main__"})
"""
"""How the modules of the second look come into a place, where the harness is not."""
MODULES = ("ground", "logins", "names", "looks")
IN_TMP = ("squatting",)
SHORT = {"held": "held", "broken": "**broken**", "not applicable": "·", "not known": "?"}
LONG = 300.0
"""Seconds for one second look."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Survey and write."""
    parser = argparse.ArgumentParser(prog="python -m harness.showcase.field", description=__doc__)
    parser.add_argument("--engine", default="auto", help="where the servers run (default: auto)")
    parser.add_argument("--text", type=Path, default=Path("docs/field.md"), help="where the Markdown goes")
    parser.add_argument("--rows", type=Path, help="a directory in which what was found is kept, and taken from again")
    parser.add_argument("servers", nargs="*", type=Path, help="subject files (default: all of contrib/subjects)")
    options = parser.parse_args(arguments)
    engine = choose(options.engine)
    rows = []
    for file in options.servers or sorted(SUBJECTS.glob("*.toml")):
        kept = None if options.rows is None else options.rows / f"{file.stem}.json"
        if kept is not None and kept.exists():
            rows.append(json.loads(kept.read_text(encoding="utf-8")))
            continue
        row = survey(load(file), engine)
        rows.append(row)
        if kept is not None:
            write_output(kept, json.dumps(row))
    with engine.open() as place:
        write_output(options.text, markdown(rows, place.facts))
    return 0


def survey(described: Described, engine: Engine) -> dict[str, Any]:
    """Every check of one server, each looked at again."""
    subject = described.subject
    subject = replace(subject, accounts=(*subject.accounts, *named_accounts(subject)))
    described = replace(described, subject=subject)
    print(f"\n{subject.name}: {subject.about}", flush=True)
    row: dict[str, Any] = {
        "name": subject.name,
        "about": subject.about,
        "checks": {},
        "why": "",
        "seconds": 0.0,
        "load": 0.0,
    }
    image = engine.image_with(subject.suite, (*subject.packages, "strace"))
    configuration = Configuration(described.mode, described.owner, described.group)
    with places(engine, image=image, mounts=subject.install(engine, image)) as [place, *others]:
        before = monotonic()
        try:
            for found in check(place, subject, configuration, ("harness", "check", subject.name), others=others):
                result = checks_baseline.mark(found, described.expected, {})
                print_result(result, sys.stdout)
                row["checks"][result.check] = {
                    "verdict": result.verdict,
                    "why": result.why,
                    "seconds": result.seconds,
                }
        except CheckError as error:
            row["why"] = str(error)
            return row
        row["seconds"] = round(monotonic() - before, 1)
        row["load"] = round(os.getloadavg()[0] / (os.cpu_count() or 1), 1)
        with ThreadPoolExecutor(1 + len(others)) as pool:
            free: SimpleQueue[Place] = SimpleQueue()
            for each in (place, *others):
                free.put(each)
            looks = {name: pool.submit(_again, free, described, name) for name in row["checks"]}
        for name, result in row["checks"].items():
            result["again"] = looks[name].result()
            print(f"{name:18} {result['verdict']:15} {result['again']}", flush=True)
    return row


def _again(free: SimpleQueue[Place], described: Described, name: str) -> dict[str, str]:
    """A second look in whichever place is free."""
    place = free.get()
    try:
        return again(place, described, name)
    finally:
        free.put(place)


def again(place: Place, described: Described, name: str) -> dict[str, str]:
    """What a second look sees of one check."""
    subject = described.subject
    testbed = Testbed(place, subject, mode=described.mode, owner=described.owner, group=described.group)
    testbed.subject = subject
    if testbed.subject.names_a_directory:
        rehearse(testbed)
    testbed.lay("tmp" if name in IN_TMP else "own")
    order = _order(testbed, name)
    with testbed.serve() as running:  # what type its socket is, and how long it takes to be there
        order["type"] = TYPES[testbed.type]
        order["socket"] = running.endpoint
    testbed.lay("tmp" if name in IN_TMP else "own")
    texts = [(SECOND_LOOK / f"{name}.py").read_text(encoding="utf-8") for name in MODULES]
    done = place.run(["python3", "-c", DELIVERED, *texts], ROOT, input=json.dumps(order), timeout=LONG)
    if done.status != 0 or not done.stdout:
        return {"verdict": "", "seen": (done.stderr.strip().splitlines() or ["it said nothing"])[-1]}
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return said


def _order(testbed: Testbed, name: str) -> dict[str, Any]:
    subject, request = testbed.subject, testbed.request()
    owner = testbed.principal(testbed.owner)
    question = json.loads(subject.speaks) if subject.speaks.startswith("{") else None
    asker = {"alice": 1500, "root": 0}.get((subject.own_check or ("",))[0], 1502)
    return {
        "check": name,
        "command": subject.arguments(request),
        "environment": {"PATH": testbed.path, **testbed.environment(), "SECOND_LOOK": "1"},
        "directory": fill_text(subject.directory, request),
        "uid": owner.uid,
        "gid": owner.gid,
        "groups": list(owner.groups),
        "members": {"1502": list(testbed.principal("member").groups)},
        "umask": testbed.umask(),
        "mode": testbed.mode,
        "mode_by": subject.mode_by,
        "at_most": subject.at_most,
        "own_check": subject.own_check,
        "asker": asker,
        "speaks": subject.speaks if question is None else "its own",
        "question": question,
        "doors": list(subject.doors),
        "stop": int(subject.stop),
        "patience": subject.patience,
        "calm": 0.3,
        "spawn": [fill(subject.spawn, request)] if subject.spawn else [],
    }


def markdown(rows: Sequence[dict[str, Any]], facts: Facts) -> str:
    """The survey as a document."""
    names = [each.name for each in CHECKS]
    lines = [
        "# In the field: servers that nobody here wrote",
        "",
        "<!-- Written by `nox -s survey`; change the checks or contrib/subjects, not this file. -->",
        "",
        f"Each server of `contrib/subjects`, by its own subject file, in a place of the {facts.engine} engine on Linux",
        f"{facts.kernel}. Each verdict was looked at a second time by probes that share no code with the checks",
        "(`harness/showcase/second_look`): ✓ says that they saw the same, ≠ that they did not; without one nothing",
        "looked again. `·`: the check does not apply to that server or can't be made there; `?`: not known.",
        "The last column has the seconds that all checks took, in three places side by side, and in parentheses those",
        "of the longest check: 30 and 10 at most, where a server starts and ends within a moment on an idle machine;",
        "@ is the load of the machine then, in processes that wanted each of its processors (getloadavg(3)).",
        "",
        "| server | " + " | ".join(names) + " | seconds |",
        "|---" * (len(names) + 2) + "|",
    ]
    for row in rows:
        cells = [_cell(row["checks"].get(name)) for name in names]
        took = [result["seconds"] for result in row["checks"].values()] or [0.0]
        lines.append(
            f"| {row['name']} | "
            + " | ".join(cells)
            + f" | {row['seconds']:.0f} ({max(took):.0f}) @{row['load']:.0f} |"
        )
    lines += ["", "## What is broken", ""]
    for row in rows:
        faults = [(name, result) for name, result in row["checks"].items() if result["verdict"] == "broken"]
        if faults:
            lines += [f"### {row['name']}", "", f"{_text(row['about'])}.", ""]
            lines += [f"- **{name}**: {_text(result['why'])}{_second(result)}" for name, result in faults]
            lines.append("")
    differing = [
        f"- {row['name']}, {name}: {result['verdict']} ({_text(result['why'])}); the second look: "
        f"{result['again']['verdict']} ({_text(result['again']['seen'])})"
        for row in rows
        for name, result in row["checks"].items()
        if _mark(result) == " ≠"
    ]
    if differing:
        lines += ["## Where the second look saw something else", "", *differing, ""]
    unstarted = [f"- {row['name']}: {_text(row['why'])}" for row in rows if row["why"]]
    if unstarted:
        lines += ["## What could not be checked", "", *unstarted, ""]
    return "\n".join(lines).rstrip() + "\n"


def _mark(result: dict[str, Any]) -> str:
    seen = result.get("again", {}).get("verdict", "")
    return "" if not seen else " ✓" if seen == result["verdict"] else " ≠"


def _cell(result: dict[str, Any] | None) -> str:
    return "" if result is None else SHORT[result["verdict"]] + _mark(result)


def _second(result: dict[str, Any]) -> str:
    seen = result.get("again", {})
    return f" Looked at again: {_text(seen['seen'])}." if seen.get("verdict") else ""


def _text(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")[:400]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (PlaceError, CheckError) as error:
        sys.exit(f"harness: {error}")
