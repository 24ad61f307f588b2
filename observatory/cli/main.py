"""The `observatory` command: one module for each subcommand."""

from __future__ import annotations

import sys

from observatory.cli.ending import ended

TYPE_CHECKING = False
"""As in `typing`: what is imported here is imported before an interrupt ends the command in silence."""

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence


_WITHOUT_A_SOCKET = frozenset({"install-hooks", "uninstall-hooks", "compact", "completion"})
"""The subcommands that neither make a Unix socket nor connect to one."""


COMMANDS = (
    "serve",
    "events",
    "files",
    "commands",
    "failures",
    "durations",
    "sql",
    "export",
    "sessions",
    "cost",
    "watch",
    "web",
    "notify",
    "forward",
    "whoami",
    "doctor",
    "install-hooks",
    "uninstall-hooks",
    "compact",
    "completion",
)
"""Each subcommand, in the order of the help. Its module has the same name, with `_` for `-`."""


def parser(commands: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """The command line with these subcommands; each one's module adds its own part by `add_parser(subparsers)`."""
    import argparse
    import importlib

    class Version(argparse.Action):
        def __call__(self, parser: argparse.ArgumentParser, *_arguments: object) -> None:
            import platform

            from observatory import __version__

            python = f"{platform.python_implementation()} {platform.python_version()}"
            print(f"observatory {__version__}, {python}, {platform.system()} {platform.release()} {platform.machine()}")
            parser.exit()

    top = argparse.ArgumentParser(prog="observatory", description=sys.modules["observatory"].__doc__)
    top.add_argument(
        "--version",
        action=Version,
        nargs=0,
        dest=argparse.SUPPRESS,
        help="print the versions of it and of Python, and end",
    )
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in commands:
        importlib.import_module(f"observatory.cli.{command.replace('-', '_')}").add_parser(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand. Each sets `run` on its options: a function of the options that returns the exit status."""
    return ended("observatory", lambda: _run(sys.argv[1:] if arguments is None else arguments))


def _run(words: Sequence[str]) -> int:
    import socket

    from observatory.errors import ExitStatus, ObservatoryError
    from observatory.text import nearest, printable

    if words and words[0] not in COMMANDS and not words[0].startswith("-"):
        near = nearest(words[0], COMMANDS)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(COMMANDS)}"
        parser(()).error(f"there is no command {words[0]!r}; {hint}")
    # Importing all takes longer than most of them do: a subcommand that stands first is all that is needed.
    options = parser(words[:1] if words and words[0] in COMMANDS else COMMANDS).parse_args(words)
    if options.command not in _WITHOUT_A_SOCKET and not hasattr(socket, "AF_UNIX"):
        sentence = f"this platform ({sys.platform}) has no Unix sockets, so there is no server here"
        print(f"observatory {options.command}: {sentence}", file=sys.stderr)
        return ExitStatus.UNAVAILABLE
    try:
        status: int = options.run(options)
    except ObservatoryError as error:
        print(f"observatory {options.command}: {printable(str(error))}", file=sys.stderr)
        return error.status
    return status
