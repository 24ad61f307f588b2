"""No secret of a known form is left in what is kept of an event, in whatever way JSON writes it; and all else is."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.events import compose, take_apart, timestamp
from observatory.redaction import keywords
from observatory.redaction.keywords import BLOCK, Keywords
from observatory.redaction.redactor import MOST_PLACES, Redactor
from observatory.redaction.rules import ESCAPES, FORMS, Form
from tests.helpers.secrets import AROUND, PLANTED, private_key

REDACTOR = Redactor()
BEGIN, *_, END = private_key().splitlines()
WORDS = [word for form in FORMS for word in form.keywords]


def composed(body: bytes, keep: int | None = None) -> dict[str, Any]:
    event = compose(1, 0, timestamp(0), None, None, take_apart(body, keep, REDACTOR))
    said: dict[str, Any] = json.loads(event.line)
    return said


def kind_of(name: str) -> str:
    return name.partition(" ")[0]


def escaped(text: str) -> str:
    """Each character as an escape of JSON."""
    return "".join(f"\\u{ord(sign):04x}" for sign in text)


@pytest.mark.parametrize("name", PLANTED)
def test_a_secret_is_taken_out_and_its_kind_and_length_are_said(name: str) -> None:
    secret = PLANTED[name]
    marked = f"[redacted: {kind_of(name)}, {len(secret)} characters]"
    assert REDACTOR.text(f"use {secret}, or else") == f"use {marked}, or else"
    assert REDACTOR.text(f"https://user:{secret}@example.com/") == f"https://user:{marked}@example.com/"


@pytest.mark.parametrize("name", AROUND)
def test_what_stands_around_a_secret_stays(name: str) -> None:
    around, secret = AROUND[name]
    assert REDACTOR.text(around.format(secret)) == around.format(
        f"[redacted: {kind_of(name)}, {len(secret)} characters]"
    )


@pytest.mark.parametrize("secret", PLANTED.values(), ids=PLANTED)
def test_it_is_found_in_whatever_way_json_has_it(secret: str) -> None:
    """As a text, an escaped one, JSON in a text, a name, deep down, in what is no JSON or no object, and too deep."""
    bodies = [
        json.dumps({"session_id": "s", "tool_input": {"command": f"echo {secret}"}, "n": 1}),
        f'{{"tool_input":{{"command":"echo {escaped(secret)}"}}}}',
        json.dumps({"tool_input": {"content": json.dumps({"a": json.dumps({"b": secret})})}}),
        json.dumps({"tool_input": {secret: 1}, secret: 2}),
        json.dumps({"a": [[[{"b": [1, None, f"x {secret}"]}]]]}),
        f"no JSON {secret}",
        json.dumps(secret),
        "[" * 200 + json.dumps(secret) + "]" * 200,
        json.dumps({"session_id": secret, "tool_name": secret, "hook_event_name": secret}),
    ]
    for body in bodies:
        event = compose(1, 0, timestamp(0), None, None, take_apart(body.encode(), None, REDACTOR))
        read = repr((json.loads(event.line), event))
        assert secret not in read
        assert secret[8:] not in read
        assert "[redacted: " in read


def test_a_private_key_is_taken_out_whole_numbered_quoted_or_cut() -> None:
    key = private_key()
    lines = key.splitlines()
    numbered = "\n".join(f"{number:6}\u2192{line}" for number, line in enumerate(lines, 1))
    quoted = "\n".join(f'    "{line}\\n" +' for line in lines)
    for text in (
        key,
        private_key(""),
        private_key("OPENSSH "),
        numbered,
        quoted,
        key[:400],
        json.dumps(key),
        numbered[:500],
    ):
        left = REDACTOR.text(f"before {text}\nafter")
        assert left.startswith("before ")
        assert left.endswith("\nafter")
        assert "[redacted: private-key, " in left
        assert not any(line[:16] in left for line in lines[1:-1])


@pytest.mark.parametrize(
    "text",
    [
        "export GITHUB_TOKEN=$TOKEN",
        'GITHUB_TOKEN="${TOKEN}" make',
        "API_KEY=$(pass show key) ./run",
        "DB_PASSWORD=os.environ['X'] or getpass()",
        "SEMICOLON_TOKEN = 59",
        "#define T_TOKEN=257",
        "MY_SECRET=",
        "USE_TOKEN=true",
        'CLIENT_SECRET = "CLIENT_SECRET"',
        'CHALLENGE_PASSWORD = "challengePassword"',
        "API_KEY=YOUR_API_KEY",
        "API_KEY=<your key>",
        "Authorization: Bearer $TOKEN",
        "Authorization: Bearer <token>",
        '"Authorization": f"Bearer {token}"',
        '"Authorization": "Bearer " + token',
        "authorization: string",
        "The authorization = a word",
        "token_count=12345678",
        "max_tokens=100000",
        "sk-ant- is how they begin, ghp_ too, and AKIA",
        "-----BEGIN RSA PRIVATE KEY----- is how a key begins",
        '"-----BEGIN PRIVATE KEY-----\\n" + key + "\\n-----END PRIVATE KEY-----"',
        "task_test_case k_test_x npm_config_cache",
        "U0FJQUtJQQ==AKIAIOSFODNN7EXAMPLEAKIA",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert REDACTOR.text(text) == text
    body = json.dumps({"a": {"b": [text, 12345678901234567890123, 1.10]}}).encode()
    assert bytes(take_apart(body, None, REDACTOR).inside) == body[1:]


def test_a_field_is_a_secret_by_its_name() -> None:
    said = composed(
        json.dumps(
            {
                "env": {"MY_TOKEN": "abcd!", "PASSWORD": "", "PATH": "/bin", "N_TOKEN": 7},
                "headers": {"Authorization": "abc def", "accept": "*"},
                "API_KEY": "short",
            }
        ).encode()
    )
    assert said["env"] == {
        "MY_TOKEN": "[redacted: named-secret, 5 characters]",
        "PASSWORD": "",
        "PATH": "/bin",
        "N_TOKEN": 7,
    }
    assert said["headers"] == {"Authorization": "[redacted: named-secret, 7 characters]", "accept": "*"}
    assert said["API_KEY"] == "[redacted: named-secret, 5 characters]"


def test_fields_without_a_secret_stay_byte_for_byte() -> None:
    odd = b'"n": 12345678901234567890123, "f": 1e400, "e": "\\u00e9", "t": "TOKEN"'
    secret = PLANTED["github-token"].encode()
    inside = REDACTOR.inside(b'"a": "%b", %b}' % (secret, odd))
    assert inside is not None
    assert b'"n":12345678901234567890123,"f":1e400,"e":"\\u00e9","t":"TOKEN"}' in inside


def test_what_was_taken_out_is_not_taken_out_again() -> None:
    texts = [*(around.format(secret) for around, secret in AROUND.values()), *PLANTED.values(), private_key()]
    for text in texts:
        once = REDACTOR.text(text)
        assert REDACTOR.text(once) == once
        assert composed(json.dumps({"DEPLOY_TOKEN": once}).encode())["DEPLOY_TOKEN"] == once


def test_a_secret_is_taken_out_before_a_text_is_cut() -> None:
    secret = PLANTED["github-token"]
    said = composed(json.dumps({"a": "x" * 90 + secret + " " * 100}).encode(), keep=100)
    assert said["a"] == "x" * 90 + "[redacted:"
    assert said["_cut"][0]["bytes"] == 190 + len(f"[redacted: github-token, {len(secret)} characters]")


def test_a_text_of_nothing_but_beginnings_of_secrets_is_not_looked_through_for_ever() -> None:
    secret = PLANTED["github-token"]
    text = "TOKEN " * (MOST_PLACES + 10) + secret
    left = REDACTOR.text(text)
    assert secret not in left
    assert left == "TOKEN " * MOST_PLACES + f"[redacted: not-looked-through, {len(text) - 6 * MOST_PLACES} characters]"


@pytest.mark.parametrize(
    "unit",
    [
        "PRIVATE KEY-----" + "A" * 40 + " ",
        "PRIVATE KEY BLOCK-----" + "A" * 40 + " ",
        "uthorization:" + " " * 1000,
        "A_" * 500 + "TOKEN=",
        "eyJ",
        "TOKEN='aaaa",
    ],
)
def test_a_hostile_text_takes_time_by_its_length_only(unit: str) -> None:
    """By the processor's time: with ten times the length ten times as much, where each place led on to the end of the
    text it would be a hundred times.
    """

    def took(length: int) -> float:
        text = (unit * (length // len(unit)))[:length]
        begun = time.thread_time()
        REDACTOR.text(text)
        return time.thread_time() - begun

    long = min(took(200_000) for _ in range(3))
    assert long < 40 * min(took(20_000) for _ in range(3))
    assert long < 400 * min(took(2_000) for _ in range(3))


def test_the_search_for_keywords_is_at_full_speed() -> None:
    """Beyond sixty words `ahocorasick_rs` gives up the processor's vector instructions."""
    assert len(WORDS) + len(ESCAPES) <= 60
    assert len(set(WORDS)) == len(WORDS)


