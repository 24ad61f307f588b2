"""Which request means what: a method and a target in, a route out."""

from __future__ import annotations

import functools
import re
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import httptools
import msgspec

from observatory.http.parser import Refusal
from observatory.service.event_stream import Wish
from observatory.store import Query
from observatory.store.query import first
from observatory.text import nearest, printable

if TYPE_CHECKING:
    from observatory.audience import Scope
    from observatory.store.query import Parameters

NOBODY: Final = -1
"""A uid that no event has."""


class Action(Enum):
    """What is asked for."""

    HOOK = "/hook"
    HEALTH = "/health"
    WHOAMI = "/whoami"
    DATABASE = "/database"
    EVENTS = "/events"


_METHODS = {
    Action.HOOK: (b"POST",),
    Action.HEALTH: (b"GET", b"HEAD"),
    Action.WHOAMI: (b"GET", b"HEAD"),
    Action.DATABASE: (b"GET", b"HEAD"),
    Action.EVENTS: (b"GET",),
}
_OF_EVENTS: Final = (
    *("after", "limit", "event", "session", "tool", "beginning", "since", "until", "user", "database", "follow"),
)
"""The parameters of `/events`, where another one is refused: a misspelt filter would show everything. A hook's are not
looked at: it says nothing of a refusal, and its event would be lost."""
_SHOWN: Final = 40
"""Characters of an unknown parameter's name that its sender is told again."""
_ACTIONS = {action.value.encode(): action for action in Action}


class Route(msgspec.Struct, frozen=True, gc=False):
    """A request that can be answered: what it asks for, and its query's parameters, all of each name."""

    action: Action
    parameters: dict[str, list[str]]
    name: str | None = None
    """The event's name, if it's a hook and the target says it."""


class NoRoute(msgspec.Struct, frozen=True, gc=False):
    """A request that can't be answered, and why; `allow` names the methods where only the method is wrong."""

    refusal: Refusal
    allow: str | None = None


@functools.lru_cache(maxsize=256)  # hooks repeat themselves
def route(method: bytes, target: bytes) -> Route | NoRoute:
    """What a request asks for."""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        return NoRoute(Refusal(HTTPStatus.BAD_REQUEST, "The request target is not a URL."))
    action = _ACTIONS.get(url.path)
    if action is None:
        known = ", ".join(known.value for known in Action)
        return NoRoute(Refusal(HTTPStatus.NOT_FOUND, f"There is nothing here but {known}."))
    if method not in _METHODS[action]:
        allow = ", ".join(method.decode() for method in _METHODS[action])
        return NoRoute(Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{action.value} takes {allow} only."), allow)
    query = (url.query or b"").decode("ascii", errors="replace")
    parameters = parse_qs(query, keep_blank_values=True, errors="replace")
    if action is Action.EVENTS:
        for name in parameters:
            if name not in _OF_EVENTS:
                return NoRoute(Refusal(HTTPStatus.BAD_REQUEST, _unknown(name)))
    return Route(action, parameters, parameters.get("event", [None])[0] if action is Action.HOOK else None)


def _unknown(name: str) -> str:
    near = nearest(name, _OF_EVENTS)
    hint = "" if near is None else f" (did you mean {near}=?)"
    known = ", ".join(f"{each}=" for each in _OF_EVENTS)
    return f"/events takes no parameter {printable(name[:_SHOWN])}={hint}, only {known}."


def wish(parameters: Parameters, may_see: Scope) -> Wish | Refusal:
    """What the parameters of `/events` ask for, within what this reader may see."""
    if not may_see.everything and may_see.uid is None:
        return Refusal(HTTPStatus.FORBIDDEN, "The kernel does not say who you are, so there is nothing for you here.")
    try:
        uid = _uid(first(parameters, "user") or None)
        after = _number("after", first(parameters, "after"))
        limit = _number("limit", first(parameters, "limit"))
        if not may_see.everything:
            uid = may_see.uid if uid in {None, may_see.uid} else NOBODY
        query = Query.of(parameters, uid)
    except ValueError as error:
        return Refusal(HTTPStatus.BAD_REQUEST, str(error))
    return Wish(query, after, limit, first(parameters, "follow") not in {None, "", "0"})


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,18}", text, re.ASCII):
        raise ValueError(f"The parameter {name}= takes a whole number.")
    return int(text)


def _uid(text: str | None) -> int | None:
    """A uid. A user's name is not taken: who would have to be asked for its number may be long in answering."""
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,10}", text, re.ASCII):
        raise ValueError("The parameter user= takes a uid, a number as `id -u NAME` prints it.")
    return int(text)
