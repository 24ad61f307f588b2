"""Make the manual pages and docs/commands.md from the command line's own parser: `python docs/man/generate.py`.

Nothing here depends on how a version of argparse lays out its help, so every Python makes the same pages.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import observatory
from observatory.cli.main import parser

DOCS = Path(__file__).parents[1]
PROGRAM = "observatory"
VERSION = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
EXIT_STATUS = (
    ("0", "done"),
    ("1", "failed; a sentence on standard error says why"),
    ("2", "the command line is invalid (usage error)"),
    ("69", "no server is there, or it does not answer (EX_UNAVAILABLE)"),
    ("74", "standard output can't be written: it is closed, or its disk is full (EX_IOERR)"),
    ("77", "not permitted, or the server is a user's who is not trusted (EX_NOPERM)"),
    ("130", "interrupted (SIGINT)"),
    ("141", "nobody reads standard output any more (SIGPIPE), which is not said"),
)
ENVIRONMENT = (
    ("CLAUDE_UNIX_HOOK_WATCHER", "the path of the socket, for every command, where --socket is not given"),
    ("CLAUDE_CONFIG_DIR", "the directory of Claude Code's settings, in place of ~/.claude"),
)


@dataclass(frozen=True, slots=True)
class Option:
    """An option or an argument: how it is written, and what it means."""

    words: str
    meaning: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: its name, its one-line summary, its description, its options and its arguments."""

    name: str
    summary: str
    description: str
    options: tuple[Option, ...]
    choices: tuple[tuple[str, ...], ...]
    """Options of which exactly one is to be given."""


def commands() -> tuple[Command, ...]:
    """All subcommands, in their order."""
    (subparsers,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    summaries = {action.dest: action.help or "" for action in subparsers._choices_actions}
    return tuple(_command(name, summaries[name], sub) for name, sub in subparsers.choices.items())


def _command(name: str, summary: str, sub: argparse.ArgumentParser) -> Command:
    actions = [action for action in sub._actions if not isinstance(action, argparse._HelpAction)]
    choices = [
        tuple(max(action.option_strings, key=len) for action in group._group_actions)
        for group in sub._mutually_exclusive_groups
        if group.required
    ]
    options = tuple(_option(action, sub.prog) for action in actions)
    return Command(name, summary, sub.description or "", options, tuple(choices))


def _option(action: argparse.Action, program: str) -> Option:
    value = action.metavar if isinstance(action.metavar, str) else None
    if value is None:
        value = "|".join(map(str, action.choices)) if action.choices else action.dest.upper()
    names = [f"{name} {value}" if action.nargs != 0 else name for name in action.option_strings]
    meaning = (action.help or "") % {**vars(action), "prog": program}
    return Option(", ".join(names) or value, meaning, not action.option_strings)


def synopsis(command: Command) -> str:
    """The command line in one line."""
    one_of = {name for choice in command.choices for name in choice}
    words = [f"{PROGRAM} {command.name}"]
    words += [" | ".join(choice).join("()") for choice in command.choices]
    words += [f"[{option.words}]" for option in command.options if not option.required and option.words not in one_of]
    words += [option.words for option in command.options if option.required]
    return " ".join(words)


def markdown() -> str:
    """The whole reference as docs/commands.md."""
    lines = [
        "# Commands",
        "",
        "Made from the command line's own parser by `docs/man/generate.py`, like the manual pages in `docs/man`.",
        "`observatory completion bash` prints a shell's completion; it needs the extra `completion`.",
        "",
    ]
    for command in commands():
        lines += [
            f"## observatory {command.name}",
            "",
            _escape(command.description),
            "",
            "```",
            synopsis(command),
            "```",
        ]
        if command.options:
            lines += ["", "| option | meaning |", "|---|---|"]
            lines += [f"| `{_cell(option.words)}` | {_cell(_escape(option.meaning))} |" for option in command.options]
        lines.append("")
    lines += ["## Exit status", "", "| status | meaning |", "|---|---|"]
    lines += [f"| {status} | {meaning} |" for status, meaning in EXIT_STATUS]
    lines += ["", "## Environment", "", "| variable | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in ENVIRONMENT]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Text in which nothing is markup but what stands between backquotes."""
    parts = text.split("`")
    return "`".join(part if number % 2 else re.sub(r"([*_<>])", r"\\\1", part) for number, part in enumerate(parts))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def manual(command: Command | None) -> str:
    """A page in man(7): of one subcommand, or of the program."""
    name = PROGRAM if command is None else f"{PROGRAM}-{command.name}"
    summary = "a Unix-socket event server that knows who is speaking" if command is None else command.summary
    lines = [f'.TH {_roff(name).upper()} 1 "" "claude-observatory {VERSION}" "User Commands"']
    lines += [".SH NAME", f"{_roff(name)} \\- {_roff(summary)}", ".SH SYNOPSIS"]
    if command is None:
        lines += [f".B {PROGRAM}", ".I COMMAND", "[\\fIOPTION\\fR ...]", ".SH DESCRIPTION"]
        lines += [_roff(observatory.__doc__ or ""), ".SH COMMANDS"]
        for each in commands():
            lines += [".TP", f".BR {PROGRAM}\\-{_roff(each.name)} (1)", _roff(each.summary)]
    else:
        lines += [f".B {_roff(synopsis(command))}", ".SH DESCRIPTION", _roff(command.description)]
        if command.options:
            lines.append(".SH OPTIONS")
        for option in command.options:
            lines += [".TP", f".B {_roff(option.words)}", _roff(option.meaning)]
    lines.append(".SH EXIT STATUS")
    for status, meaning in EXIT_STATUS:
        lines += [".TP", f".B {status}", _roff(meaning)]
    lines.append(".SH ENVIRONMENT")
    for variable, meaning in ENVIRONMENT:
        lines += [".TP", f".B {variable}", _roff(meaning)]
    others = [f".BR {PROGRAM} (1)"] if command else [f".BR {PROGRAM}\\-{_roff(each.name)} (1)" for each in commands()]
    lines += [".SH SEE ALSO", *(f"{other}," for other in others[:-1]), others[-1]]
    return "\n".join(lines) + "\n"


def _roff(text: str) -> str:
    """Text as roff takes it: no escape, no request, and hyphens that can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^(?=['.])", r"\\&", escaped)


def pages() -> dict[Path, str]:
    """Every file that is made, with its text."""
    made = {DOCS / "commands.md": markdown(), DOCS / "man" / f"{PROGRAM}.1": manual(None)}
    for command in commands():
        made[DOCS / "man" / f"{PROGRAM}-{command.name}.1"] = manual(command)
    return made


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(DOCS.parent))
