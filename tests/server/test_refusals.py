"""What is refused at the start: one sentence, the right exit status, and nothing destroyed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.helpers.deadline import PATIENCE
from tests.helpers.forked_command import run
from tests.helpers.observatory_command import command, environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helpers.observatory_server import ObservatoryServer

DONE, FAILED, USAGE, NOT_PERMITTED = 0, 1, 2, 77


def refused(directory: Path, *arguments: str) -> tuple[int, str]:
    """The exit status and the sentence of a server that doesn't start."""
    done = run(("serve", *arguments), environment(directory), PATIENCE)
    assert done.stdout == ""
    assert re.fullmatch(r"[^\n]+\n", done.stderr), done.stderr
    return done.returncode, done.stderr[:-1]


@pytest.mark.parametrize("mode", ["4660", "888", "-1", ""])
def test_a_mode_that_is_none(directory: Path, mode: str) -> None:
    status, sentence = refused(directory, "--socket", f"{directory}/s", f"--mode={mode}")
    assert status == USAGE
    assert sentence.startswith(f"mode {mode!r} ")
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--group", "no-such-group"], "no group named 'no-such-group'"),
        (["--readers", "no-such-group"], "no group named 'no-such-group'"),
        (["--retain", "90"], "is not a time such as 90d"),
        (["--retain", "0d"], "is not a time such as 90d"),
        (["--tee"], "--output-socket, which is missing"),
        (["--pretty-json", "--output-socket", "o"], "add --tee"),
    ],
)
def test_options_that_make_no_sense(directory: Path, arguments: list[str], says: str) -> None:
    status, sentence = refused(directory, "--socket", f"{directory}/s", *arguments)
    assert status == USAGE
    assert says in sentence
    assert list(directory.iterdir()) == []


def test_a_directory_that_is_not_there(directory: Path) -> None:
    status, sentence = refused(directory, "--socket", f"{directory}/no/s")
    assert (status, f"the directory {directory}/no does not exist" in sentence) == (FAILED, True)
    assert list(directory.iterdir()) == []


def test_a_name_that_is_too_long(directory: Path) -> None:
    path = f"{directory}/" + "x" * 100
    status, sentence = refused(directory, "--socket", path)
    assert (status, f"has {len(path)} bytes" in sentence) == (USAGE, True)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: path.write_text("precious"), "a regular file"),
        (lambda path: path.mkdir(), "a directory"),
        (lambda path: path.symlink_to("elsewhere"), "a symbolic link"),
    ],
)
def test_a_name_that_is_taken(directory: Path, make: Callable[[Path], object], kind: str) -> None:
    make(directory / "s")
    before = (directory / "s").lstat()
    status, sentence = refused(directory, "--socket", f"{directory}/s")
    assert (status, f"is taken by {kind}" in sentence) == (FAILED, True)
    assert (directory / "s").lstat() == before


def test_a_live_server_of_its_own_kind(server: ObservatoryServer) -> None:
    status, sentence = refused(server.output.parent, "--socket", server.path, "--database", f"{server.database}2")
    assert (status, sentence) == (FAILED, f"a server already listens on {server.path}")
    assert server.send() == 200