pieces = st.one_of(st.sampled_from([*WORDS, *ESCAPES]), st.binary(max_size=5), st.sampled_from([b"A", b"_", b"\\u00"]))


@given(st.lists(pieces, max_size=30).map(b"".join))
def test_without_the_library_the_same_is_found(data: bytes) -> None:
    pytest.importorskip("ahocorasick_rs", reason="there is no package of it for this platform")
    words = [*WORDS, *ESCAPES]
    by_library, by_expression = keywords._finder(words), keywords._by_expression(words)
    assert list(by_library(data)) == by_expression(data)


def test_where_the_library_is_missing_an_expression_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "ahocorasick_rs", None)
    for name, secret in PLANTED.items():
        assert Redactor().text(f" {secret} ") == f" [redacted: {kind_of(name)}, {len(secret)} characters] "


@pytest.mark.parametrize("ahead", [0, BLOCK - 5, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 2])
def test_a_keyword_is_found_where_two_blocks_meet_and_once(ahead: int) -> None:
    words = Keywords([b"TOKEN", b"eyJ"])
    data = b"x" * ahead + b"TOKEN" + b"y" * BLOCK
    assert words.stand_in(data)
    assert list(words.places(data)) == [(0, ahead)]
    assert not words.stand_in(data.replace(b"TOKEN", b"token"))


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=20),
        st.sampled_from([*PLANTED.values(), "A_TOKEN=abcde"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "X_TOKEN", "é"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "tool_input", "DB_PASSWORD", "\u00e9"]), json_values, max_size=3))
def test_json_stays_json_of_the_same_shape(value: dict[str, Any]) -> None:
    said = composed(json.dumps(value).encode())
    for name, each in value.items():
        assert shape(said[name]) == shape(each)
    assert not any(secret in json.dumps(said) for secret in PLANTED.values())


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value)


def test_a_long_private_key_with_marks_before_each_line_is_taken_out_whole() -> None:
    key = "\n".join(f"--- P-P- {line}" for line in (BEGIN, *("x" + "Ab3/" * 15 for _ in range(300)), END))
    assert REDACTOR.text(key).count("Ab3/") == 0


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.kind} {form.keywords[0].decode()}")
def test_no_form_repeats_a_group_possessively(form: Form) -> None:
    """Python 3.11.0 to 3.11.4 takes less than matches then: of a quoted private key the first line alone."""
    assert re.search(rb"(?<!\\)\)(?:[*+?]|\{[0-9,]+\})\+|\(\?>", form.pattern.pattern) is None
