"""Rules of one's own, in the form that gitleaks has."""

from __future__ import annotations

from pathlib import Path

import pytest

from observatory.errors import ExitStatus, ObservatoryError
from observatory.redaction.own_rules import own_rules
from observatory.redaction.redactor import Redactor


def rules(folder: Path, text: str) -> Redactor:
    file = folder / "rules.toml"
    file.write_text(text)
    return Redactor(own_rules(file))


def test_what_a_rule_finds_is_taken_out(tmp_path: Path) -> None:
    redactor = rules(
        tmp_path,
        r"""
        title = "ours"
        [[rules]]
        id = "ticket"
        regex = '''\bTICK-(?i)([a-z]{2}[0-9]+)(?:[\x60'"\s;]|\\[nr]|$)'''
        entropy = 3.5
        keywords = ["tick-"]
        [[rules]]
        id = "customer"
        description = "no keyword: tried in every text"
        regex = '''(name|id): ([0-9]{4})\z'''
        secretGroup = 2
        [[rules]]
        id = "file"
        path = '''\.p12$'''
        """,
    )
    assert redactor.text("see TICK-Ab12; and tick-ab12") == "see TICK-[redacted: ticket, 4 characters]; and tick-ab12"
    assert redactor.text("id: 1234") == "id: [redacted: customer, 4 characters]"
    assert redactor.inside(b'"a":{"b":"TICK-\\u0041b12"}}') == b'"a":{"b":"TICK-[redacted: ticket, 4 characters]"}}'
    assert redactor.inside(b'"a":{"b":"nothing"}}') is None


def test_rules_with_keywords_are_found_however_json_writes_them(tmp_path: Path) -> None:
    redactor = rules(tmp_path, "[[rules]]\nid='t'\nregex='TICK-[0-9]+'\nkeywords=['Tick-']")
    for body in (b'"a":"TICK-12"}', b'"a":"\\u0054ICK-12"}', b'"a":["TICK\\u002d12"]}'):
        inside = redactor.inside(body)
        assert inside is not None
        assert b"[redacted: t, 7 characters]" in inside


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("rules = 1", "it has no [[rules]], each with an id and a regex"),
        ("", "it has no [[rules]]"),
        ("x = ", "it is not TOML: "),
        ("[[rules]]\nid='a'", "rule 1 needs an id and a regex, both texts"),
        ("[[rules]]\nid='a'\nregex='('", "the regex of rule 1 ('a') can't be used: "),
        ("[[rules]]\nid='a b'\nregex='x'", "the id of rule 1 ('a b') may have letters"),
        ("[[rules]]\nid='a'\nregex='x*'", "the regex of rule 1 ('a') matches a text with nothing in it"),
        ("[[rules]]\nid='a'\nregex='x'\nsecretGroup=1", "the secretGroup of rule 1 ('a') is not a group of its regex"),
        ("[[rules]]\nid='a'\nregex='x'\nkeywords='x'", "the keywords of rule 1 ('a') must be a list of texts"),
        (
            "[extend]\nuseDefault=true\n[[rules]]\nid='a'\nregex='x'",
            "its [extend] names other rules, which are not read",
        ),
        ("[extend]\npath='x'\n[[rules]]\nid='a'\nregex='x'", "its [extend] names other rules"),
        ("[[rules]]\nid='a'\npath='x'", "none of its rules has a regex"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_the_reason(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ObservatoryError) as caught:
        rules(tmp_path, text)
    assert f"--redact-with {tmp_path}/rules.toml: {what}" in str(caught.value)
    assert caught.value.status is ExitStatus.USAGE


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(ObservatoryError, match="--redact-with /no/such: No such file or directory"):
        own_rules(Path("/no/such"))
