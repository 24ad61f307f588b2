"""A subcommand imports its own module and no other's: all of them take longer than most of them do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from observatory.cli.main import COMMANDS, main, parser

LOADED = """
import contextlib, sys
from observatory.cli.main import main
with contextlib.suppress(SystemExit):
    main(sys.argv[1:])
print(*(name for name in sys.modules if name.startswith("observatory.cli.")), file=sys.stderr)
"""


def loaded(*words: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=True)
    names = {command.replace("-", "_") for command in COMMANDS}
    return {name.rpartition(".")[2] for name in done.stderr.split()} & names


def test_a_subcommand_imports_no_other() -> None:
    assert loaded("whoami", "--help") == {"whoami"}
    assert loaded("install-hooks", "--help") == {"install_hooks"}


def test_the_whole_help_has_them_all() -> None:
    assert len(loaded("--help")) == len(COMMANDS)
    assert all(f"    {command}" in parser().format_help() for command in COMMANDS)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("serv", "there is no command 'serv'; did you mean serve?"),
        ("Install-Hook", "there is no command 'Install-Hook'; did you mean install-hooks?"),
        ("xyzzy", "there is no command 'xyzzy'; there are serve, events, "),
    ],
)
def test_a_command_that_there_is_not_is_answered_with_the_nearest_that_there_is(
    word: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([word])
    assert ended.value.code == 2
    usage, sentence = capsys.readouterr().err.splitlines()
    assert usage == "usage: observatory [-h] [--version] COMMAND ..."
    assert sentence.startswith(f"observatory: error: {says}")


def test_a_server_starts_without_what_few_of_them_need() -> None:
    """A start is mostly imports: these would be a tenth of them."""
    words = ("serve", "--socket", "/nonexistent/s", "--database", "/nonexistent/d")
    program = f"{LOADED}print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    names = set(done.stderr.split())
    assert {"observatory.service.assembly", "observatory.redaction.redactor"} <= names
    assert not names & {"observatory.redaction.own_rules", "tomllib", "secrets", "hmac", "random"}
