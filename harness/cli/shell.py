"""harness shell: a shell in a world, as one of its users."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from harness.cli import place_options
from harness.engines.error import PlaceError
from harness.engines.registry import choose
from harness.scenarios import find
from harness.world.error import WorldError

if TYPE_CHECKING:
    import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness shell WORLD --as USER`."""
    parser.add_argument("world", metavar="WORLD", help="a world's TOML file, or the name of a scenario")
    parser.add_argument("--as", dest="user", metavar="USER", required=True, help="a user of the world")
    place_options.add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build the world, open the shell, and take all away when it ends; the shell's own exit status."""
    scenario = find(options.world)
    names = [user.name for user in scenario.world.users]
    if options.user not in names:
        raise WorldError(f"{scenario.source}: no user is named {options.user!r}; there are {', '.join(names)}")
    with choose(options.engine, options.image).open(image=options.image) as place:
        place.build(scenario.world)
        command = place.interactive(scenario.world.principal(options.user))
        try:
            return subprocess.run(command, check=False).returncode
        except FileNotFoundError:
            raise PlaceError(f"a shell in the place needs {command[0]}, which is not installed here") from None
