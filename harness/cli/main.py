"""The `harness` command: one module for each subcommand, which is imported when it is the one that was called."""

from __future__ import annotations

import sys

from harness.cli.ending import OUTPUT_LOST, ended

TYPE_CHECKING = False
"""As in `typing`: what is imported here is imported before an interrupt ends the command in silence."""

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

COMMANDS = {
    "run": "run a world or a scenario, and compare it with the oracle",
    "check": "attack a server, and say what holds and what is broken",
    "scenarios": "list the scenarios that `harness run NAME` takes",
    "explain": "say why somebody may or may not use a path on this machine",
    "watch": "say who is refused at a socket, as it happens",
    "capture": "write what decides over a path on this machine as a world file",
    "shell": "open a shell in a world, as one of its users",
    "sweep": "compare the oracle with the kernel in every mode, then in random worlds",
    "merge": "put the parts of a sharded suite or sweep together",
    "images": "make the images for engines that have images, or list them",
    "completion": "print a shell's completion script",
}
"""Each subcommand and its summary. Its module `harness.cli.NAME` has `add_options(parser)`, which sets `run`."""


def parser(*commands: str) -> argparse.ArgumentParser:
    """The command line with the options of these subcommands; the others are there by name and summary only."""
    import argparse
    import importlib

    class Version(argparse.Action):
        def __call__(self, parser: argparse.ArgumentParser, *_arguments: object) -> None:
            from harness.cli.version import versions

            print(versions())
            parser.exit()

    top = argparse.ArgumentParser(prog="harness", description=sys.modules["harness"].__doc__)
    top.add_argument(
        "--version",
        action=Version,
        nargs=0,
        dest=argparse.SUPPRESS,
        help="print versions and the engines found here, and end",
    )
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND", prog=top.prog)
    for name, summary in COMMANDS.items():
        each = subparsers.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name in commands:
            importlib.import_module(f"harness.cli.{name}").add_options(each)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; what a person must know is one sentence on standard error."""
    return ended("harness", lambda: _run(sys.argv[1:] if arguments is None else arguments))


def _run(words: Sequence[str]) -> int:
    import gc

    # Nothing of what is imported is garbage, and to look for it took a fifteenth of a short command's time.
    gc.set_threshold(50_000)
    # The options before a subcommand take no value, so the first other word is its name.
    command = next((word for word in words if not word.startswith("-")), "")
    top = parser(command)
    if command not in COMMANDS and words[:1] == [command]:
        from difflib import get_close_matches

        near = get_close_matches(command, COMMANDS, 1)
        top.error(
            f"there is no command {command!r}; "
            + (f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}")
        )
    options = top.parse_args(words)
    options.behind_dashes = [*words[words.index("--") + 1 :]] if "--" in words else None

    from harness.cli.exit_status import UNAVAILABLE, USAGE
    from harness.engines.error import PlaceError
    from harness.report.output_file import OutputError, WriteError
    from harness.report.text import visible
    from harness.world.error import WorldError

    try:
        status: int = options.run(options)
    except (PlaceError, OutputError, WorldError) as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
        if isinstance(error, WriteError):
            return OUTPUT_LOST
        return UNAVAILABLE if isinstance(error, PlaceError) else USAGE
    except ModuleNotFoundError as error:
        from harness.engines.extras import EXTRAS, lacking

        library = (error.name or "").partition(".")[0]
        if library not in EXTRAS:
            raise
        print(f"harness: harness {options.command} {lacking(library)}", file=sys.stderr)
        return UNAVAILABLE
    return status
