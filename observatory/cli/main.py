"""The `observatory` command: one module for each subcommand."""

from __future__ import annotations

import sys

from observatory.cli.ending import ended

TYPE_CHECKING = False
"""As in `typing`: what is imported here is imported before an interrupt ends the command in silence."""

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from types import ModuleType


_WITHOUT_A_SOCKET = frozenset({"install-hooks", "uninstall-hooks", "compact", "completion"})
"""The subcommands that neither make a Unix socket nor connect to one."""


def _commands() -> tuple[ModuleType, ...]:
    from observatory.cli import (
        commands,
        compact,
        completion,
        cost,
        doctor,
        durations,
        events,
        export,
        failures,
        files,
        forward,
        install_hooks,
        notify,
        serve,
        sessions,
        sql,
        uninstall_hooks,
        watch,
        web,
        whoami,
    )

    return (
        serve,
        events,
        files,
        commands,
        failures,
        durations,
        sql,
        export,
        sessions,
        cost,
        watch,
        web,
        notify,
        forward,
        whoami,
        doctor,
        install_hooks,
        uninstall_hooks,
        compact,
        completion,
    )


def parser() -> argparse.ArgumentParser:
    """The whole command line; each subcommand's module adds its own part by `add_parser(subparsers)`."""
    import argparse

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
    for command in _commands():
        command.add_parser(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand. Each sets `run` on its options: a function of the options that returns the exit status."""
    return ended("observatory", lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    import socket

    from observatory.errors import ExitStatus, ObservatoryError
    from observatory.text import printable

    options = parser().parse_args(arguments)
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
