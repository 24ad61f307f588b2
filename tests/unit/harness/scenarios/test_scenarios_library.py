from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.oracle import linux, predict
from harness.scenarios import Scenario, Story, find, library, read
from harness.world import WorldError, loads

if TYPE_CHECKING:
    from pathlib import Path

every_scenario = pytest.mark.parametrize(
    "scenario", [pytest.param(scenario, id=scenario.source) for scenario in library()]
)

STORY = """
name = "w"
[scenario]
symptom = "It fails."
cause = "The mode."
remedy = "Another mode."
"""


def test_there_are_scenarios_of_every_kind_that_people_meet() -> None:
    names = {scenario.source for scenario in library()}
    assert len(names) >= 25
    assert {"docker-sock-gid-mismatch", "home-0750", "squatting-in-tmp", "acl-and-chmod"} <= names


@every_scenario
def test_a_scenario_is_named_like_its_file_and_tells_a_story(scenario: Scenario) -> None:
    assert scenario.world.name == scenario.source
    assert scenario.world.about.endswith(".")
    assert scenario.story is not None


@every_scenario
def test_every_attempt_of_a_scenario_makes_a_claim_and_some_attempt_shows_the_trouble(scenario: Scenario) -> None:
    claims = [attempt.expect for attempt in scenario.world.attempts]
    assert None not in claims
    assert set(claims) - {"ok"} or scenario.source == "symlink-in-tmp-unprotected"


@every_scenario
def test_the_oracle_says_what_the_scenario_claims_under_the_settings_that_it_is_about(scenario: Scenario) -> None:
    decisions = predict(scenario.world, scenario.world.attempts, linux(scenario.world.sysctls))
    assert [
        (attempt.expect, attempt.at or decision.at)
        for attempt, decision in zip(scenario.world.attempts, decisions, strict=True)
    ] == [(decision.outcome, decision.at) for decision in decisions]


def test_the_same_symlink_is_followed_or_not_by_the_hosts_setting_alone() -> None:
    protected, unprotected = (find(f"symlink-in-tmp-{word}").world for word in ("protected", "unprotected"))
    assert replace(protected, name="", about="", sysctls={}, attempts=()) == replace(
        unprotected, name="", about="", sysctls={}, attempts=()
    )
    outcomes = [
        [decision.outcome for decision in predict(world, world.attempts, linux(world.sysctls))]
        for world in (protected, unprotected)
    ]
    assert outcomes == [["EACCES", "EACCES", "ok", "ok"], ["ok"] * 4]


def test_a_scenario_is_found_by_its_name_and_a_world_by_its_file(tmp_path: Path) -> None:
    assert find("home-0750").source == "home-0750"
    file = tmp_path / "home-0750"
    file.write_text('name = "mine"', encoding="utf-8")
    assert find(str(file)) == Scenario(str(file), loads('name = "mine"'), None)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("home-750", "no file, and no scenario of that name; did you mean home-0750?"),
        ("zzz", "no file, and no scenario of that name; `harness scenarios` lists them"),
        ("/nowhere/w.toml", "/nowhere/w.toml: No such file or directory"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(source: str, said: str) -> None:
    with pytest.raises(WorldError, match=said.replace("?", r"\?")):
        find(source)


def test_a_story_is_read_beside_the_world(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_text(STORY, encoding="utf-8")
    assert read(file).story == Story("It fails.", "The mode.", "Another mode.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (STORY.replace("remedy", "cure"), r"\[scenario\] tells symptom, cause, remedy: these three keys and no other"),
        ('name = "w"\nscenario = "x"', r"\[scenario\] tells symptom, cause, remedy"),
        (STORY.replace('"The mode."', "7"), r"scenario\.cause: must be a text in quotes"),
        (STORY.replace('"The mode."', '" "'), r"scenario\.cause: must be a text in quotes"),
    ],
)
def test_a_story_that_lacks_something_is_refused_with_the_key(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "w.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(WorldError, match=said):
        read(file)
