"""`harness check` on a command line: a server of which it is told the command and no more, and what people mistype."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli.main import main
from tests.helpers.outputs import wrong

if TYPE_CHECKING:
    from harness.engines.protocol import Engine
    from tests.integration.subjects.conftest import Check

HERE = Path(__file__).parent
PERL = ("perl", "/srv/hooks/hooks.pl", "{socket}")
"""A hook server in another language: a process for each client, and nothing removed at the end."""


def test_a_server_in_another_language_is_checked_by_its_command_alone(check: Check) -> None:
    only = [word for name in ("mode", "forgery", "umask", "lifetime") for word in ("--only", name)]
    done = check("--json", "--speaks", "hooks", "--mount", f"{HERE}:/srv/hooks", *only, "--", *PERL)
    assert done.returncode == 1, done.stderr
    results = {result["check"]: result for result in map(json.loads, done.stdout.splitlines())}
    assert {name: result["verdict"] for name, result in results.items()} == {
        "mode": "held",
        "forgery": "held",
        "umask": "not applicable",
        "lifetime": "broken",
    }
    assert results["forgery"]["evidence"]["stranger by payload"]["seen"]["uid"] == 1503
    assert all(result["why"] for result in results.values())
    assert wrong("check", results.values()) == []


def test_a_server_of_which_nothing_is_broken_ends_the_command_with_0(check: Check, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = check("--mount", f"{HERE}:/srv/hooks", "--only", "mode", "--html", str(page), "--", *PERL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 held" in done.stdout
    assert "0660 is asked for by the umask, it has 0660" in page.read_text(encoding="utf-8")


def test_a_server_that_does_not_start_is_said_to_be_one_and_why(check: Check) -> None:
    done = check("--", "sh", "-c", "echo no such luck >&2; exit 3", "{socket}")
    assert done.returncode == 2
    assert "sh can't be checked" in done.stderr
    assert "no such luck" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("postgres",), "there is no subject named 'postgres'"),
        (("--", "sleep", "1"), "write {socket} where its path belongs"),
        (("--only", "modes", "observatory"), "there is no check named 'modes'"),
        (("--mode", "0o660", "observatory"), "is not a mode"),
        (("--group", "nosuch", "--", *PERL), "the group nosuch would have no effect: write {group}"),
        (("--group", "nosuch", "tcp"), "tcp can't be told a group"),
        (("--as", "no body", "--", *PERL), "can't be a name"),
        (("--speaks", "gopher", "--", *PERL), "no dialect is named 'gopher'"),
        (
            ("--speaks", "http", "observatory"),
            "observatory is started with options of its own; --speaks is for a command of your own",
        ),
        (("--patience", "nan", "observatory"), "patience must be a number of seconds from 1 to 3600"),
        (("--starts", "0", "observatory"), "starts must be a whole number from 1 to 10000"),
        (("--own-check", "kin", "--", *PERL), "own_check names kin, who takes part only where a group is given"),
        (("--stop", "SIGNOTHING", "--", *PERL), "there is no signal 'SIGNOTHING'"),
        (("--html", "/missing/x.html", "observatory"), "/missing/x.html can't be written: No such file or directory"),
        (("--baseline", "/missing/x.json", "observatory"), "the baseline /missing/x.json can't be read"),
        (("nosuch.toml",), "nosuch.toml can't be read: No such file or directory"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    one_engine: Engine, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    try:
        status: object = main(["check", "--engine", one_engine.name, *words])
    except SystemExit as ended:
        status = ended.code
    said = " ".join(capsys.readouterr().err.split())  # it may be in lines as long as those of a terminal
    assert status == 2
    assert sentence in said


def test_a_program_that_is_nowhere_is_refused_with_a_sentence(check: Check) -> None:
    done = check("--", "no-such-program", "{socket}")
    assert done.returncode == 2
    assert "there is no program no-such-program, neither in the place nor" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_that_is_not_in_the_place_is_said_to_be_on_this_machine(check: Check, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    program = home / "served"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    done = check("--", str(program), "{socket}")
    assert done.returncode == 2, done.stdout
    assert f"{program} is on this machine, not in the place: --mount {home}" in done.stderr
    assert "b'" not in done.stderr


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the server, a program in it that other users reach; whoever types a command is there."""
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    program = tmp_path / "hooks.pl"
    program.write_text(f"#!/usr/bin/perl\n{(HERE / 'hooks.pl').read_text(encoding='utf-8')}", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_program_is_found_by_a_path_that_is_relative_to_where_one_is(check: Check, here: Path) -> None:
    for words in ((), ("--mount", "."), ("--mount", ".", "--chdir", str(here))):
        done = check("--only", "mode", *words, "--", "./hooks.pl", "{socket}")
        assert done.returncode == 0, (words, done.stderr)
    (here / "below").mkdir()
    file = here / "below" / "subject.toml"
    file.write_text('command = "../hooks.pl {socket}"\n', encoding="utf-8")
    done = check("--only", "mode", str(file))
    assert done.returncode == 0, done.stderr


def test_a_script_of_a_relative_path_runs_where_it_is_and_else_it_is_said_what_to_write(
    check: Check, here: Path
) -> None:
    server = ("--", "perl", "hooks.pl", "{socket}")
    assert check("--only", "mode", "--mount", ".", "--chdir", str(here), *server).returncode == 0
    for words in ((), ("--mount", ".")):
        done = check(*words, *server)
        assert done.returncode == 2, done.stdout
        assert f"hooks.pl is not in / of the place, where the command runs: write {here}/hooks.pl" in done.stderr
    done = check("--chdir", "/tmp", "--", "./hooks.pl", "{socket}")
    assert f"./hooks.pl is not in /tmp of the place, where the command runs: write {here}/hooks.pl" in done.stderr
    assert check("--only", "mode", "--", "perl", str(here / "hooks.pl"), "{socket}").returncode == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_broken_off_writes_what_was_found_and_that_the_rest_is_not_known(
    engine: Engine, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    page, junit = tmp_path / "page.html", tmp_path / "junit.xml"
    # The second one takes seconds, in which it is broken off.
    words = ["--mount", f"{HERE}:/srv/hooks", "--only", "mode", "--only", "creation-window", "--patience", "30"]
    command = [sys.executable, "-m", "harness", "check", "--engine", engine.name, "--json", *words]
    command += ["--html", str(page), "--junit", str(junit), "--", *PERL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["check"] == "mode"
        running.send_signal(number)
        said, errors = running.communicate(timeout=100)
    assert running.returncode == status
    (left,) = map(json.loads, said.splitlines())
    assert (left["check"], left["verdict"]) == ("creation-window", "not known")
    assert "--only creation-window" in left["reproduce"]
    assert "the run ended before 1 of its checks did" in errors
    for file in (page, junit):
        written = file.read_text(encoding="utf-8")
        assert "0660 is asked for by the umask" in written or file is junit
        assert "creation-window" in written
        assert "the run was interrupted before this check ended" in written
    assert 'name="mode"' in junit.read_text(encoding="utf-8")


def test_a_first_subject_file_is_written_and_can_be_checked(check: Check, tmp_path: Path) -> None:
    mount = f"{HERE}:/srv/hooks"
    written = check("--init", "--speaks", "hooks", "--mount", mount, "--", *PERL)
    assert written.returncode == 0, written.stderr
    file = tmp_path / "subject.toml"
    file.write_text(written.stdout + '\n[expected]\nlifetime = "nothing removes the socket"\n', encoding="utf-8")
    done = check("--json", "--only", "mode", "--only", "lifetime", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    results = {result["check"]: result for result in map(json.loads, done.stdout.splitlines())}
    assert results["lifetime"]["verdict"] == "broken"
    assert results["lifetime"]["expected"] == "nothing removes the socket"
    assert results["lifetime"]["mend"]


def test_a_baseline_leaves_what_was_broken_before_and_fails_for_what_is_new(check: Check, tmp_path: Path) -> None:
    words = ("--mount", f"{HERE}:/srv/hooks", "--only", "mode", "--only", "lifetime")
    before = check("--json", *words, "--", *PERL)
    assert before.returncode == 1
    baseline = tmp_path / "baseline.json"
    baseline.write_text(before.stdout, encoding="utf-8")
    assert check("--baseline", str(baseline), *words, "--", *PERL).returncode == 0
    wide = check(
        "--baseline",
        str(baseline),
        *words,
        "--",
        "sh",
        "-c",
        "umask 0; exec perl /srv/hooks/hooks.pl $0",
        "{socket}",
    )
    assert wide.returncode == 1
    assert "BROKEN  mode" in wide.stdout


WITH_A_MODE = (
    *("perl", "-MIO::Socket::UNIX", "-e"),
    "$s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9); chmod oct $ARGV[1], $ARGV[0]; sleep 1 while 1",
    "{socket}",
)


@pytest.mark.parametrize(("known", "now"), [("0666", "0777"), ("0640", "0600"), ("0444", "0000")])
def test_a_baseline_does_not_hide_a_mode_that_became_worse(check: Check, tmp_path: Path, known: str, now: str) -> None:
    baseline = tmp_path / "baseline.json"
    baseline.write_text(check("--json", "--only", "mode", "--", *WITH_A_MODE, known).stdout, encoding="utf-8")
    same = check("--baseline", str(baseline), "--only", "mode", "--", *WITH_A_MODE, known)
    assert (same.returncode, "it was broken in the same way" in same.stdout) == (0, True)
    worse = check("--baseline", str(baseline), "--only", "mode", "--", *WITH_A_MODE, now)
    assert (worse.returncode, f"it has {now}" in worse.stdout) == (1, True)
