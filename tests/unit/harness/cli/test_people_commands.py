"""The commands for people, in this process and without a place: what they say, and how they end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from harness.cli.exit_status import AGREE, DISAGREE, USAGE
from harness.cli.main import main
from harness.engines.protocol import Facts, Observation
from harness.scenarios import library
from harness.world import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.world import Attempt, World

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="explain and capture read Linux's /proc")


class Obedient:
    """An engine and its place, whose kernel refuses everything with one errno."""

    name = "obedient"
    facts = Facts("obedient", "6.18", "x86_64", "3.11", {})
    outcome = "EACCES"

    def open(self, **_: object) -> Obedient:
        return self

    def __enter__(self) -> Obedient:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def build(self, world: World) -> None:
        pass

    def attempt(self, attempts: Sequence[Attempt]) -> list[Observation]:
        return [Observation(self.outcome) for _ in attempts]

    def interactive(self, _: object) -> list[str]:
        return ["sh", "-c", "exit 7"]


@pytest.fixture
def obedient(monkeypatch: pytest.MonkeyPatch) -> Obedient:
    made = Obedient()
    for command in ("run", "shell"):
        monkeypatch.setattr(f"harness.cli.{command}.choose", lambda *_asked: made)
    return made


@pytest.fixture
def world(tmp_path: Path) -> Path:
    file = tmp_path / "my world.toml"
    file.write_text(
        'name = "w"\n[users.ali]\nuid = 1000\n[[nodes]]\npath = "/run/s"\nkind = "socket"\nmode = "0600"\n'
        '[[attempts]]\nuser = "ali"\noperation = "connect"\npath = "/run/s"\n',
        encoding="utf-8",
    )
    return file


@pytest.fixture
def closed() -> Iterator[str]:
    """A socket that only its owner may use, under a short path."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="cli-") as folder, socket.socket(socket.AF_UNIX) as server:
        os.chmod(folder, 0o711)
        server.bind(f"{folder}/s")
        server.listen()
        os.chmod(f"{folder}/s", 0o600)
        yield f"{folder}/s"


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_a_run_in_which_all_agree_ends_with_0_and_one_in_which_not_with_1(
    obedient: Obedient, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(world)]) == AGREE
    assert "all agree" in said(capsys)[0]
    obedient.outcome = "ok"
    assert main(["run", str(world)]) == DISAGREE
    assert "1 DISAGREE" in said(capsys)[0]


def test_json_goes_to_standard_output_alone_and_what_disagrees_is_told_beside_it(
    obedient: Obedient, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    obedient.outcome = "ENOENT"
    assert main(["run", str(world), "--json"]) == DISAGREE
    out, err = said(capsys)
    attempt, summary = map(json.loads, out.splitlines())
    assert attempt["verdict"] == "disagree"
    assert summary["disagreements"] == 1
    assert err == "harness: ali connect /run/s: the oracle says EACCES, the kernel did ENOENT\n"


@pytest.mark.usefixtures("obedient")
def test_the_reports_are_written_where_they_are_wanted(world: Path, tmp_path: Path) -> None:
    page, suite = tmp_path / "r.html", tmp_path / "r.xml"
    assert main(["run", str(world), "--html", str(page), "--junit", str(suite)]) == AGREE
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    (case,) = ElementTree.parse(suite).iter("testcase")
    assert case.get("name") == "ali connect /run/s"
    properties = {one.get("name"): one.get("value") for one in ElementTree.parse(suite).iter("property")}
    assert properties["reproduce"] == f"harness run '{world}' --engine obedient"


@pytest.mark.usefixtures("obedient")
def test_a_report_that_cannot_be_written_is_said_in_one_sentence(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(world), "--html", str(tmp_path / "none" / "r.html")]) == USAGE
    assert said(capsys)[1] == f"harness: {tmp_path}/none/r.html can't be written: No such file or directory\n"


@pytest.mark.usefixtures("obedient")
def test_a_world_that_is_kept_is_told_with_the_way_in(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["run", str(world), "--keep"]) == AGREE
    assert "look around in it with: sh -c 'exit 7'" in said(capsys)[1]


