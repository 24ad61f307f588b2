"""The version stands in one place, the next one is made of it, and the changelog's section of it is found."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from typing import TYPE_CHECKING

import pytest

import harness.cli.main
import observatory
import observatory.cli.main
import release.version
from release.version import CHANGELOG, MODULE, ROOT, UNRELEASED, VersionError, bumped, notes, released, version
from tests.packaging.commands import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path


def test_the_version_stands_in_one_place_and_all_say_it() -> None:
    assert version(MODULE.read_text(encoding="utf-8")) == observatory.__version__
    assert importlib.metadata.version("claude-observatory") == observatory.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]


@pytest.mark.parametrize(
    ("old", "part", "new"), [("0.1.9", "patch", "0.1.10"), ("0.1.9", "minor", "0.2.0"), ("9.1.9", "major", "10.0.0")]
)
def test_the_next_version_is_one_part_higher(old: str, part: str, new: str) -> None:
    assert bumped(old, part) == new


def test_what_is_no_part_or_no_version_is_said() -> None:
    with pytest.raises(VersionError, match="'huge' is no part of a version: major, minor, patch"):
        bumped("0.1.0", "huge")
    with pytest.raises(VersionError, match="__version__"):
        version("__version__ = '1'")


def test_what_was_unreleased_is_dated_and_is_the_notes_of_the_version() -> None:
    text = f"# Changelog\n\n{UNRELEASED}### Added\n- A thing.\n\n## [0.1.0] - 2026-01-01\nThe first.\n"
    dated = released(text, "0.2.0", "2026-02-02")
    assert dated.index(UNRELEASED) < dated.index("## [0.2.0] - 2026-02-02") < dated.index("- A thing.")
    assert notes(dated, "0.2.0") == "### Added\n- A thing.\n"
    assert notes(dated, "0.1.0") == "The first.\n"
    with pytest.raises(VersionError, match="nothing under"):
        released(dated, "0.3.0", "2026-03-03")
    with pytest.raises(VersionError, match=re.escape("no section ## [9.9.9]")):
        notes(dated, "9.9.9")


def test_the_changelog_has_something_to_release() -> None:
    assert notes(CHANGELOG.read_text(encoding="utf-8"), "Unreleased")


def test_bump_writes_both_and_nothing_if_one_can_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, changelog = tmp_path / "module.py", tmp_path / "CHANGELOG.md"
    module.write_text('"""A module."""\n\n__version__ = "0.1.0"\n')
    changelog.write_text(f"# Changelog\n\n{UNRELEASED}- A thing.\n")
    monkeypatch.setattr(release.version, "MODULE", module)
    monkeypatch.setattr(release.version, "CHANGELOG", changelog)
    monkeypatch.setattr("sys.argv", ["bump", "minor"])
    assert release.version.main() == 0
    assert version(module.read_text()) == "0.2.0"
    assert notes(changelog.read_text(), "0.2.0") == "- A thing.\n"
    assert release.version.main() == 2
    assert version(module.read_text()) == "0.2.0"
    assert capsys.readouterr().err.startswith("bump: ")


def test_every_command_is_in_the_matrix_of_installs() -> None:
    there = {("observatory", name) for name in observatory.cli.main.COMMANDS}
    there |= {("harness", name) for name in harness.cli.main.COMMANDS}
    assert {(command.program, command.name) for command in COMMANDS} == there
