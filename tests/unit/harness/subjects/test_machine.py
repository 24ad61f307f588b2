"""What of this machine a command needs in a place is found, and brought in only where that is safe."""

from __future__ import annotations

import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from harness.subjects import machine
from harness.subjects.description import described

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program in somebody's project."""
    file = tmp_path / "project" / "bin" / "served"
    file.parent.mkdir(parents=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_the_directory_of_a_program_and_of_a_script_is_brought_in(program: Path) -> None:
    project = str(program.parents[1])
    script = program.parents[1] / "served.py"
    script.write_text("")
    assert machine.derived_mounts([str(program), "{socket}"], []) == (project,)
    assert machine.derived_mounts(["sh", str(script), "--x=/nowhere"], []) == (project,)
    assert machine.derived_mounts([str(program)], [f"{project}:/srv/x"]) == ()


def test_nothing_of_the_system_and_no_home_is_brought_in(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.derived_mounts(["sh", "/etc/passwd"], []) == ()
    monkeypatch.setattr(Path, "home", lambda: program.parents[1])
    assert machine.derived_mounts([str(program)], []) == ()
    monkeypatch.setattr(Path, "home", lambda: Path("/nowhere"))
    (program.parents[1] / ".ssh").mkdir()
    assert machine.derived_mounts([str(program)], []) == ()


def test_accounts_are_found_where_they_are_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [SimpleNamespace(pw_name=name, pw_uid=uid) for name, uid in (("www-data", 33), ("bind", 53), ("eve", 1000))]
    monkeypatch.setattr(pwd, "getpwall", lambda: known)
    table: dict[str, Any] = {"command": "served --bind {socket} --user=www-data --user eve"}
    assert machine.named_accounts(described(table, Path()).subject) == ("www-data",)
    table = {"command": "served {socket}", "files": {"/x": "<user>bind</user>"}}
    assert machine.named_accounts(described(table, Path()).subject) == ("bind",)


class Place:
    """A place that has some files, and a user who reaches some of them."""

    def __init__(self, there: set[str], readable: set[str]) -> None:
        self.there, self.readable = there, readable

    def run(self, command: list[str], who: Any) -> Any:
        has = self.there if "-e" in command else self.readable
        return SimpleNamespace(status=0 if command[-1] in has else 1)


def test_what_is_not_in_the_place_is_said_with_the_way_to_bring_it_in(program: Path) -> None:
    who: Any = None

    def missing(command: list[str], there: set[str], readable: set[str], packages: Sequence[str] = ()) -> str | None:
        place: Any = Place(there, readable)
        return machine.missing(place, command, who, packages)

    path, project = str(program), str(program.parents[1])
    assert (
        missing([path], set(), set())
        == f"{path} is on this machine, not in the place: --mount {project} (in a subject file: mounts)"
    )
    assert missing([path], {path}, {path}) is None
    assert "may not reach it" in str(missing([path], {path}, set()))
    nowhere = str(missing(["no-such-program"], set(), set()))
    assert nowhere == "there is no program no-such-program, neither in the place nor on this machine"
    assert missing(["no-such-program"], set(), set(), ["a", "b"]) == f"{nowhere}: install Debian's a and b"
    assert "/bin/sh is on this machine, not in the place: packages" in str(missing(["sh"], set(), set()))
    script = program.with_suffix(".py")
    script.write_text("")
    assert f"{script} is on this machine" in str(missing([path, str(script)], {path}, {path}))
