"""The hooks of an agent's settings file, as text in and text out. Nothing here touches a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from observatory.hooks.clients import CLIENTS
from observatory.hooks.command import CLIENT_SECONDS, Recipient, hook_command, is_hook_command
from observatory.hooks.json_text import (
    Container,
    Edit,
    Item,
    MalformedError,
    append,
    apply,
    container,
    formatting,
    remove,
    top,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from observatory.hooks.clients import Client

NEW = "{}\n"
"""What a settings file that doesn't exist, or in which nothing is written, is taken to be. So does the client."""


class Handler(TypedDict):
    """One hook as the client's settings name it; `timeout` in the client's unit."""

    type: str
    command: str
    timeout: int


def handlers(events: Iterable[str], recipient: Recipient, client: Client = CLIENTS["claude"]) -> dict[str, Handler]:
    """The hook of each event of a client, which is sent by the name that the event has here."""
    seconds = CLIENT_SECONDS * client.ticks
    return {
        event: {
            "type": "command",
            "command": hook_command(client.events.get(event, event), recipient),
            "timeout": seconds,
        }
        for event in events
    }


def installed(text: str) -> dict[str, list[object]]:
    """Observatory's own hooks in a settings text, by event, as they stand. Raises MalformedError."""
    found: dict[str, list[object]] = {}
    for event, group, index in _ours(text, top(_filled(text))):
        found.setdefault(event, []).append(_hooks_of(group)[index])
    return found


def members(text: str) -> dict[str, object]:
    """What a settings text has in all, by its keys. Raises MalformedError."""
    return {item.key: item.value for item in top(_filled(text)).items if item.key is not None}


def install(text: str, wanted: Mapping[str, object], *, flat: bool = False) -> str:
    """Add a hook for each event to a settings text that has none of observatory's.

    An event that has hooks keeps them, before the new one; everything else keeps its bytes. `flat` is that of the
    client. Raises MalformedError.
    """
    text = _filled(text)
    root = top(text)
    how = formatting(text, root)
    groups = {event: handler if flat else {"hooks": [handler]} for event, handler in wanted.items()}
    member = root.member("hooks")
    if member is None:
        hooks = {event: [group] for event, group in groups.items()}
        first: list[tuple[str | None, object]] = [("version", 1)] if flat and root.member("version") is None else []
        return apply(text, [append(text, root, 0, [*first, ("hooks", hooks)], how)])
    hooks_object = _object(text, member)
    places = hooks_object.members(groups)
    edits: list[Edit] = []
    fresh: list[tuple[str | None, object]] = []
    for event, group in groups.items():
        place = places.get(event)
        if place is None:
            fresh.append((event, [group]))
        else:
            edits.append(append(text, _array(text, place), 2, [(None, group)], how))
    if fresh:
        edits.append(append(text, hooks_object, 1, fresh, how))
    return apply(text, edits)


def uninstall(text: str) -> str:
    """Take every hook of observatory's out of a settings text, and what is empty without it.

    Raises MalformedError.
    """
    root = top(_filled(text))
    member = root.member("hooks")
    if member is None:
        return text
    hooks_object = _object(text, member)
    edits: list[Edit] = []
    empty_events: list[int] = []
    for place, event in enumerate(hooks_object.items):
        groups = _array(text, event)
        empty_groups: list[int] = []
        of_groups: list[Edit] = []
        for number, group in enumerate(groups.items):
            hooks = _hooks_of(group)
            unwanted = [index for index, hook in enumerate(hooks) if _is_ours(hook)]
            if unwanted and len(unwanted) == len(hooks):
                empty_groups.append(number)
            elif unwanted:
                inner = container(text, group.value_start).member("hooks")
                of_groups += remove(container(text, inner.value_start), unwanted) if inner else []
        if empty_groups and len(empty_groups) == len(groups.items):
            empty_events.append(place)
        else:
            edits += of_groups + remove(groups, empty_groups)
    if empty_events and len(empty_events) == len(hooks_object.items):
        return apply(text, remove(root, [root.items.index(member)]))
    return apply(text, edits + remove(hooks_object, empty_events))


def _filled(text: str) -> str:
    return text if text.strip() else NEW


def _ours(text: str, root: Container) -> Iterable[tuple[str, Item, int]]:
    """Each of observatory's hooks: its event, its group, its index there."""
    member = root.member("hooks")
    if member is None:
        return
    for event in _object(text, member).items:
        for group in _array(text, event).items:
            for index, hook in enumerate(_hooks_of(group)):
                if _is_ours(hook):
                    yield event.key or "", group, index


def _is_ours(hook: object) -> bool:
    return isinstance(hook, dict) and is_hook_command(hook.get("command"))


def _hooks_of(group: Item) -> list[object]:
    """The hooks of a group; what has a command itself is one."""
    if not isinstance(group.value, dict):
        return []
    hooks = group.value.get("hooks", [group.value] if "command" in group.value else [])
    return hooks if isinstance(hooks, list) else []


def _object(text: str, member: Item) -> Container:
    if not isinstance(member.value, dict):
        raise MalformedError(f"its {member.key!r} is not an object")
    return container(text, member.value_start)


def _array(text: str, event: Item) -> Container:
    if not isinstance(event.value, list):
        raise MalformedError(f"the hooks of its event {event.key!r} are not an array")
    return container(text, event.value_start)
