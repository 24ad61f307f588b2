"""Make the manual pages, the references and the completions of both commands: `python docs/generate.py`.

All are made from the command lines' own parsers. No page depends on how a version of argparse lays out its help, so
every Python makes the same; the completions are what the locked shtab makes of the oldest Python that is supported.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import messages
import outputs
import schemas
import shtab

import harness
import harness.cli.main
import observatory
import observatory.cli.main

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, slots=True)
class Program:
    """A command, and what its parser does not say of it. `reference` is its page among the documents."""

    name: str
    summary: str
    description: str
    parser: argparse.ArgumentParser
    reference: str
    exit_status: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]


OBSERVATORY = Program(
    "observatory",
    "a Unix-socket event server that knows who is speaking",
    observatory.__doc__ or "",
    observatory.cli.main.parser(),
    "commands.md",
    (
        ("0", "done"),
        ("1", "failed; a sentence on standard error says why"),
        ("2", "the command line is invalid (usage error)"),
        ("69", "there is no server at that socket, or it does not answer (EX_UNAVAILABLE)"),
        ("74", "standard output can't be written: it is closed, or its disk is full (EX_IOERR)"),
        ("77", "not permitted, or the server is a user's who is not trusted (EX_NOPERM)"),
        ("130", "interrupted (SIGINT)"),
        ("141", "nobody reads standard output any more (SIGPIPE); no message is printed"),
    ),
    (
        ("CLAUDE_UNIX_HOOK_WATCHER", "the path of the socket, for every command, where --socket is not given"),
        ("CLAUDE_CONFIG_DIR", "the directory of Claude Code's settings, in place of ~/.claude"),
    ),
)
HARNESS = Program(
    "harness",
    "real users try to reach a Unix socket, and an oracle says who should",
    harness.__doc__ or "",
    harness.cli.main.parser(*harness.cli.main.COMMANDS),
    "harness-commands.md",
    (
        ("0", "all attempts agree with the oracle, all checks hold, or what was asked about would succeed"),
        ("1", "an attempt disagrees, a check finds a fault, or what was asked about would be refused or is not known"),
        ("2", "the command line or the world is invalid (usage error)"),
        ("69", "no engine works here, an extra is not installed, or a process can't be followed (EX_UNAVAILABLE)"),
        ("74", "standard output or a report can't be written: it is closed, or its disk is full (EX_IOERR)"),
        ("126", "`harness explain -- COMMAND`: the command can't be started"),
        ("127", "`harness explain -- COMMAND`: the command was not found"),
        ("130", "interrupted (SIGINT)"),
        ("141", "nobody reads standard output any more (SIGPIPE); no message is printed"),
        ("143", "ended by SIGTERM; `harness check` first writes what was found, as after an interrupt"),
        ("any", "`harness explain -- COMMAND` and `harness shell`: the command's or the shell's own"),
    ),
    (
        ("HARNESS_ENGINE", "the engine, where --engine is not given"),
        ("HARNESS_THROWAWAY", "1: this machine may be thrown away afterwards, as --throwaway says"),
        ("DOCKER_HOST", "where the docker engine is"),
        ("CONTAINER_HOST", "where podman's service is"),
    ),
)
PROGRAMS = (OBSERVATORY, HARNESS)


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


def commands(program: Program) -> tuple[Command, ...]:
    """All its subcommands, in their order."""
    (subparsers,) = (action for action in program.parser._actions if isinstance(action, argparse._SubParsersAction))
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


def synopsis(program: Program, command: Command) -> str:
    """The command line in one line."""
    one_of = {name for choice in command.choices for name in choice}
    words = [f"{program.name} {command.name}"]
    words += [" | ".join(choice).join("()") for choice in command.choices]
    words += [f"[{option.words}]" for option in command.options if not option.required and option.words not in one_of]
    words += [option.words for option in command.options if option.required]
    return " ".join(words)


def markdown(program: Program) -> str:
    """The whole reference as a document."""
    lines = [
        f"# Commands of {program.name}",
        "",
        "Made from the command line's own parser by `docs/generate.py`, like the manual pages in `docs/man` and the",
        f"completions. [Installation](installation.md) says where these are; `{program.name} completion SHELL`",
        "prints one.",
        "",
    ]
    for command in commands(program):
        lines += [
            f"## {program.name} {command.name}",
            "",
            _escape(command.description),
            "",
            "```",
            synopsis(program, command),
            "```",
        ]
        if command.options:
            lines += ["", "| option | meaning |", "|---|---|"]
            lines += [f"| `{_cell(option.words)}` | {_cell(_escape(option.meaning))} |" for option in command.options]
        lines.append("")
    lines += ["## Exit status", "", "| status | meaning |", "|---|---|"]
    lines += [f"| {status} | {meaning} |" for status, meaning in program.exit_status]
    lines += ["", "## Environment", "", "| variable | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in program.environment]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Text in which nothing is markup but what stands between backquotes."""
    parts = text.split("`")
    return "`".join(part if number % 2 else re.sub(r"([*_<>])", r"\\\1", part) for number, part in enumerate(parts))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def manual(program: Program, command: Command | None) -> str:
    """A page in man(7): of one subcommand, or of the program."""
    name = program.name if command is None else f"{program.name}-{command.name}"
    summary = program.summary if command is None else command.summary
    lines = [f'.TH {_roff(name).upper()} 1 "" "claude-observatory {observatory.__version__}" "User Commands"']
    lines += [".SH NAME", f"{_roff(name)} \\- {_roff(summary)}", ".SH SYNOPSIS"]
    if command is None:
        lines += [f".B {program.name}", ".I COMMAND", "[\\fIOPTION\\fR ...]", ".SH DESCRIPTION"]
        lines += [_roff(program.description), ".SH COMMANDS"]
        for each in commands(program):
            lines += [".TP", f".BR {program.name}\\-{_roff(each.name)} (1)", _roff(each.summary)]
    else:
        lines += [f".B {_roff(synopsis(program, command))}", ".SH DESCRIPTION", _roff(command.description)]
        if command.options:
            lines.append(".SH OPTIONS")
        for option in command.options:
            lines += [".TP", f".B {_roff(option.words)}", _roff(option.meaning)]
    lines.append(".SH EXIT STATUS")
    for status, meaning in program.exit_status:
        lines += [".TP", f".B {status}", _roff(meaning)]
    lines.append(".SH ENVIRONMENT")
    for variable, meaning in program.environment:
        lines += [".TP", f".B {variable}", _roff(meaning)]
    others = [f".BR {program.name}\\-{_roff(each.name)} (1)" for each in commands(program)]
    others = others if command is None else [f".BR {program.name} (1)"]
    lines += [".SH SEE ALSO", *(f"{other}," for other in others[:-1]), others[-1]]
    return "\n".join(lines) + "\n"


