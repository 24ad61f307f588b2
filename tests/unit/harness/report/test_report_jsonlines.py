from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.report.jsonlines import json_lines
from tests.helpers.runs import admitted, refused, run_of

if TYPE_CHECKING:
    from harness.trials.run import Run


def test_each_attempt_is_one_object_with_the_promised_keys_and_the_summary_is_last(run: Run) -> None:
    first, second, summary = [json.loads(line) for line in json_lines(run)]
    assert first == {
        "user": "ali",
        "operation": "connect",
        "path": "/run/app/app.sock",
        "expected": {
            "outcome": "ok",
            "at": "/home/ali/app/app.sock",
            "class": "owner",
            "needs": "w",
            "has": "rw",
            "why": "ali may connect /home/ali/app/app.sock: uid 1000 is the owner.",
        },
        "observed": {"outcome": "ok"},
        "credentials": {"pid": 7, "uid": 1000, "gid": 1000, "groups": [1000]},
        "verdict": "agree",
    }
    assert second["observed"] == {"outcome": "EACCES", "at": "/home/ali"}
    assert second["credentials"] is None
    assert summary == {
        "engine": "namespace",
        "kernel": "6.18.0",
        "sysctls": {"fs.protected_symlinks": 1, "net.core.somaxconn": 4096},
        "attempts": 2,
        "disagreements": 0,
    }


def test_a_disagreement_is_counted(disagreeing: Run) -> None:
    *_, second, summary = [json.loads(line) for line in json_lines(disagreeing)]
    assert second["verdict"] == "disagree"
    assert summary["disagreements"] == 1


def test_a_name_that_is_no_utf8_and_one_with_newlines_survive_as_they_are() -> None:
    lines = list(json_lines(run_of(refused(path="/run/\udcff"), admitted(path="/run/a\nb\u2028"))))
    assert all(line.isascii() and "\n" not in line for line in lines)
    assert [json.loads(line)["path"] for line in lines[:2]] == ["/run/\udcff", "/run/a\nb\u2028"]
