"""A diff makes one text of the other, and takes no longer for a text that was made to take long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.hooks import diff
from observatory.hooks.diff import unified_diff
from tests.helpers.deadline import PATIENCE

texts = st.lists(st.sampled_from(["a\n", "b\n", "\n", "}\n", "c\r\n", "\x85\n"]), max_size=30).flatmap(
    lambda lines: st.sampled_from(["".join(lines), "".join(lines).removesuffix("\n")])
)


def patched(old: str, change: str) -> str:
    """What patch(1) would make of it."""
    lines, made, place = re.findall(r"[^\n]*\n|[^\n]+", old), list[str](), 0
    for hunk in re.split(r"^@@ -", change.replace("\n\\ No newline at end of file\n", "\0"), flags=re.MULTILINE)[1:]:
        heading, _, body = hunk.partition("\n")
        found = re.fullmatch(r"(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", heading)
        assert found
        start = int(found[1]) - (found[2] != "0")
        made += lines[place:start]
        place = start
        taken = put = 0
        for line in re.findall(r"[^\n\0]*[\n\0]", body):
            text = line[1:].removesuffix("\0")
            if line[0] in " -":
                assert lines[place] == text
                place += 1
                taken += 1
            if line[0] in " +":
                made.append(text)
                put += 1
        assert (taken, put) == (int(found[2] or 1), int(found[4] or 1))
    return "".join(made + lines[place:])


@given(texts, texts)
def test_it_makes_one_text_of_the_other(old: str, new: str) -> None:
    change = unified_diff(old, new, "old", "new")
    assert bool(change) == (old != new)
    assert patched(old, change) == new
    assert change.count("\\ No newline at end of file\n") <= 2


@given(texts, texts)
def test_texts_of_too_many_lines_are_shown_as_taken_out_and_put_in(old: str, new: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diff, "MOST", 0)
        change = unified_diff(old, new, "old", "new")
    assert patched(old, change) == new


def test_it_is_what_people_know() -> None:
    old = "".join(f"{number}\n" for number in range(1, 21))
    assert unified_diff(old, old.replace("10\n", "ten\n"), "was", "is") == (
        "--- was\n+++ is\n@@ -7,7 +7,7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n"
    )
    assert unified_diff("", "{}\n", "/dev/null", "is") == "--- /dev/null\n+++ is\n@@ -0,0 +1 @@\n+{}\n"


def test_no_text_makes_it_take_long() -> None:
    lines = [line for number in range(8_000) for line in (f"{number * 7 % 101}\n", f"h{number % 101}\n")]
    started = time.monotonic()
    change = unified_diff("".join(lines), "".join(lines[::2]), "was", "is")
    assert time.monotonic() - started < PATIENCE, "difflib by itself takes minutes"
    assert patched("".join(lines), change) == "".join(lines[::2])