def test_a_live_server_of_any_kind(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{directory}/s")
        other.listen()
        status, sentence = refused(directory, "--socket", f"{directory}/s")
        assert (status, sentence) == (FAILED, f"a server already listens on {directory}/s")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{directory}/s")


def test_a_database_that_another_server_uses_leaves_no_socket(server: ObservatoryServer, directory: Path) -> None:
    status, sentence = refused(directory, "--socket", f"{directory}/two", "--database", server.database)
    assert (status, "another server uses the database" in sentence) == (FAILED, True)
    assert not (directory / "two").exists()
    assert server.send() == 200


def test_a_database_in_a_place_that_is_not_there(directory: Path) -> None:
    status, sentence = refused(directory, "--socket", f"{directory}/s", "--database", f"{directory}/no/db")
    assert (status, "there is no directory" in sentence) == (FAILED, True)
    assert list(directory.iterdir()) == []


def test_a_database_that_is_none(directory: Path) -> None:
    (directory / "db").write_text("a letter, and no database at all" * 100)
    status, sentence = refused(directory, "--socket", f"{directory}/s", "--database", f"{directory}/db")
    assert (status, "file is not a database" in sentence) == (FAILED, True)
    assert (directory / "db").read_text().startswith("a letter")
    assert not (directory / "s").exists()


def test_an_output_socket_that_cannot_be_leaves_no_socket(directory: Path) -> None:
    arguments = ("--socket", f"{directory}/s", "--output-socket", f"{directory}/no/o")
    assert refused(directory, *arguments)[0] == FAILED
    assert list(directory.iterdir()) == []


@pytest.fixture
def stranger() -> list[str]:
    """What makes a command run as a user who is nobody in particular."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("needs root, and util-linux's setpriv, to be someone else")
    return [setpriv, "--reuid=4711", "--regid=4711", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]


def test_a_directory_where_it_may_not_write(directory: Path, stranger: list[str]) -> None:
    status, sentence = refused_as(stranger, directory, "--socket", f"{directory}/s")
    assert status == NOT_PERMITTED
    assert sentence == f"cannot make {directory}/s: uid 4711 may not write in the directory {directory}"


def test_a_directory_where_it_may_not_search(directory: Path, stranger: list[str]) -> None:
    (directory / "closed").mkdir(mode=0o700)
    status, sentence = refused_as(stranger, directory, "--socket", f"{directory}/closed/s")
    assert status == NOT_PERMITTED
    assert f"uid 4711 may not write in the directory {directory}/closed" in sentence


def test_a_group_that_it_is_no_member_of(directory: Path, stranger: list[str]) -> None:
    directory.chmod(0o777)
    status, sentence = refused_as(stranger, directory, "--socket", f"{directory}/s", "--group", "0")
    assert (status, "uid 4711 is not a member of it" in sentence) == (NOT_PERMITTED, True)
    assert list(directory.iterdir()) == []


def test_a_dead_server_of_another_user(directory: Path, stranger: list[str]) -> None:
    directory.chmod(0o777)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{directory}/s")
    (directory / "s").chmod(0o666)
    before = (directory / "s").lstat()
    status, sentence = refused_as(stranger, directory, "--socket", f"{directory}/s")
    assert (status, "is a socket of uid 0, not of uid 4711" in sentence) == (FAILED, True)
    assert (directory / "s").lstat() == before


def test_no_home_and_no_database_named(directory: Path, stranger: list[str]) -> None:
    directory.chmod(0o777)
    (directory / "home").mkdir(mode=0o755)
    status, sentence = refused_as(
        stranger, directory, "--socket", f"{directory}/s", database=False, home=f"{directory}/home"
    )
    assert (status, "cannot make the directory" in sentence, "--database" in sentence) == (NOT_PERMITTED, True, True)
    assert not (directory / "s").exists()


def refused_as(
    prefix: list[str], directory: Path, *arguments: str, database: bool = True, home: str = "/nonexistent"
) -> tuple[int, str]:
    python = interpreter(prefix)
    more = ["--database", f"{directory}/db"] if database else []
    done = subprocess.run(
        [*prefix, *python, "serve", *arguments, *more],
        env={**environment(directory), "HOME": home},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd="/",
    )
    assert re.fullmatch(r"[^\n]+\n", done.stderr), done.stderr
    return done.returncode, done.stderr[:-1]


def interpreter(prefix: list[str]) -> list[str]:
    """This very interpreter and program, if the other user may read them."""
    python = command()
    if subprocess.run([*prefix, *python, "--help"], capture_output=True, check=False, cwd="/").returncode != 0:
        pytest.skip("another user may not run this interpreter, or not read this program")
    return python
