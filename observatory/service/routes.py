"""Which request means what: a method and a target in, a route out."""

from __future__ import annotations

import functools
from enum import Enum
from http import HTTPStatus
from urllib.parse import parse_qsl

import httptools
import msgspec

from observatory.wire import Refusal, Request


class Action(Enum):
    """What is asked for."""

    HOOK = "/hook"
    HEALTH = "/health"
    WHOAMI = "/whoami"


_METHODS = {Action.HOOK: (b"POST",), Action.HEALTH: (b"GET", b"HEAD"), Action.WHOAMI: (b"GET", b"HEAD")}
_ACTIONS = {action.value.encode(): action for action in Action}


class Route(msgspec.Struct, frozen=True, gc=False):
    """A request that can be answered: what it asks for, and its query's parameters, the first of each name."""

    action: Action
    parameters: dict[str, str]


class NoRoute(msgspec.Struct, frozen=True, gc=False):
    """A request that can't be answered, and why; `allow` names the methods where only the method is wrong."""

    refusal: Refusal
    allow: str | None = None


@functools.lru_cache(maxsize=256)
def _route(method: bytes, target: bytes) -> Route | NoRoute:
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
    return Route(action, dict(reversed(parse_qsl(query, keep_blank_values=True, errors="replace"))))


def route(request: Request) -> Route | NoRoute:
    """What a request asks for. Hooks repeat themselves, so short targets are remembered."""
    if len(request.target) > 256:
        return _route.__wrapped__(request.method, request.target)
    return _route(request.method, request.target)
