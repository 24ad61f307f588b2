"""Which request means what."""

from __future__ import annotations

import pytest

from observatory.audience import Scope
from observatory.http.parser import Refusal
from observatory.service.event_stream import Wish
from observatory.service.routes import Action, NoRoute, Route, route, wish


@pytest.mark.parametrize(
    ("method", "target", "action", "parameters"),
    [
        (b"POST", b"/hook", Action.HOOK, {}),
        (b"POST", b"/hook?event=Stop", Action.HOOK, {"event": ["Stop"]}),
        (b"POST", b"http://localhost/hook?event=Stop", Action.HOOK, {"event": ["Stop"]}),
        (b"POST", b"/hook?event=a%20b%C3%A9+c", Action.HOOK, {"event": ["a b\u00e9 c"]}),
        (b"POST", b"/hook?event=%FF", Action.HOOK, {"event": ["\ufffd"]}),
        (b"POST", b"/hook?event=first&event=second&x", Action.HOOK, {"event": ["first", "second"], "x": [""]}),
        (b"POST", b"/hook?event=#fragment", Action.HOOK, {"event": [""]}),
        (b"GET", b"/health", Action.HEALTH, {}),
        (b"HEAD", b"/health", Action.HEALTH, {}),
        (b"GET", b"/whoami", Action.WHOAMI, {}),
        (b"GET", b"/events?after=5&follow=1", Action.EVENTS, {"after": ["5"], "follow": ["1"]}),
        (b"POST", b"/hook?" + b"x" * 1000, Action.HOOK, {"x" * 1000: [""]}),
    ],
)
def test_a_target_leads_to_an_action(
    method: bytes, target: bytes, action: Action, parameters: dict[str, list[str]]
) -> None:
    name = parameters.get("event", [None])[0] if action is Action.HOOK else None
    assert route(method, target) == Route(action, parameters, name)


@pytest.mark.parametrize(
    ("method", "target", "status", "allow"),
    [
        (b"GET", b"/", 404, None),
        (b"GET", b"/hooks", 404, None),
        (b"POST", b"/hook/", 404, None),
        (b"POST", b"//hook", 404, None),
        (b"OPTIONS", b"*", 404, None),
        (b"GET", b"/hook", 405, "POST"),
        (b"PUT", b"/hook", 405, "POST"),
        (b"POST", b"/health", 405, "GET, HEAD"),
        (b"HEAD", b"/events", 405, "GET"),
        (b"GET", b"hook", 400, None),
        (b"GET", b"http://", 400, None),
    ],
)
def test_a_target_that_leads_nowhere_is_refused(method: bytes, target: bytes, status: int, allow: str | None) -> None:
    found = route(method, target)
    assert isinstance(found, NoRoute)
    assert (found.refusal.status, found.allow) == (status, allow)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (b"evnet=Stop", "/events takes no parameter evnet= (did you mean event=?), only after=, limit=, event=, "),
        (b"event=Stop&Limit=3", "/events takes no parameter Limit= (did you mean limit=?), only "),
        (b"zzz", "/events takes no parameter zzz=, only "),
        (b"=1", "/events takes no parameter =, only "),
        (b"caf%C3%A9=1&more=2", "/events takes no parameter caf\u00e9=, only "),
        (b"a%0Ab=1", "/events takes no parameter a\\nb=, only "),
        (b"e" * 60_000 + b"=1", f"/events takes no parameter {'e' * 40}=, only "),
    ],
)
def test_a_parameter_that_is_not_known_is_refused_with_those_that_are(query: bytes, says: str) -> None:
    found = route(b"GET", b"/events?" + query)
    assert isinstance(found, NoRoute)
    assert found.refusal.status == 400
    assert found.refusal.sentence.startswith(says)
    assert found.refusal.sentence.endswith("database=, follow=.")


@pytest.mark.parametrize(
    ("method", "target"), [(b"POST", b"/hook?evnt=Stop"), (b"GET", b"/health?again"), (b"GET", b"/whoami?x=1")]
)
def test_no_event_is_lost_for_a_parameter_and_none_matters_where_there_are_none(method: bytes, target: bytes) -> None:
    assert isinstance(route(method, target), Route)


def test_a_user_is_asked_for_by_number() -> None:
    wanted = wish({"user": "1000"}, Scope(everything=True))
    assert isinstance(wanted, Wish)
    assert wanted.query.uid == 1000


@pytest.mark.parametrize("name", ["root", "-1", "+1", "0x1", "1 ", "\u0661", "12345678901"])
def test_a_user_s_name_is_refused_with_what_to_do(name: str) -> None:
    refused = wish({"user": name}, Scope(everything=True))
    assert isinstance(refused, Refusal)
    assert "user= takes a uid, a number as `id -u NAME` prints it" in refused.sentence
