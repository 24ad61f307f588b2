"""A report that can't be written loses no other, and is said after the summary, or before anything is done."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from harness.cli.main import main
from harness.report import output_file

if TYPE_CHECKING:
    from pathlib import Path

    from harness.engines.protocol import Engine

PERL = (
    *("perl", "-MIO::Socket::UNIX", "-e"),
    "$s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9); sleep 1 while 1",
    "{socket}",
)
ROOM = 5000
"""Bytes: what a run's page and SARIF have more of, and all else less."""


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file gets longer while one is written; whatever else a run writes has room."""
    write = output_file.write_output

    def write_in_little_room(file: Path, text: str) -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, limits[1]))
        try:
            write(file, text)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    monkeypatch.setattr(output_file, "write_output", write_in_little_room)


@pytest.mark.usefixtures("little_room")
def test_a_check_writes_all_that_can_be_written_and_says_the_rest_after_its_summary(
    one_engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {kind: tmp_path / kind for kind in ("sarif", "html", "junit", "markdown")}
    words = [word for kind, file in files.items() for word in (f"--{kind}", str(file))]
    assert main(["check", "--engine", one_engine.name, "--only", "mode", *words, "--", *PERL]) == 74
    said = capsys.readouterr()
    assert "1 held (" in said.out
    assert f"harness: {files['sarif']} can't be written: File too large\n" in said.err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["html", "junit", "markdown"]


@pytest.mark.usefixtures("little_room")
def test_a_run_writes_all_that_can_be_written_and_says_the_rest_after_its_summary(
    one_engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, junit = tmp_path / "page", tmp_path / "junit"
    words = ["--html", str(page), "--junit", str(junit)]
    assert main(["run", "home-0750", "--engine", one_engine.name, *words]) == 74
    said = capsys.readouterr()
    assert "all agree" in said.out
    assert said.err == f"harness: {page} can't be written: File too large\n"
    assert [file.name for file in tmp_path.iterdir()] == ["junit"]


@pytest.mark.parametrize("command", [("run", "home-0750"), ("check", "--only", "mode", "--", *PERL), ("merge", "none")])
def test_two_reports_with_one_name_are_refused_before_anything_is_done(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, *words = command
    assert main([name, "--html", "x", "--junit", str(tmp_path / "x"), *words]) == 2
    said = f"harness: {tmp_path}/x is not written: two outputs have this name; give each a name of its own\n"
    assert capsys.readouterr() == ("", said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "/proc/x"])
def test_a_report_that_cannot_be_written_is_refused_before_anything_is_done(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, *words in (["run", "home-0750"], ["check", "--", *PERL], ["merge", "none"]):
        assert main([command, "--html", name, *words]) == 2
        out, err = capsys.readouterr()
        assert (out, err.startswith(f"harness: {name or '.'} ")) == ("", True)
