"""Somebody else tests somebody else's server with our plugin, by the words of the documentation."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.conftest import Project

CASES = 7 + 2 + 3 + 1 + 2 + 1


def test_the_example_of_the_documentation_passes_as_it_is_on_two_workers_in_random_order(project: Project) -> None:
    done = project.pytest("-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{CASES} passed" in done.stdout


def test_the_plugin_of_the_wheel_is_the_one_that_runs(project: Project) -> None:
    done = project.command("pytest", "--markers")
    assert "@pytest.mark.harness_checks(*names)" in done.stdout
    where = project.command("inspect", "harness.pytest_plugin.plugin", "--details").stdout
    assert str(project.python.parents[1]) in where


def test_a_failing_check_prints_commands_that_show_it_again(
    project: Project, change: Callable[[str, str, str], None]
) -> None:
    change("guestbook.py", "os.umask(0o777 & ~int(mode, 8))", "os.umask(0)")
    done = project.pytest("-k", "holds and mode")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "0660 is asked for, it has 0777" in done.stdout
    _, _, section = done.stdout.partition("to see it again")
    by_pytest, by_check = section.splitlines()[1:3]
    again = project.command(*shlex.split(by_pytest))
    assert again.returncode == 1
    assert "1 failed" in again.stdout
    again = project.command(*shlex.split(by_check))
    assert again.returncode == 1, again.stdout + again.stderr
    assert "BROKEN  mode" in again.stdout


def test_a_failing_test_of_a_world_says_how_to_see_it_again(
    project: Project, change: Callable[[str, str, str], None]
) -> None:
    change("office.toml", 'mode = "0750"', 'mode = "0755"')
    change("guestbook.py", "os.umask(0o777 & ~int(mode, 8))", "os.umask(0)")
    done = project.pytest("-k", "eve")
    assert done.returncode == 1
    assert f"--harness-engine {project.engine}" in done.stdout.partition("to see it again")[2]


def test_a_test_without_a_server_is_told_what_is_missing(project: Project) -> None:
    (project.directory / "test_guestbook.py").write_text("def test_it(harness_server):\n    pass\n", encoding="utf-8")
    done = project.pytest()
    assert done.returncode != 0
    assert "needs @pytest.mark.harness_server(" in done.stdout
