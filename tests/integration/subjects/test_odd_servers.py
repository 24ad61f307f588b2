"""A server that ends, waits or makes more than others do gets no verdict that says more than was seen of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.subjects.conftest import Check

    Found = dict[str, dict[str, Any]]

ODD = f"{Path(__file__).parent / 'odd.py'}"
OWN = "/tmp/odd/its.sock"
WHO = 'begin = "who"\nsend = "who {token}\\n"\nexpect = "you are (?P<uid>\\\\d+)"\n'
HELLO = 'begin = "hel"\nsend = "hello {token}\\n"\nexpect = "hello"\n'


@pytest.fixture
def found(check: Check, tmp_path: Path) -> Callable[..., Found]:
    """What these checks found of a server of `odd.py`, by their names."""

    def run(kind: str, *only: str, socket: str = "{socket}", dialect: str = "") -> Found:
        file = tmp_path / "odd.toml"
        text = f'name = "{kind}"\ncommand = "python3 {ODD} {kind} {socket}"\npatience = 5\n'
        text += "" if socket == "{socket}" else f'socket = "{socket}"\n'
        file.write_text(text + (f"[dialect]\n{dialect}" if dialect else ""), encoding="utf-8")
        done = check("--json", *(word for name in only for word in ("--only", name)), str(file))
        assert done.stdout, done.stderr
        return {result["check"]: result for result in map(json.loads, done.stdout.splitlines())}

    return run


def test_of_a_server_that_makes_its_directory_everything_is_looked_at_in_that(found: Callable[..., Found]) -> None:
    """What an earlier start has left, and what somebody else has made first."""
    seen = found("makes-its-directory", "traversal", "creation-window", "takeover-foreign", "squatting", socket=OWN)
    verdicts = {name: result["verdict"] for name, result in seen.items()}
    assert verdicts == {
        "traversal": "held",
        "creation-window": "held",
        "takeover-foreign": "broken",
        "squatting": "broken",
    }
    assert f"{OWN} was replaced by a socket" in seen["takeover-foreign"]["why"]
    assert "it serves in /tmp/odd, which another user had made first" in seen["squatting"]["why"]


def test_nothing_holds_of_a_server_that_ended_meanwhile_and_how_it_ended_is_said(found: Callable[..., Found]) -> None:
    seen = found("sigpipe", "descriptor-leak", dialect=HELLO)["descriptor-leak"]
    assert seen["verdict"] == "not known"
    assert "the server ended while it was attacked, by SIGPIPE" in seen["why"]


def test_a_server_that_ends_as_soon_as_somebody_comes_is_said_to_do_so(check: Check) -> None:
    done = check("--only", "mode", "--", "python3", ODD, "sigpipe", "{socket}")
    assert done.returncode == 2
    assert "the server ended as soon as root had come to it, by SIGPIPE" in done.stderr


def test_what_a_server_that_ended_did_not_do_is_laid_to_its_end(found: Callable[..., Found]) -> None:
    seen = found("brief", "mode")["mode"]
    assert seen["verdict"] == "broken"
    assert "the server ended while it was attacked, with status 0" in seen["why"]
    assert seen["mend"].startswith("Keep the server running whatever a client does")


def test_a_server_that_serves_one_after_the_other_is_asked_who_they_are_in_ten_seconds(
    found: Callable[..., Found],
) -> None:
    begun = time.monotonic()
    seen = found("serial", "identity", dialect=WHO)["identity"]
    assert seen["verdict"] == "held"
    assert time.monotonic() - begun < 60  # on a machine that may be busy


def test_whoever_waits_in_a_full_queue_is_not_said_to_be_kept_out(found: Callable[..., Found]) -> None:
    seen = found("accepts-nobody", "mode")["mode"]
    assert seen["verdict"] == "not known"
    assert "its queue is full" in seen["why"]


def test_the_mode_of_a_symlink_is_not_taken_for_that_of_a_socket(found: Callable[..., Found]) -> None:
    seen = found("symlink", "mode")["mode"]
    assert seen["verdict"] == "not known"
    assert "is a symlink, which has no mode of its own" in seen["why"]


def test_a_server_that_stops_its_parent_is_checked_all_the_same(check: Check) -> None:
    done = check(
        "--as", "root", "--only", "mode", "--patience", "5", "--", "python3", ODD, "stops-its-parent", "{socket}"
    )
    assert "1 held" in done.stdout, done.stderr


def test_a_server_that_answers_anything_does_not_speak_a_known_dialect(check: Check) -> None:
    done = check("--init", "--", "python3", ODD, "goodbye", "{socket}")
    assert 'speaks = "' not in done.stdout
    assert done.returncode == 0, done.stderr


def test_a_file_that_is_brought_in_stays_in_the_directory_that_is_brought_in_too(check: Check) -> None:
    done = check("--mount", ODD, "--only", "mode", "--mode", "0660", "--", "python3", ODD, "serial", "{socket}")
    assert "1 held" in done.stdout, done.stdout + done.stderr
