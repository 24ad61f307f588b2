"""A run as JSON lines: one object for each attempt, and a summary object last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.engines.protocol import Credentials
    from harness.trials.run import Run
    from harness.trials.verdict import Verdict


def json_lines(run: Run) -> Iterator[str]:
    """Each line without its newline. Keys and their order are fixed; `credentials` only where connected."""
    for verdict in run.verdicts:
        yield _line(verdict_object(verdict))
    yield _line(summary_object(run))


def verdict_object(verdict: Verdict) -> dict[str, object]:
    """One attempt as plain data."""
    attempt, decision, observation = verdict.attempt, verdict.decision, verdict.observation
    observed: dict[str, object] = {"outcome": observation.outcome}
    if observation.at is not None:
        observed["at"] = observation.at
    return {
        "user": attempt.user,
        "operation": attempt.operation,
        "path": attempt.path,
        "expected": {
            "outcome": decision.outcome,
            "at": decision.at,
            "class": decision.applied,
            "needs": decision.needs,
            "has": decision.has,
            "why": decision.why,
        },
        "observed": observed,
        "credentials": _credentials(observation.credentials),
        "verdict": "agree" if verdict.agree else "disagree",
    }


def summary_object(run: Run) -> dict[str, object]:
    """The run as a whole."""
    return {
        "engine": run.facts.engine,
        "kernel": run.facts.kernel,
        "sysctls": dict(sorted(run.facts.sysctls.items())),
        "attempts": len(run.verdicts),
        "disagreements": sum(not verdict.agree for verdict in run.verdicts),
    }


def _credentials(seen: Credentials | None) -> dict[str, object] | None:
    if seen is None:
        return None
    return {
        "pid": seen.pid,
        "uid": seen.uid,
        "gid": seen.gid,
        "groups": None if seen.groups is None else list(seen.groups),
    }


def _line(data: dict[str, object]) -> str:
    # ASCII only: a name that is no UTF-8 comes as a lone surrogate, which only an escape can carry.
    return json.dumps(data, separators=(",", ":"))
