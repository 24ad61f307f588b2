"""`observatory cost`, beside a real server whose events name a transcript elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from observatory import address
from tests.helpers.observatory_command import environment, here
from tests.helpers.observatory_server import serving
from tests.unit.observatory.transcripts.conftest import USAGE

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.observatory_server import ObservatoryServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ObservatoryServer]:
    with serving() as found:
        yield found


def write(path: Path, *answers: tuple[str, str, str]) -> None:
    """A transcript of answers: their ids, sessions and models."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        {
            "type": "assistant",
            "sessionId": session,
            "timestamp": "2026-11-29T10:38:44.950Z",
            "requestId": number,
            "message": {"id": number, "model": model, "usage": USAGE},
        }
        for number, session, model in answers
    ]
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), encoding="utf-8")


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return here(environment(home), "cost", *arguments)


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_ones_own_transcripts_and_those_that_events_name_are_added_up(
    server: ObservatoryServer, tmp_path: Path
) -> None:
    write(tmp_path / ".claude/projects/p/here.jsonl", ("m1", "here", "claude-opus-4-8"), ("m2", "here", "new-model"))
    elsewhere = tmp_path / "elsewhere" / "there.jsonl"
    write(elsewhere, ("m3", "there", "claude-haiku-4-5"))
    gone = str(tmp_path / "gone.jsonl")
    for path in (str(elsewhere), gone, "/etc/passwd", "no\0path.jsonl"):
        server.send({"session_id": "there", "transcript_path": path}, "SessionStart")
    done = run(tmp_path, "--json", "--socket", server.path)
    by_session = {row.get("session"): row for row in rows(done)}
    assert set(by_session) == {"here", "there", None}
    assert (by_session["here"]["cost_usd"], by_session["here"]["unknown_models"]) == (None, ["new-model"])
    assert by_session["there"]["cost_usd"] == pytest.approx(0.004225)
    assert by_session[None]["answers"] == 3
    assert f"{gone} is not counted: No such file or directory" in done.stderr
    assert "passwd" not in done.stderr
    shown = run(tmp_path, "--socket", server.path, "--by", "model").stdout
    assert "unknown model" in shown
    assert "$0.0042" in shown
    assert "prices of 2026-" in shown
    (one, _) = rows(run(tmp_path, "--json", "--socket", server.path, "--session", "the"))
    assert one["session"] == "there"


def test_prices_of_ones_own_make_a_model_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "DEFAULT_SOCKET", str(tmp_path / "none"))
    monkeypatch.setattr(address, "SYSTEM_SOCKET", str(tmp_path / "no-systems"))
    write(tmp_path / ".claude/projects/p/here.jsonl", ("m2", "here", "new-model"))
    own = 'as_of = 2027-01-01\n[[prices]]\nmodels = ["new-model"]\ninput = 10000\noutput = 0\n'
    own += "cache_write_5m = 0\ncache_write_1h = 0\ncache_read = 0\n"
    (tmp_path / "own.toml").write_text(own, encoding="utf-8")
    done = run(tmp_path, "--json", "--prices", str(tmp_path / "own.toml"))
    assert [row["cost_usd"] for row in rows(done)] == [1.0, 1.0]
    assert "only your own transcripts are read: there is no" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        ((), 1, "no answer of a model is in the transcripts"),
        (("--since", "soon"), 2, "--since: 'soon' is not a time such as"),
        (("--prices", "/nowhere.toml"), 1, "/nowhere.toml can't be read"),
        (("--socket", "/nowhere.sock"), 69, "there is no /nowhere.sock"),
    ],
)
def test_why_nothing_is_shown_is_said(tmp_path: Path, arguments: tuple[str, ...], status: int, why: str) -> None:
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert why in done.stderr


def test_times_choose_answers(tmp_path: Path) -> None:
    write(tmp_path / ".claude/projects/p/here.jsonl", ("m1", "here", "claude-opus-4-8"))
    when = ("--since", "2026-11-29T10:38:00Z", "--until", "2026-11-29T10:39:00Z")
    assert len(rows(run(tmp_path, "--json", *when))) == 2
    assert run(tmp_path, "--json", "--since", "2026-11-29T10:39:00Z").returncode == 1
    assert run(tmp_path, "--json", "--until", "2026-11-29T10:38:00Z").returncode == 1