def _roff(text: str) -> str:
    """Text as roff takes it: no escape, no request, and hyphens that can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^(?=['.])", r"\\&", escaped)


def sentences() -> dict[str, dict[messages.Source, tuple[str, ...]]]:
    """By program what `messages` finds in its code."""
    return {program.name: messages.messages(ROOT, program.name) for program in PROGRAMS}


def explained_by_themselves(said: Mapping[str, Mapping[messages.Source, Sequence[str]]]) -> str:
    """The list of those sentences that `docs/troubleshooting.md` does not explain."""
    explained = messages.headings((DOCS / "troubleshooting.md").read_text(encoding="utf-8"))
    reference = "".join(map(markdown, PROGRAMS))
    lines = [
        "# Messages that explain themselves",
        "",
        "Made from the code by `docs/generate.py`: each sentence that a command or the server can print, `…` standing",
        "for what varies. Those that need more than they say are in [troubleshooting](troubleshooting.md), and those",
        "about options in the references of [observatory](commands.md) and [harness](harness-commands.md).",
        "",
        "A command line that can't be read ends with status 2 and one of these, behind a summary of the options:",
        "",
        *(f"- `{each}`" for each in messages.USAGE_ERRORS),
        "",
    ]
    for name, sources in said.items():
        lines += [f"## {name}", ""]
        for source, found in sources.items():
            lines += [f"### {source.title}", "", source.about, ""]
            lines += [
                f"- `{each}`"
                for each in found
                if each not in explained and not messages.in_the_reference(each, reference)
            ]
            lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def pages() -> dict[Path, str]:
    """Every page that is made of parsers and types, with its text."""
    made = {}
    for name, schema in {"world": schemas.world(), "subject": schemas.subject(), **outputs.schemas()}.items():
        made[DOCS / "schemas" / f"{name}.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    for program in PROGRAMS:
        made[DOCS / program.reference] = markdown(program)
        made[DOCS / "man" / f"{program.name}.1"] = manual(program, None)
        for command in commands(program):
            made[DOCS / "man" / f"{program.name}-{command.name}.1"] = manual(program, command)
    return made


def completions() -> dict[Path, str]:
    """Every completion script, with its text."""
    return {
        ROOT / program.name / "cli" / "completions" / f"{program.name}.{shell}": shtab.complete(program.parser, shell)
        for program in PROGRAMS
        for shell in SHELLS
    }


if __name__ == "__main__":
    listed = explained_by_themselves(sentences())
    for path, text in {DOCS / "messages.md": listed, **pages(), **completions()}.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
