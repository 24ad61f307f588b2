"""A subject file is to the plugin what it is to `harness check`: the tutorial's last step, and what a file can name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.plugin.conftest import Project

TEST = """
import pytest

pytestmark = pytest.mark.harness_server({mark})


def test_it_runs(harness_server):
    assert harness_server.ask("alice")["kind"] == "accepted"
"""


MOUNTS = """
import pytest


@pytest.fixture(scope="session")
def harness_mounts():
    return ["/usr:/srv/tutorial"]
"""


def wrote(project: Project, mark: str, **files: str) -> None:
    """Put one test of a server with this mark into the project in place of the tutorial's."""
    (project.directory / "test_server.py").write_text(TEST.format(mark=mark), encoding="utf-8")
    for name, text in files.items():
        (project.directory / f"{name}.toml").write_text(text, encoding="utf-8")


def test_the_last_step_of_the_tutorial_passes_as_it_is(tutorial: Project) -> None:
    done = tutorial.pytest()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_the_mounts_and_files_of_a_subject_file_are_in_the_place(tutorial: Project) -> None:
    command = (
        'setup = "touch {state}/made"\ncommand = "sh -c \'test -f /etc/server.conf && test -f {state}/made && '
        "exec python3 /srv/tutorial/better.py {socket} {mode}'\"\n"
    )
    files = '[files]\n"/etc/server.conf" = "a configuration"\n'
    wrote(tutorial, '"subject.toml"', subject=f'{command}mounts = [".:/srv/tutorial"]\n{files}')
    done = tutorial.pytest()
    assert done.returncode == 0, done.stdout + done.stderr


def test_servers_of_several_files_each_find_what_is_theirs(tutorial: Project) -> None:
    wrote(tutorial, '"subject.toml"')
    for name in ("one", "two"):
        (tutorial.directory / name).mkdir()
        script = tutorial.directory / name / "server.py"
        script.write_bytes((tutorial.directory / "better.py").read_bytes())
        (tutorial.directory / f"{name}.toml").write_text(
            f'command = "python3 /srv/server.py {{socket}} {{mode}}"\nmounts = ["{name}/server.py:/srv/server.py"]\n',
            encoding="utf-8",
        )
        test = TEST.format(mark=f'"{name}.toml"')
        (tutorial.directory / f"test_{name}.py").write_text(test, encoding="utf-8")
    done = tutorial.pytest()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_the_users_whom_a_subject_file_names_are_in_the_world_of_the_checks(tutorial: Project) -> None:
    command = f"python3 {tutorial.directory}/better.py {{socket}} {{mode}}"
    wrote(tutorial, '"subject.toml"', subject=f'command = "{command}"\nuser = "keeper"\n')
    (tutorial.directory / "test_server.py").write_text(
        TEST.format(mark='"subject.toml"').replace('"alice"', '"keeper"'), encoding="utf-8"
    )
    done = tutorial.pytest()
    assert done.returncode == 0, done.stdout + done.stderr


def test_keys_of_the_mark_are_taken_as_those_of_a_file(tutorial: Project) -> None:
    wrote(tutorial, '"python3", "/srv/tutorial/better.py", "{socket}", "{mode}", mounts=[".:/srv/tutorial"]')
    done = tutorial.pytest()
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_can_not_be_in_the_place_is_one_sentence(tutorial: Project) -> None:
    conftest = tutorial.directory / "conftest.py"
    kept = conftest.read_text(encoding="utf-8")
    here = f"python3 {tutorial.directory}/better.py {{socket}} {{mode}}"
    office = 'name = "office"\n[users.bob]\nuid = 1001\n'
    (tutorial.directory / "office.toml").write_text(office, encoding="utf-8")
    for subject, more, mark, sentence in (
        (f'command = "{here}"\nmounts = [".:/srv/tutorial"]\n', MOUNTS, "", "/srv/tutorial would be both /usr and"),
        ('command = "no-such-program {socket}"\n', "", "", "there is no program no-such-program"),
        (
            f'command = "{here}"\n',
            "",
            '\npytestmark = [pytestmark, pytest.mark.harness_world("office.toml")]\n',
            "has no user alice",
        ),
    ):
        wrote(tutorial, '"subject.toml"', subject=subject)
        test = tutorial.directory / "test_server.py"
        test.write_text(test.read_text(encoding="utf-8") + mark, encoding="utf-8")
        conftest.write_text(kept + more, encoding="utf-8")
        done = tutorial.pytest()
        assert done.returncode == 1, sentence
        assert sentence in done.stdout
