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


def test_what_nobody_knows_is_one_sentence(project: Project) -> None:
    server = '@pytest.mark.harness_server("python3", "/srv/guestbook/guestbook.py", "{socket}"%s)'
    for marks, fixture, sentence in (
        (
            server % "" + '\n@pytest.mark.harness_checks("mod")',
            "harness_check",
            "there is no 'mod'; there are mode, traversal",
        ),
        (server % ', speaks="mine"', "harness_server", "no dialect is named 'mine'; there are hooks"),
        (server % ', mod="0660"', "harness_server", "there is no key 'mod'"),
        (
            server % "" + '\n@pytest.mark.harness_users("nosuch")',
            "harness_user",
            "there is no 'nosuch'; there are root",
        ),
        ('@pytest.mark.harness_server("nosuch.toml")', "harness_server", "nosuch.toml can't be read"),
    ):
        test = f"import pytest\n\n\n{marks}\ndef test_it({fixture}):\n    pass\n"
        (project.directory / "test_guestbook.py").write_text(test, encoding="utf-8")
        done = project.pytest()
        assert done.returncode != 0, sentence
        assert sentence in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def test_a_subject_file_is_a_server_of_a_test(project: Project) -> None:
    (project.directory / "subject.toml").write_text(
        'command = "python3 /srv/guestbook/guestbook.py {socket} {mode}"\nmode = "0600"\nspeaks = "http"\n'
        '[expected]\nlifetime = "nothing removes the socket"\n',
        encoding="utf-8",
    )
    (project.directory / "test_guestbook.py").write_text(
        "import pytest\n\npytestmark = pytest.mark.harness_server('subject.toml')\n\n\n"
        "@pytest.mark.harness_checks('mode', 'lifetime')\ndef test_no_news(harness_check):\n"
        "    assert not harness_check.fails, harness_check.why\n\n\n"
        "def test_the_mode(harness_server):\n    assert harness_server.mode == 0o600\n",
        encoding="utf-8",
    )
    done = project.pytest()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
