"""What the README and documents about explaining, scenarios, reports and checks show is what the commands say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomlkit

from harness.scenarios import find, library
from tests.helpers.directories import short_directory
from tests.helpers.documents import console_commands
from tests.helpers.harness_command import ENVIRONMENT, MOUNTS
from tests.helpers.places import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.engines.protocol import Engine, Place

DOCS = Path(__file__).parents[3] / "docs"
DOCUMENTS = (
    "../README.md",
    "checks.md",
    "explain.md",
    "index.md",
    "reports.md",
    "scenarios.md",
    "tutorial-connect.md",
    "tutorial-daemon.md",
)
VARIES = (
    (r"engine \w+, Linux [^ ,]+(, fs\.protected_\w+=\d)*", "ENGINE"),
    (r"--engine \w+", "--engine ENGINE"),
    (r"\(\w+, Linux [^ ,]+, \d+ s\)", "(ENGINE)"),
    (r'"engine":"[^"]*","kernel":"[^"]*","sysctls":\{[^}]*\}', "ENGINE"),
    (r'"pid":\d+', "PID"),
    (r"process \d+ \([\w.]+\)", "PROCESS"),
    (r"python3 \(\d+\)", "PROCESS"),
    (r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d; queue \d+ of \d+", "SINCE"),
    (r'"(fs\.protected_\w+)" = \d', r"\1"),
    (r"(?m)^  layer  (SELinux|Landlock|AppArmor|other modules|not active).*\n?", ""),
)
"""What differs between machines and runs; all else must be as it is written."""


FUNCTION = 'harness() { "$PYTHON" -m harness "$@"; }; '


@dataclass(frozen=True)
class Example:
    """A command of documents; `world` and `user` name the place where it is given."""

    world: str | None
    user: str
    command: str
    files: tuple[tuple[str, str], ...]
    """What a reader has written by then: the name and the text of each file of the document."""


def steady(text: str) -> str:
    """The text without trailing blanks and without what differs between machines."""
    for pattern, name in VARIES:
        text = re.sub(pattern, name, text)
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def examples() -> dict[Example, dict[str, str]]:
    """Each command, and by document and line what it says there."""
    found: dict[Example, dict[str, str]] = {}
    for document in DOCUMENTS:
        text = (DOCS / document).read_text(encoding="utf-8")
        files = tuple(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
        for block in re.finditer(r"^```console(?: in=(\S+) as=(\S+))?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, block.start()) + 2
            for command, says in console_commands(block[3]):
                example = Example(block[1], block[2] or "", command, files)
                found.setdefault(example, {})[f"{document}:{line}"] = steady(says)
    return found


def told_in(place: Place, example: Example) -> str:
    """What the command says in the place, in the example's world as its user."""
    assert example.world is not None
    world = find(example.world).world
    place.build(world)
    done = place.run(
        ["sh", "-c", f"{FUNCTION}{example.command}"],
        world.principal(example.user),
        environment={**ENVIRONMENT, "PYTHON": "python3"},
        directory="/tmp",
    )
    return done.stdout or done.stderr


def told_here(example: Example, engine: Engine, folder: Path) -> str:
    """What a command that makes places says on this machine."""
    for name, text in example.files:
        (folder / name).write_text(text, encoding="utf-8")
    ran = subprocess.run(
        ["sh", "-c", f"{FUNCTION}{example.command}"],
        env={
            **os.environ,
            "HARNESS_ENGINE": engine.name,
            "PYTHON": sys.executable,
            "PYTHONPATH": str(DOCS.parent),
            "PYTHONIOENCODING": "utf-8",
            "COLUMNS": "110",
        },
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return (ran.stdout or ran.stderr).replace(str(folder), "/tmp/check")


@pytest.fixture(scope="module")
def equipped(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place with the harness and with what it writes worlds by."""
    mounts = (*MOUNTS, f"{Path(tomlkit.__file__).parent}:/opt/explain/tomlkit")
    with opened(engine, request, *mounts) as made:
        yield made


def named(*, in_a_world: bool) -> list[Any]:
    return [
        pytest.param(example, says, id=",".join(says))
        for example, says in examples().items()
        if (example.world is not None) == in_a_world
    ]


@pytest.mark.parametrize(("example", "says"), named(in_a_world=True))
def test_a_document_shows_what_the_command_says_in_a_world(
    example: Example, says: dict[str, str], equipped: Place
) -> None:
    assert says == dict.fromkeys(says, steady(told_in(equipped, example)))


@pytest.mark.parametrize(("example", "says"), named(in_a_world=False))
def test_a_document_shows_what_the_command_says_here(
    example: Example, says: dict[str, str], one_engine: Engine
) -> None:
    """In one engine: that all engines say the same is what the tests of scenarios and of checks show."""
    with short_directory(0o755) as folder:
        assert says == dict.fromkeys(says, steady(told_here(example, one_engine, folder)))


def test_the_documents_show_something() -> None:
    shown = {document for says in examples().values() for document in says}
    assert {document.partition(":")[0] for document in shown} == set(DOCUMENTS)


def test_every_scenario_is_in_the_list_with_what_it_is_about() -> None:
    text = (DOCS / "scenarios.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", text, re.MULTILINE)
    assert listed == [(scenario.source, scenario.world.about) for scenario in library()]
