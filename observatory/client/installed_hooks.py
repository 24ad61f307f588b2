"""Which hooks run in the sessions here, and do they send every event to the socket, once?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from observatory.address import SOCKET_VARIABLE, default_socket
from observatory.client.diagnosis import Diagnosis
from observatory.errors import ObservatoryError
from observatory.hooks import event_names
from observatory.hooks.command import Recipient, hook_command, recipient_of, socket_of
from observatory.hooks.layers import Layer, Running, layers, running
from observatory.hooks.place import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from observatory.hooks.event_names import Version

SOCKETS: Final = 3
"""Sockets of installed hooks that are named, at most."""


def look(
    socket: str, directories: Sequence[Path], version: Version | None, server_uids: frozenset[int]
) -> tuple[Diagnosis, Running | None]:
    """What runs by these `.claude` directories, the user's and the project's, for a client of that version."""
    try:
        found = running(layers(directories[0], directories[1] if len(directories) > 1 else None) if directories else ())
    except ObservatoryError as error:
        return Diagnosis("hooks", False, str(error)), None
    return _judge(socket, found, version, server_uids), found


def trial_command(socket: str, found: Running | None, event: str) -> str | None:
    """The command that is installed for this socket, for a trial event in place of its own; None if there is none.

    Only what `install-hooks` writes is run: a project's settings may be anybody's, and a session asks its user first.
    """
    if found is None:
        return None
    for of, command in _commands(found.layers):
        if _same(socket_of(command), socket) and recipient_of(of, command) is not None:
            return command.replace(f"/hook?event={of}'", f"/hook?event={event}'")
    if found.plugin is not None and _same(_of_plugin(found), socket):
        return hook_command(event, Recipient(None))
    return None


def _judge(socket: str, found: Running, version: Version | None, server_uids: frozenset[int]) -> Diagnosis:
    commands = list(_commands(found.layers))
    if not commands and found.plugin is None:
        if found.silences:
            return Diagnosis("hooks", False, "; ".join(found.silences))
        return Diagnosis("hooks", False, "none are installed; run `observatory install-hooks --global`, or --project")
    if (twice := _twice(found)) is not None:
        return Diagnosis("hooks", False, twice)
    wrong: list[str] = []
    arriving: set[str] = set()
    for layer in found.layers:
        own = list(_commands([layer]))
        sockets = {socket_of(command) for _, command in own}
        if not all(_same(each, socket) for each in sockets):
            named = ", ".join(sorted(map(str, sockets))[:SOCKETS])
            wrong.append(
                f"{layer.path} sends to {named}, not to {socket}; run install-hooks again with --socket {socket}"
            )
        elif (why := _outdated(own, server_uids)) is not None:
            wrong.append(f"{layer.path} has hooks {why}; run install-hooks again")
        else:
            arriving.update(layer.hooks)
    where = " and ".join(str(layer.path) for layer in found.layers)
    if found.plugin is not None:
        if _same(sent := _of_plugin(found), socket):
            return Diagnosis(
                "hooks", True, f"{found.plugin.path} enables the plugin, which sends to ${SOCKET_VARIABLE}: {sent}"
            )
        wrong.append(
            f"{found.plugin.path} enables the plugin, which sends to {sent}, not to {socket}; set {SOCKET_VARIABLE}"
        )
    missing = [event for event in event_names.listened(version) if event not in arriving]
    if arriving and not missing:
        return Diagnosis("hooks", True, f"{where} has all {len(arriving)} hooks, which send to {socket}")
    if not wrong:
        wrong.append(f"{where} has no hook for {', '.join(missing)}; run install-hooks again")
    return Diagnosis("hooks", False, "; ".join((*wrong, *found.silences)))


def _outdated(own: Sequence[tuple[str, str]], server_uids: frozenset[int]) -> str | None:
    """Why hooks are to be installed anew: they are not what this version installs, or the socket's directory is not
    what it was.
    """
    for recipient in dict.fromkeys(recipient_of(event, command) for event, command in own):
        if recipient is None:
            return "of another version, which may be less sure of whose server they speak to"
        if recipient.socket is None or recipient.place == "unknown" or not Path(recipient.socket).parent.exists():
            continue
        trusted = {*recipient.server_uids, *server_uids}  # a command that relies on the place names nobody
        if (now := place_of(recipient.socket, trusted)) != recipient.place:
            return f"for a socket {_PLACES[recipient.place]}, and {recipient.socket} is one {_PLACES[now]}"
    return None


_PLACES: Final = {
    "own": "of one's own, in a directory of one's own",
    "sure": "where nobody but root and its server's user can make a name",
    "shared": "in a directory in which everybody may make names",
    "unknown": "in a directory in which others may make names, or which is another user's",
}


def _twice(found: Running) -> str | None:
    """Where the client would send an event more than once to one socket."""
    places: dict[tuple[str, str], dict[str, str]] = {}
    for layer in found.layers:
        for event, command in _commands([layer]):
            places.setdefault((event, _resolved(socket_of(command))), {}).setdefault(command, f"hooks in {layer.path}")
    if found.plugin is not None:
        sent, plugin = _resolved(_of_plugin(found)), f"the plugin that {found.plugin.path} enables"
        for event in event_names.listened(event_names.OLDEST_FOR_PLUGIN):
            places.setdefault((event, sent), {})["plugin"] = plugin
    doubled = {event: tuple(ways.values()) for (event, _), ways in places.items() if len(ways) > 1}
    if not doubled:
        return None
    ways = max(doubled.values(), key=len)
    which = "each event comes" if len(doubled) > 1 else f"{next(iter(doubled))} comes"
    return (
        f"{which} {len(ways)} times: by {' and by '.join(ways)}; take all but one out, with `observatory "
        f"uninstall-hooks` or `claude plugin disable`"
    )


def _commands(found: Sequence[Layer]) -> Iterator[tuple[str, str]]:
    for layer in found:
        for event, hooks in layer.hooks.items():
            yield from ((event, str(hook.get("command"))) for hook in hooks if isinstance(hook, dict))


def _of_plugin(found: Running) -> str:
    """Where the plugin sends: the settings' environment goes before this one."""
    return found.environment.get(SOCKET_VARIABLE) or default_socket()


def _same(one: str | None, other: str) -> bool:
    return one is not None and _resolved(one) == _resolved(other)


def _resolved(socket: str | None) -> str:
    """One spelling of a socket's path: its directory as it really is. The socket itself is not followed."""
    path = Path(socket or default_socket())
    return os.path.join(os.path.realpath(path.parent), path.name)
