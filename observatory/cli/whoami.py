"""`observatory whoami`: how the server sees the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from observatory.cli.server_options import add_server_options, client
from observatory.errors import ExitStatus
from observatory.text import printable

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `whoami`."""
    parser = subparsers.add_parser(
        "whoami",
        help="show how the server sees you",
        description="Show the credentials with which the kernel introduces you to the server.",
    )
    add_server_options(parser)
    parser.add_argument("--json", action="store_true", help="the server's answer as it is")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask, and print."""
    import json

    who = client(options).whoami()
    print(json.dumps(who) if options.json else printable(sentence(who)))
    return ExitStatus.DONE


def sentence(who: dict[str, Any]) -> str:
    """The credentials in the manner of id(1); `?` is what the kernel did not know or could not translate."""
    from observatory.identity.names import group_name, user_name

    def one(key: str, name: str) -> str:
        return f"{key}={who[key]}({name})" if isinstance(who.get(key), int) else f"{key}=?"

    said = [f"pid={who['pid']}" if isinstance(who.get("pid"), int) else "pid=?"]
    said += [one("uid", user_name(who.get("uid"))), one("gid", group_name(who.get("gid")))]
    if isinstance(groups := who.get("groups"), list):
        said.append("groups=" + (",".join(f"{gid}({group_name(gid)})" for gid in groups) or "none"))
    return " ".join(said)
