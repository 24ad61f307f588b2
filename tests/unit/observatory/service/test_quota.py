"""One user may hold as much as is left for the others; who has nothing gets the first; one person is one user."""

from __future__ import annotations

import pytest

from observatory.service.quota import SET_ASIDE, Accounts, Quota, Range

ALICE, BOB, OWN = 1500, 1600, 900
PRIVILEGED = frozenset({0, OWN})


def take_all(quota: Quota, account: int | None) -> int:
    """Take as much as there is to have, one by one; how much that was."""
    taken = 0
    while quota.take(account, 1):
        taken += 1
    return taken


def test_one_user_gets_half_and_the_next_half_of_the_rest() -> None:
    quota = Quota(160)  # of which 10 are for those who have nothing
    assert [take_all(quota, user) for user in (1, 2, 3)] == [75, 37, 19]


def test_there_is_something_for_one_who_has_nothing_however_many_have_come() -> None:
    quota = Quota(1600, PRIVILEGED)
    for user in range(1000, 1090):
        assert take_all(quota, user) >= 1
    assert quota.take(99, 1)
    assert not quota.take(99, 1)


def test_root_and_the_server_s_own_user_have_a_reserve_that_others_can_t_take() -> None:
    quota = Quota(1600, PRIVILEGED)
    for user in range(1000, 3000):
        take_all(quota, user)
    assert quota.left == 1600 // SET_ASIDE
    assert take_all(quota, 0) + take_all(quota, OWN) == 1600 // SET_ASIDE


def test_what_root_holds_of_its_reserve_is_not_set_aside_again() -> None:
    quota = Quota(1600, PRIVILEGED)
    take_all(quota, 0)
    for user in range(1000, 3000):
        take_all(quota, user)
    assert quota.left == 0
    quota.give_back(0, 10)
    assert quota.take(OWN, 1)


def test_what_is_refused_is_not_taken() -> None:
    quota = Quota(10)
    assert quota.take(1, 1)
    assert not quota.take(1, 6)
    assert (quota.left, quota.held(1)) == (9, 1)


def test_a_first_may_be_large_but_not_larger_than_what_is_left() -> None:
    quota = Quota(160)
    assert not quota.take(1, 161)
    assert quota.take(1, 160)
    assert not quota.take(2, 1)


def test_what_is_given_back_is_there_again() -> None:
    quota = Quota(100)
    assert quota.take(None, 5)
    quota.give_back(None, 2)
    assert (quota.left, quota.held(None)) == (97, 3)
    quota.give_back(None, 3)
    assert (quota.left, quota.held(None)) == (100, 0)


def test_nothing_can_be_given_back_by_one_who_holds_nothing() -> None:
    with pytest.raises(KeyError):
        Quota(10).give_back(1, 1)


def test_one_person_s_range_of_uids_is_one_account() -> None:
    accounts = Accounts([Range(ALICE, 100_000, 65_536), Range(BOB, 165_536, 65_536)], OWN)
    assert {accounts.of(uid) for uid in (ALICE, 100_000, 165_535)} == {ALICE}
    assert {accounts.of(uid) for uid in (BOB, 165_536, 231_071)} == {BOB}
    assert [accounts.of(uid) for uid in (99_999, 231_072, None)] == [99_999, 231_072, None]


def test_a_range_of_a_privileged_user_is_not_that_user() -> None:
    accounts = Accounts([Range(0, 100_000, 10), Range(OWN, 200_000, 10)], OWN)
    found = [accounts.of(uid) for uid in (0, 100_000, 100_009, OWN, 200_000)]
    assert found == [0, -1, -1, OWN, -1 - OWN]
    assert not {-1, -1 - OWN} & accounts.privileged


def test_a_range_takes_nobody_s_privilege_and_of_two_the_first_counts() -> None:
    accounts = Accounts([Range(BOB, 50, 20), Range(ALICE, 0, 100), Range(BOB, 90, 20), Range(BOB, 300, 0)], 42)
    assert [accounts.of(uid) for uid in (0, 42, 41, 55, 99, 100, 109, 110, 300)] == [
        *(0, 42, ALICE, ALICE, ALICE, BOB, BOB, 110, 300)
    ]


def test_it_s_found_out_again_whom_nobody_remembers() -> None:
    accounts = Accounts([Range(ALICE, 100_000, 65_536)], OWN)
    assert all(accounts.of(uid) == ALICE for _ in range(2) for uid in range(100_000, 110_000))