@pytest.mark.parametrize("command", [["run"], ["shell", "--as", "ali"]])
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "No such file or directory"),
        ("name = ", ":1: "),
        ('name = "w"\n[[nodes]]\npath = "/x"\nkind = "pipe"', "nodes[0].kind: 'pipe' is none of"),
    ],
)
@pytest.mark.usefixtures("obedient")
def test_a_world_that_makes_no_sense_ends_with_2_and_one_sentence(
    command: list[str], text: str | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "w.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert main([command[0], str(file), *command[1:]]) == USAGE
    out, err = said(capsys)
    assert not out
    assert err.startswith(f"harness: {file}")
    assert complaint in err
    assert len(err.splitlines()) == 1


@pytest.mark.usefixtures("obedient")
def test_a_shell_ends_with_its_own_status(world: Path) -> None:
    assert main(["shell", str(world), "--as", "ali"]) == 7


@pytest.mark.usefixtures("obedient")
def test_a_shell_for_somebody_who_is_not_there_names_those_who_are(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["shell", str(world), "--as", "bob"]) == USAGE
    assert said(capsys)[1] == f"harness: {world}: no user is named 'bob'; there are root, ali\n"


@linux_only
def test_a_reader_that_has_gone_hears_no_complaint() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody_reads:
        command = [sys.executable, "-m", "harness", "explain", "/tmp"]
        done = subprocess.run(command, stdout=nobody_reads, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


def test_the_scenarios_are_listed_with_their_symptoms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios"]) == AGREE
    out, _ = said(capsys)
    heads = [line for line in out.splitlines() if line[:1].isalpha()]
    for scenario in library():
        assert any(line.startswith(f"{scenario.source}  ") for line in heads)
    assert "The socket is 0777 and nginx still gets EACCES." in out


@linux_only
def test_explain_ends_with_0_for_who_may_and_with_1_for_who_may_not(
    closed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", closed]) == AGREE
    assert f"connect {closed}: ok\n" in said(capsys)[0]
    assert main(["explain", closed, "--uid", "64000"]) == DISAGREE
    assert f"uid-64000 [uid 64000, gid 64000, groups none] connect {closed}: EACCES at {closed}\n" in said(capsys)[0]


@linux_only
def test_capture_writes_what_decides_and_no_other_name(
    closed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(closed).with_name("a-neighbour").touch()
    output = tmp_path / "world.toml"
    assert main(["capture", closed, "--uid", "64000", "--groups", "64001", "-o", str(output)]) == AGREE
    assert said(capsys)[0] == f"EACCES at {closed}; run it anywhere: harness run {output}\n"
    text = output.read_text(encoding="utf-8")
    assert "neighbour" not in text
    world = load(output)
    (attempt,) = world.attempts
    assert (attempt.user, attempt.expect, attempt.at) == ("uid-64000", "EACCES", closed)
    assert [node.path for node in world.nodes] == ["/tmp", str(Path(closed).parent), closed]
    assert world.nodes[-1].state == "listening"
    assert {world.uid(user.name) for user in world.users} <= {0, 64000, os.getuid()}
    assert world.principal("uid-64000").groups == (64001,)
    assert "fs.protected_symlinks" in world.sysctls


@linux_only
def test_a_capture_that_cannot_be_written_is_said_in_one_sentence(
    closed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["capture", closed, "-o", str(tmp_path / "none" / "w.toml")]) == USAGE
    assert said(capsys)[1] == f"harness: {tmp_path}/none/w.toml can't be written: No such file or directory\n"


@linux_only
def test_a_name_that_no_world_file_can_hold_is_not_captured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "w.toml"
    assert main(["capture", os.fsdecode(b"/tmp/\xff"), "-o", str(output)]) == USAGE
    assert (
        said(capsys)[1] == "harness: /tmp/\\udcff can't be expressed in a world file: the path is not valid Unicode\n"
    )
    assert not output.exists()


@pytest.mark.parametrize("arguments", [["explain", "/x", "--mode", "9"], ["explain", "/x", "--uid", "1", "--pid", "1"]])
def test_arguments_that_make_no_sense_end_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == USAGE


@pytest.mark.parametrize("command", ["explain /tmp", "capture /tmp -o w.toml"])
def test_on_another_system_than_linux_they_say_so(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert main(command.split()) == 69
    name = command.split(maxsplit=1)[0]
    assert capsys.readouterr().err == (
        f"harness: {name} reads what Linux tells of mounts and processes, and this is Darwin: write a world, and "
        "`harness run` it\n"
    )
