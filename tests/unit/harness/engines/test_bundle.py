"""What is sent into a place: every program begins with what was sent, and nothing more is sent than it imports."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.engines import bundle
from harness.inside.delivery import OPTIONS

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = [
    *(f"harness.inside.agent.{name}" for name in ("main", "entrance", "guard", "init")),
    *("harness.inside.caller", "harness.inside.peers.cases", "harness.inside.peers.set_user_id"),
    *(
        f"harness.inside.probes.{file.stem}"
        for file in sorted((bundle.INSIDE / "probes").glob("*.py"))
        if "\ndef main(" in file.read_text(encoding="utf-8")
    ),
]


def file(name: str) -> Path | None:
    path = bundle.INSIDE.joinpath(*name.split(".")[2:])
    return next((each for each in (path / "__init__.py", path.with_suffix(".py")) if each.is_file()), None)


def imports(name: str) -> set[str]:
    """What a module of harness.inside imports of it when it runs, and the package that it is in, by its grammar."""
    module = file(name)
    assert module is not None, name
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    found = {name.rpartition(".")[0]} - {"harness"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("harness.inside."):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        assert not isinstance(node, ast.Import) or not any(alias.name.startswith("harness") for alias in node.names)
    return {each for each in found if file(each) is not None}


def needed(program: str) -> set[str]:
    found: set[str] = set()
    ahead = [program]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += imports(name)
    return found


def run(command: list[str], said: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command, *words], input=said, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("program", PROGRAMS)
def test_just_the_modules_that_a_program_imports_are_sent(program: str) -> None:
    assert set(bundle.sources(program)) == needed(program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_types_alone_are_never_sent(program: str) -> None:
    assert not {"harness.inside.messages", "harness.inside.reports"} & set(bundle.sources(program))


def test_there_is_no_program_of_that_name() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"there is no program harness\.inside\.probes\.luck"):
        bundle.sources("harness.inside.probes.luck")


def test_a_program_begins_with_its_arguments_and_the_rest_of_the_input_is_its_own(tmp_path: Path) -> None:
    nobody = json.dumps({"to": str(tmp_path / "nobody"), "target": "/", "body": {}})
    done = run(list(bundle.COMMAND[1:]), f"{bundle.delivery('harness.inside.caller')}{nobody}\n{nobody}\n")
    assert [json.loads(line)["outcome"] for line in done.stdout.splitlines()] == ["ENOENT", "ENOENT"]


def test_a_program_that_was_compiled_here_begins_too_and_the_rest_of_the_input_is_its_own(tmp_path: Path) -> None:
    nobody = json.dumps({"to": str(tmp_path / "nobody"), "target": "/", "body": {}})
    done = run(list(bundle.COMMAND[1:]), f"{bundle.compiled_delivery('harness.inside.caller')}{nobody}\n{nobody}\n")
    assert [json.loads(line)["outcome"] for line in done.stdout.splitlines()] == ["ENOENT", "ENOENT"]
    said = bundle.compiled_delivery("harness.inside.probes.listing", paths=["/nothing"])
    assert json.loads(run(list(bundle.COMMAND[1:]), said).stdout) == {"/nothing": None}


@pytest.mark.parametrize("program", ["harness.inside.agent.main", "harness.inside.agent.entrance"])
def test_what_is_sent_compiled_is_not_compiled_there(program: str) -> None:
    """But for the loader, which is sent on as text."""
    found = bundle._compiled(program)
    assert set(found) == needed(program)
    assert {name for name, code in found.items() if isinstance(code, str)} <= {"harness.inside.loader"}


def test_paths_in_what_was_sent_may_become_other_paths() -> None:
    """As they do on their way to the machine itself: only those in the arguments count."""
    said = bundle.delivery("harness.inside.probes.listing", paths=["/usr/nothing"]).replace("/usr", "/proc/longer")
    assert json.loads(run(list(bundle.COMMAND[1:]), said).stdout) == {"/proc/longer/nothing": None}


def test_a_self_contained_program_needs_no_input(tmp_path: Path) -> None:
    text = bundle.self_contained("harness.inside.probes.listing", paths=[str(tmp_path), "/nothing"])
    said = json.loads(run([*OPTIONS, text], "").stdout)
    assert (said[str(tmp_path)]["kind"], said["/nothing"]) == ("directory", None)


def test_a_program_of_another_package_is_sent_with_what_it_needs_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stranger.py").write_text(
        "import sys\nfrom harness.inside import errnos\n\n\ndef main(number):\n"
        "    print(errnos.name(OSError(number, '')), *sys.argv[1:])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert set(bundle.sources("stranger")) == {"stranger", "harness.inside", "harness.inside.errnos"}
    text = bundle.self_contained("stranger", number=2)
    assert run([*OPTIONS, text], "", "word").stdout == "ENOENT word\n"


def test_an_input_that_ends_too_early_ends_the_start() -> None:
    command = [sys.executable, *bundle.COMMAND[1:]]
    assert subprocess.run(command, input=b"000", capture_output=True, check=False).returncode == 1
