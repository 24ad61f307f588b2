"""The reference, the manual pages and the completion are made from the parser, and are what it says now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.cli.main import main
from tests.helpers.program import program

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[4]
GENERATE = program(ROOT / "docs" / "man" / "generate.py")
PAGES: dict[Path, str] = GENERATE.pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_committed_page_is_what_the_parser_gives(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path], "make it anew: python docs/man/generate.py"


def test_no_page_is_left_of_a_command_that_is_gone() -> None:
    assert set((ROOT / "docs" / "man").glob("*.1")) == {path for path in PAGES if path.suffix == ".1"}


def test_every_option_of_every_command_is_in_its_page() -> None:
    names = {command.name for command in GENERATE.commands()}
    assert {"serve", "events", "sessions", "whoami", "doctor", "install-hooks", "uninstall-hooks"} <= names
    for command in GENERATE.commands():
        page = PAGES[ROOT / "docs" / "man" / f"observatory-{command.name}.1"]
        for option in command.options:
            assert f"\n.B {GENERATE._roff(option.words)}\n" in page
            assert option.meaning, f"{command.name} {option.words} says nothing of itself"


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


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_each_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("install-hooks", "sessions", "--server-user"):
        assert word in script


def test_bash_completes_commands_and_options(need: Callable[[str, str], str], tmp_path: Path) -> None:
    bash = need("bash", "bash")
    script = tmp_path / "observatory"
    made = subprocess.run(
        [sys.executable, "-m", "observatory", "completion", "bash"], capture_output=True, text=True, check=True
    )
    script.write_text(made.stdout)
    asked = """
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        function=$(complete -p observatory | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        "$function" observatory "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """

    def complete(*words: str) -> set[str]:
        done = subprocess.run(
            [bash, "-c", asked, "bash", str(script), "observatory", *words], capture_output=True, text=True, check=True
        )
        return set(done.stdout.split())

    assert complete("inst") == {"install-hooks"}
    assert {"--follow", "--json", "--limit"} <= complete("events", "--")
    assert complete("install-hooks", "--glo") == {"--global"}


def test_without_the_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 1
    assert capsys.readouterr().err == (
        "observatory completion: this needs shtab: pip install 'claude-observatory[completion]'\n"
    )
