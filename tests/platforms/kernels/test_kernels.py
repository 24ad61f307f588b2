"""Each kernel is the one that it should be, answers as its version does, and agrees with the oracle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli.main import main
from harness.engines import bundle
from harness.engines.vm.kernels import KERNELS
from harness.oracle import linux
from harness.trials.grid_sweep import MODES, WHO, sweep_grid
from harness.world import Principal
from tests.integration.identity.conftest import ENVIRONMENT
from tests.platforms.kernels.expectations import EXPECTATIONS, Expectation, differences, version

if TYPE_CHECKING:
    from harness.engines.protocol import Place
    from harness.pytest_plugin.fixtures import Tally

SWEPT = range(0, 0o1000, 7)
"""Modes of the directory: enough, and leaving no bit out."""
ROOT = Principal(0, 0)


@pytest.fixture(scope="session")
def answers(place: Place) -> dict[str, str]:
    """What the kernel says to the questions of the probe."""
    program = bundle.delivery("tests.platforms.kernels.probe")
    done = place.run(["python3", "-c", bundle.START], ROOT, input=program, environment=ENVIRONMENT)
    assert done.status == 0, done.stderr
    said: dict[str, str] = json.loads(done.stdout)
    return said


def test_the_kernel_is_the_releases_own(place: Place, kernel: str) -> None:
    assert place.facts.kernel.startswith(KERNELS[kernel])
    assert version(place.facts.kernel) >= (5, 10)


def test_the_kernels_are_of_different_versions() -> None:
    """Of both sides of every change that is expected, or the expectation says nothing."""
    known = [tuple(map(int, release.split("."))) for release in KERNELS.values() if release]
    for one in EXPECTATIONS:
        for since in one.answers:
            assert since == (0, 0) or min(known) < since, one.question


def test_it_answers_as_its_version_does(place: Place, answers: dict[str, str]) -> None:
    assert differences(answers, place.facts.kernel) == []
    assert set(answers) == {one.question for one in EXPECTATIONS}


@pytest.mark.parametrize("one", EXPECTATIONS, ids=lambda one: one.question)
def test_a_changed_expectation_is_caught(place: Place, answers: dict[str, str], one: Expectation) -> None:
    changed = replace(one, answers={since: f"not {answer}" for since, answer in one.answers.items()})
    assert differences(answers, place.facts.kernel, [changed]) != []


@pytest.mark.parametrize("one", [one for one in EXPECTATIONS if len(one.answers) > 1], ids=lambda one: one.question)
def test_an_expectation_of_another_version_is_caught(place: Place, answers: dict[str, str], one: Expectation) -> None:
    """Moved such that the change lies on the other side of this kernel."""
    here = version(place.facts.kernel)
    newest = max(one.answers)
    since = (here[0], here[1] + 1) if here >= newest else here
    moved = replace(
        one, answers={**{at: said for at, said in one.answers.items() if at != newest}, since: one.answers[newest]}
    )
    assert differences(answers, place.facts.kernel, [moved]) != []


def test_the_sweep_agrees_with_it(place: Place, tally: Tally) -> None:
    made = [attempts for attempts, differing in sweep_grid(place, SWEPT) if not differing]
    tally(attempts=sum(made))
    assert sum(made) == len(SWEPT) * len(MODES) * len(WHO) >= 200_000


def test_the_documentation_names_the_size_of_the_sweep() -> None:
    attempts = len(SWEPT) * len(MODES) * len(WHO)
    text = (Path(__file__).parents[3] / "docs" / "platforms.md").read_text(encoding="utf-8")
    assert f"{attempts:,} attempts of the sweep" in text


def test_a_wrong_oracle_is_found(place: Place) -> None:
    rules = replace(linux(), classes=("group", "owner", "acl", "other"))
    assert [each for _, differing in sweep_grid(place, SWEPT[-2:], rules) for each in differing]


def test_without_qemu_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["run", "docker-sock-gid-mismatch", "--engine", "vm"]) == 69
    said = capsys.readouterr().err
    assert "the vm engine needs qemu-system-x86_64: install qemu-system-x86" in said
    assert len(said.splitlines()) == 1


def test_a_kernel_that_is_not_known_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "docker-sock-gid-mismatch", "--engine", "vm", "--image", "buzz"]) == 69
    assert "no kernel is known by the name 'buzz'; there are bullseye, bookworm, trixie, sid" in capsys.readouterr().err
