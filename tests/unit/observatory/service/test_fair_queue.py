"""No account's connections are before all of another's."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from observatory.service.quota import AT_ONCE, FairQueue


@dataclass(eq=False)
class One:
    account: int | None


def queue(*accounts: int | None) -> tuple[FairQueue[One], list[One]]:
    made, all_ = FairQueue[One](), [One(account) for account in accounts]
    for each in all_:
        made.add(each)
    return made, all_


def test_turns_go_from_account_to_account_and_within_one_in_the_order_of_coming() -> None:
    it, (a, b, c, d) = queue(1, 1, None, 1)
    assert [it.next() for _ in range(6)] == [a, c, b, c, d, c]


def test_an_account_that_was_served_is_behind_all_others() -> None:
    it, (a, b, c, d) = queue(1, 2, 1, 3)
    assert it.serve(1) == [a, c]
    assert list(it) == [2, 3, 1]
    assert it.serve(3) == [d]
    assert list(it) == [2, 1, 3]
    it.discard(b)
    assert it.serve(2) == []
    assert list(it) == [1, 3]


def test_of_a_long_line_so_many_are_served_at_once() -> None:
    it, all_ = queue(*[1] * (AT_ONCE + 1))
    assert it.serve(1) == all_[:AT_ONCE]


def test_who_does_not_queue_can_leave() -> None:
    it, (a,) = queue(1)
    it.discard(One(1))
    it.discard(One(2))
    assert it.everyone() == [a]
    it.discard(a)
    assert not it


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans())))
def test_everyone_who_has_come_and_not_left_queues_once(steps: list[tuple[int, bool]]) -> None:
    it, here = FairQueue[One](), list[One]()
    for account, comes in steps:
        if comes:
            here.append(One(account))
            it.add(here[-1])
        elif here:
            it.discard(here.pop(account % len(here)))
        assert sorted(map(id, it.everyone())) == sorted(map(id, here))
        assert bool(it) == bool(here)
        if it:
            assert it.next() in here
