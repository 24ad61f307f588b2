"""Quota, whatever is taken and given back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from observatory.service.quota import Quota


@given(st.integers(0, 200), st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40), st.booleans())))
def test_the_sum_is_right_and_nobody_ever_got_more_than_was_left_then(
    capacity: int, steps: list[tuple[int, int, bool]]
) -> None:
    quota = Quota(capacity)
    held = dict.fromkeys(range(4), 0)
    for user, amount, taking in steps:
        if taking:
            left = capacity - sum(held.values())
            got = quota.take(user, amount)
            assert got == (held[user] + amount <= left - amount)
            if got:
                held[user] += amount
        elif held[user] >= amount:
            quota.give_back(user, amount)
            held[user] -= amount
        assert quota.left == capacity - sum(held.values())
        assert {user: quota.held(user) for user in held} == held
