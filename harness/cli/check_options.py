"""The options of `harness check` that describe a server: what a subject file says, word by word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.inside.dialects import NAMES
from harness.subjects.description import DescriptionError, described
from harness.subjects.option_words import option

if TYPE_CHECKING:
    import argparse

    from harness.subjects.description import Described

SINGLE = {
    "mode": ("MODE", "the socket's mode, which it must have (default: 0660)"),
    "at_most": ("MODE", "a mode that its socket's must not exceed, in place of --mode"),
    "user": ("USER", "the user that the server runs as (default: alice)"),
    "socket_owner": ("USER", "the socket's owner, where root starts the server and it becomes another user"),
    "group": ("GROUP", "the socket's group, {group} in the command (default: that of the server's user)"),
    "speaks": ("DIALECT", f"{', '.join(NAMES)} (default), or MODULE.py for a protocol of your own"),
    "socket": ("NAME", "the socket's path, or its name in {directory}, where the command does not have {socket}"),
    "directory": ("DIR", "the server's working directory in the place (default: /)"),
    "ready": ("HOW", "how it is ready: notify, line:PATTERN, tcp:PORT (default: it answers)"),
    "stop": ("SIGNAL", "the signal that ends it (default: TERM)"),
    "patience": ("SECONDS", "how long a start or a stop may take (default: 10)"),
    "starts": ("N", "how often creation-window starts it at full speed (default: as time allows)"),
    "setup": ("COMMAND", "what makes the server's {state}, such as an empty database; it runs once, and is copied"),
    "spawn": ("COMMAND", "a command of the server's user that makes it start a program, for inherited"),
}
"""By key of a subject file: what stands for the value, and what it means."""
SEVERAL = {
    "doors": ("ENDPOINT", "another endpoint that is meant, as tcp:PORT or a path with * and ?"),
    "accounts": ("USER", "a user whom the command or its configuration names"),
    "config": ("FILE[:PLACE]", "a configuration to be written into the place, {config} in the command"),
    "data": ("DIR[:PLACE]", "a directory to be copied for the server's user, {data} in the command"),
    "mounts": ("HOST[:PLACE]", "a file or directory of this machine for the place, read-only"),
}
NUMBERS = {"patience": float, "starts": int}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Each key of a subject file that a command line can give."""
    group = parser.add_argument_group("a server of your own")
    for key, (value, meaning) in SINGLE.items():
        group.add_argument(option(key), dest=key, metavar=value, help=meaning, type=NUMBERS.get(key, str))
    for key, (value, meaning) in SEVERAL.items():
        group.add_argument(
            option(key), dest=key, action="append", default=[], metavar=value, help=f"{meaning}; more than once"
        )
    group.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="its environment; more than once"
    )
    group.add_argument(
        "--own-check", metavar="USER,...", help="whom it serves by a check of its own, whatever the mode"
    )
    group.add_argument(
        "--activated", action="store_true", help="it gets its socket by LISTEN_FDS, as from systemd.socket(5)"
    )


def given(options: argparse.Namespace) -> dict[str, Any]:
    """What was given, with the keys of a subject file. Raises DescriptionError."""
    table: dict[str, Any] = {key: getattr(options, key) for key in SINGLE if getattr(options, key) is not None}
    table |= {key: getattr(options, key) for key in SEVERAL if getattr(options, key)}
    environment = {}
    for each in options.env:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise DescriptionError(f"--env {each}: write NAME=VALUE")
        environment[name] = value
    if environment:
        table["environment"] = environment
    if options.own_check is not None:
        table["own_check"] = [name for name in options.own_check.split(",") if name]
    if options.activated:
        table["activated"] = True
    return table


def described_by(options: argparse.Namespace) -> Described:
    """The server of a command line. Raises DescriptionError."""
    return described({**given(options), "command": options.words}, Path())
