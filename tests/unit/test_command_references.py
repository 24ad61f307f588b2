"""The references, the manual pages and the completions are made from the parsers, and are what these say now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import harness.cli.completion
import harness.cli.ending
import harness.cli.exit_status
import harness.cli.main
import observatory.cli.completion
import observatory.cli.ending
import observatory.cli.main
from harness.engines.registry import ENGINES
from harness.trace.command import NOT_EXECUTABLE, NOT_FOUND
from observatory.errors import ExitStatus
from tests.helpers.program import program as module_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
for beside in ("messages", "outputs", "schemas"):  # which the next one imports
    module_of(ROOT / "docs" / f"{beside}.py")
GENERATE = module_of(ROOT / "docs" / "generate.py")
PAGES: dict[Path, str] = GENERATE.pages()
COMPLETIONS: dict[Path, str] = GENERATE.completions()
COMPLETIONS_THERE = {path.name: path.read_text(encoding="utf-8") for path in COMPLETIONS}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_committed_page_is_what_the_parser_gives(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path], "make it anew: python docs/generate.py"


def test_no_page_is_left_of_a_command_that_is_gone() -> None:
    assert set((ROOT / "docs" / "man").glob("*.1")) == {path for path in PAGES if path.suffix == ".1"}


@pytest.mark.parametrize("program", GENERATE.PROGRAMS, ids=lambda program: program.name)
def test_every_option_of_every_command_is_in_its_page(program: Any) -> None:
    names = {command.name for command in GENERATE.commands(program)}
    assert {"observatory": "serve", "harness": "explain"}[program.name] in names
    for command in GENERATE.commands(program):
        page = PAGES[ROOT / "docs" / "man" / f"{program.name}-{command.name}.1"]
        for option in command.options:
            assert f"\n.B {GENERATE._roff(option.words)}\n" in page
            assert option.meaning, f"{command.name} {option.words} says nothing of itself"


def _numbers(module: object) -> set[int]:
    return {value for name, value in vars(module).items() if name.isupper() and type(value) is int}


@pytest.mark.parametrize("program", GENERATE.PROGRAMS, ids=lambda program: program.name)
def test_the_exit_statuses_are_those_of_the_code(program: Any) -> None:
    ends, own = {
        "observatory": (observatory.cli.ending, {*map(int, ExitStatus)}),
        "harness": (harness.cli.ending, {NOT_FOUND, NOT_EXECUTABLE, *_numbers(harness.cli.exit_status)}),
    }[program.name]
    code = own | _numbers(ends)
    assert [status for status, _ in program.exit_status if status.isdecimal()] == [*map(str, sorted(code))]


def test_what_means_something_to_roff_is_written_as_text() -> None:
    assert GENERATE._roff(".start\n'quote\nback\\slash a-b") == "\\&.start\n\\&'quote\nback\\eslash a\\-b"


def test_what_means_something_to_markdown_is_written_as_text() -> None:
    assert GENERATE._escape("a_b *c* `d_e` <f>") == "a\\_b \\*c\\* `d_e` \\<f\\>"
    assert GENERATE._cell("a|b") == "a\\|b"


@pytest.mark.parametrize("path", [path for path in PAGES if path.suffix == ".1"], ids=lambda path: path.name)
def test_a_manual_page_is_well_formed(path: Path, need: Callable[[str, str], str]) -> None:
    # Below an error, mandoc's only wish is for a date, which would make each day's page another.
    checked = subprocess.run(
        [need("mandoc", "mandoc"), "-T", "lint", "-W", "error", str(path)], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, "")


# How argparse words a choice, and so what shtab makes of it, is another matter in each Python.
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the completions are made with Python 3.11")
@pytest.mark.parametrize("path", COMPLETIONS, ids=lambda path: path.name)
def test_the_committed_completion_is_what_the_parser_gives(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == COMPLETIONS[path], "make it anew: python docs/generate.py"


@pytest.mark.parametrize("program", ["observatory", "harness"])
@pytest.mark.parametrize("shell", GENERATE.SHELLS)
def test_each_command_prints_its_script_for_each_shell(
    program: str, shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main = {"observatory": observatory.cli.main.main, "harness": harness.cli.main.main}[program]
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == COMPLETIONS_THERE[f"{program}.{shell}"]


def test_the_shells_that_a_command_takes_are_those_for_which_scripts_are_made() -> None:
    assert observatory.cli.completion.SHELLS == harness.cli.completion.SHELLS == GENERATE.SHELLS


ASK_BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
function=$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("program", "words", "expected"),
    [
        ("observatory", ["inst"], {"install-hooks"}),
        ("observatory", ["events", "--"], {"--follow", "--json", "--limit"}),
        ("observatory", ["install-hooks", "--glo"], {"--global"}),
        ("harness", ["exp"], {"explain"}),
        ("harness", ["explain", "--"], {"--user", "--as-container"}),
    ],
)
def test_bash_completes_commands_and_options(
    need: Callable[[str, str], str], program: str, words: list[str], expected: set[str]
) -> None:
    script = ROOT / program / "cli" / "completions" / f"{program}.bash"
    command = [need("bash", "bash"), "-c", ASK_BASH, "bash", str(script), program, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert expected <= set(done.stdout.split())


@pytest.mark.parametrize(("shell", "check"), [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
@pytest.mark.parametrize("program", ["observatory", "harness"])
def test_a_script_is_one_that_its_shell_can_read(
    need: Callable[[str, str], str], program: str, shell: str, check: str
) -> None:
    script = ROOT / program / "cli" / "completions" / f"{program}.{shell}"
    done = subprocess.run([need(shell, shell), check, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("program", ["observatory", "harness"])
def test_a_command_says_its_version_and_that_of_python(program: str) -> None:
    done = subprocess.run([sys.executable, "-m", program, "--version"], capture_output=True, text=True, check=True)
    first, *engines = done.stdout.splitlines()
    assert first.startswith(f"{program} {observatory.__version__}, CPython {sys.version.split()[0]}, ")
    assert [line.split()[0] for line in engines] == ([] if program == "observatory" else list(ENGINES))
