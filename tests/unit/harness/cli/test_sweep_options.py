"""The time that a sweep is given is one that ends."""

from __future__ import annotations

import argparse

import pytest

from harness.cli import sweep


@pytest.mark.parametrize("minutes", ["nan", "inf", "1e300", "0", "-1", "few"])
def test_a_sweep_for_no_number_of_minutes_is_refused(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    sweep.add_options(parser)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([f"--minutes={minutes}"])
    assert ended.value.code == 2
    assert f"'{minutes}' is no number of minutes: write one above 0" in " ".join(capsys.readouterr().err.split())


def test_a_sweep_may_have_half_a_minute() -> None:
    parser = argparse.ArgumentParser()
    sweep.add_options(parser)
    assert parser.parse_args(["--minutes=0.5"]).minutes == 0.5
