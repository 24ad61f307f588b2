"""How attempts are divided among the children that make them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.inside.agent.rounds import BATCH, batches
from harness.inside.rows import EncodedAttempt


def attempt(who: int, cwd: str | None = None) -> EncodedAttempt:
    return EncodedAttempt(who, "stat", cwd, 0, None, None, "stream", None, None, None, None)


def test_neighbours_of_one_principal_go_together() -> None:
    assert batches([attempt(who) for who in (0, 0, 1, 0)]) == [(0, 2), (2, 3), (3, 4)]


def test_nothing_is_no_batch() -> None:
    assert batches([]) == []


def test_a_batch_has_no_more_than_a_listener_lets_wait() -> None:
    assert batches([attempt(0)] * (BATCH + 1)) == [(0, BATCH), (BATCH, BATCH + 1)]
    assert BATCH < 128


def test_what_is_tried_in_a_directory_stands_alone() -> None:
    """The attempt before it may have moved the directory."""
    assert batches([attempt(0, "/srv"), attempt(0, "/srv"), attempt(0)]) == [(0, 1), (1, 2), (2, 3)]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([None, "/srv"])), max_size=200))
def test_every_attempt_is_in_one_batch_in_its_order(drawn: list[tuple[int, str | None]]) -> None:
    rows = [attempt(who, cwd) for who, cwd in drawn]
    found = batches(rows)
    assert [number for start, end in found for number in range(start, end)] == list(range(len(rows)))
    assert all(len({(row.who, row.cwd) for row in rows[start:end]}) == 1 for start, end in found)
