"""Whatever an owner's settings hold, they keep every byte of it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from observatory.hooks import event_names, json_text, settings
from observatory.hooks.command import Recipient

WANTED = settings.handlers(("Stop", "PreToolUse", "SessionStart"), Recipient("/tmp/o.sock"))

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=12
)
their_hooks = st.fixed_dictionaries(
    {"type": st.just("command"), "command": st.sampled_from(["true", "./check", "curl --unix-socket /x http://y"])}
)
groups = st.fixed_dictionaries({"hooks": st.lists(their_hooks, max_size=2)}, optional={"matcher": texts})
hooks = st.dictionaries(
    st.sampled_from([*WANTED, "Notification", "Unheard"]), st.lists(groups | values, max_size=3), max_size=4
)


members_of_theirs = st.dictionaries(texts.filter(lambda key: key != "hooks"), values, max_size=4)
indents = st.sampled_from([None, 0, 1, 2, 4, "\t"])
separators = st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")])
marks = st.sampled_from(["", "\ufeff"])
around = st.sampled_from(["", "\n", " ", "\r\n\t"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A settings object in one of many spellings: indents, separators, escapes, line ends, white space around it."""
    members = list(draw(members_of_theirs).items())
    if draw(st.booleans()):
        members.insert(draw(st.integers(0, len(members))), ("hooks", draw(hooks)))
    text = json.dumps(
        dict(members),
        indent=draw(indents),
        ensure_ascii=draw(st.booleans()),
        separators=draw(separators),
    )
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return draw(marks) + draw(around) + text + draw(around)


def without_empties(value: Any) -> Any:
    """Settings without an event, and without a `hooks`, that holds nothing."""
    if "hooks" not in value:
        return value
    kept = {event: groups for event, groups in value["hooks"].items() if groups}
    rest = {key: member for key, member in value.items() if key != "hooks"}
    return rest | ({"hooks": kept} if kept else {})


@given(documents())
def test_installing_only_adds(text: str) -> None:
    new = settings.install(text, WANTED)
    remaining = iter(new)
    assert all(character in remaining for character in text)
    before, after = json.loads(text.lstrip("\ufeff")), json.loads(new.lstrip("\ufeff"))
    assert [key for key in after if key in before] == list(before)
    for event, group in WANTED.items():
        old = before.get("hooks", {}).get(event, [])
        assert after["hooks"][event] == [*old, {"hooks": [group]}]


@given(documents())
def test_uninstalling_gives_back_all_but_empty_containers(text: str) -> None:
    again = settings.uninstall(settings.install(text, WANTED))
    assert without_empties(json.loads(again.lstrip("\ufeff"))) == without_empties(json.loads(text.lstrip("\ufeff")))


@given(documents())
def test_uninstalling_gives_back_every_byte_where_nothing_was_empty(text: str) -> None:
    value = json.loads(text.lstrip("\ufeff"))
    if value and without_empties(value) == value:
        assert settings.uninstall(settings.install(text, WANTED)) == text


@given(documents())
def test_what_has_no_hooks_of_ours_is_left_alone(text: str) -> None:
    assert settings.installed(text) == {}
    assert settings.uninstall(text) == text


@given(documents())
def test_what_is_installed_is_found(text: str) -> None:
    assert settings.installed(settings.install(text, WANTED)) == {event: [hook] for event, hook in WANTED.items()}


@given(st.text(max_size=60) | documents().flatmap(lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut])))
def test_a_text_is_either_refused_with_a_sentence_or_stays_json(text: str) -> None:
    sentence = None
    try:
        new = settings.install(text, settings.handlers(event_names.listened(None), Recipient("/tmp/o.sock")))
    except json_text.MalformedError as error:
        sentence = str(error)
    else:
        json.loads(new.lstrip("\ufeff"))
    assert sentence is None or (sentence.startswith("it") and "\n" not in sentence)
