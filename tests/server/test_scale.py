"""The benchmarks of what grows measure what they say, in small."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.program import program

if TYPE_CHECKING:
    from collections.abc import Callable

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A benchmark as a module, with these of its numbers."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name: str, *arguments: str, **numbers: Any) -> Any:
        module = program(BENCHMARKS / f"{name}.py")
        for number, value in numbers.items():
            assert hasattr(module, number)
            monkeypatch.setattr(module, number, value)
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        return module

    return load


def rows(said: str) -> list[list[str]]:
    """The cells of all tables."""
    lines = [line for line in said.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_a_database_grows_is_asked_grows_old_and_is_compacted(
    benchmark: Callable[..., Any], capsys: pytest.CaptureFixture[str], need: Callable[[str, str], str], tmp_path: Path
) -> None:
    need("cc", "gcc")
    arguments = ("--seconds", "0.2", "--directory", str(tmp_path))
    scale = benchmark("scale", *arguments, SIZES=(1000, 20_000), USERS=10, ROUNDS=1, QUESTIONS=2, QUIET=0.5)
    assert scale.main() == 0
    said = capsys.readouterr().out
    found = rows(said)
    assert [row[0] for row in found] == [
        *("1,000", "20,000", "1,000", "20,000"),
        *("deleted", "a hook meanwhile", "given back to the disk", "a hook meanwhile", "compacted"),
    ]
    assert float(found[1][1]) > float(found[0][1])
    assert found[4][1].startswith("4,000 events in ")
    given, _, before = found[6][1].partition(" MB")[0].partition(" of ")
    assert 0 < int(given) < int(before)
    assert len([line for line in said.splitlines() if "█" in line]) == 2 * 9
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_room_nothing_is_begun(
    benchmark: Callable[..., Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scale = benchmark("scale", "--directory", str(tmp_path), SIZES=(10**12,), measured=None)
    scale.SIZES = (10**12,)
    sys.argv += ["--events", str(10**12)]
    assert scale.main() == 1
    assert "GB are needed" in capsys.readouterr().err


def test_crowds_are_as_large_as_they_are_said_to_be(
    benchmark: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    crowds = benchmark("crowds", "--each", "400", SESSIONS=(2, 20), FOLLOWERS=(0, 3), USERS=(1, 40), TOLD=4)
    assert crowds.main() == 0
    found = rows(capsys.readouterr().out)
    assert [row[0] for row in found] == ["2", "20", "0", "3", *(["1", "40"] if os.geteuid() == 0 else [])]
    assert all(float(row[1 if row in found[:4] else 2].replace(",", "")) > 0 for row in found)
    assert [bool(row[5]) for row in found[2:4]] == [False, True]


def test_forwarders_send_all_and_their_lag_is_taken(
    benchmark: Callable[..., Any], capsys: pytest.CaptureFixture[str], need: Callable[[str, str], str]
) -> None:
    need("nats-server", "nats-server")
    forwarding = benchmark("forwarding", "--each", "1000", "--rate", "100", "--seconds", "0.5", FORWARDERS=(1, 2))
    assert forwarding.main() == 0
    found = rows(capsys.readouterr().out)
    assert [row[0] for row in found] == ["1", "2"]
    for _, forwarded, bare, _, _, middle, nearly_all, most in found:
        assert all(float(rate.replace(",", "")) > 0 for rate in (forwarded, bare))
        assert 0 < float(middle) <= float(nearly_all) <= float(most)
