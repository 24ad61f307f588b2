"""Quota, whatever is taken and given back; and who is charged, whatever ranges there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from observatory.service.quota import SET_ASIDE, Accounts, Quota, Range

PRIVILEGED = frozenset({0, 1})
ACCOUNTS = range(6)


@given(st.integers(0, 200), st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.integers(1, 40), st.booleans())))
def test_the_sum_is_right_and_nobody_ever_got_more_than_was_left_then(
    capacity: int, steps: list[tuple[int, int, bool]]
) -> None:
    quota = Quota(capacity, PRIVILEGED)
    part = max(1, capacity // SET_ASIDE)
    held = dict.fromkeys(ACCOUNTS, 0)
    for user, amount, taking in steps:
        if taking:
            left = capacity - sum(held.values()) - amount
            reserve = part - held[0] - held[1]
            common = held[user] + amount <= left - 2 * part
            if user in PRIVILEGED:
                may = common or (left >= 0 and (amount <= reserve or not held[user]))
            else:
                may = common or (not held[user] and left >= max(0, reserve))
            assert quota.take(user, amount) == may
            if may:
                held[user] += amount
        elif held[user] >= amount:
            quota.give_back(user, amount)
            held[user] -= amount
        assert quota.left == capacity - sum(held.values()) >= 0
        assert {user: quota.held(user) for user in held} == held


@given(st.integers(160, 2000), st.lists(st.tuples(st.integers(2, 30), st.integers(1, 300), st.booleans())))
def test_whatever_others_do_root_has_its_reserve_and_a_newcomer_the_first(
    capacity: int, steps: list[tuple[int, int, bool]]
) -> None:
    """Of seats, which are taken one by one."""
    quota = Quota(capacity, PRIVILEGED)
    part = capacity // SET_ASIDE
    came: set[int] = set()
    for user, times, taking in steps:
        for _ in range(times):
            if taking:
                if user not in came and len(came) < part:
                    came.add(user)
                    assert quota.take(user, 1)
                else:
                    quota.take(user, 1)
            elif quota.held(user):
                quota.give_back(user, 1)
        assert quota.left >= part
    for _ in range(part):
        assert quota.take(0, 1)


RANGES = st.lists(st.builds(Range, st.integers(0, 20), st.integers(0, 60), st.integers(0, 20)), max_size=6)


@given(RANGES, st.integers(0, 80))
def test_who_is_charged_is_the_uid_or_one_who_has_it(ranges: list[Range], uid: int) -> None:
    accounts = Accounts(ranges, 5)
    account = accounts.of(uid)
    owners = [each.owner for each in ranges if each.first <= uid < each.first + each.count]
    if uid in {0, 5} or not owners:
        assert account == uid
    else:
        assert account in {-1 - owner if owner in {0, 5} else owner for owner in owners}
    assert accounts.of(uid) == account
