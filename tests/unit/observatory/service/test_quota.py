"""One user may hold as much as is left for the others."""

from __future__ import annotations

import pytest

from observatory.service.quota import Quota


def test_one_user_gets_half_and_the_next_half_of_the_rest() -> None:
    quota = Quota(100)
    assert quota.take(1, 50)
    assert not quota.take(1, 1)
    assert quota.take(2, 25)
    assert not quota.take(2, 1)
    assert quota.take(3, 12)


def test_there_is_something_for_one_who_has_nothing_however_many_have_come() -> None:
    quota = Quota(1000)
    for user in range(8):
        while quota.take(user, 1):
            pass
    assert quota.take(99, 1)


def test_what_is_refused_is_not_taken() -> None:
    quota = Quota(10)
    assert not quota.take(1, 6)
    assert (quota.left, quota.held(1)) == (10, 0)


def test_what_is_given_back_is_there_again() -> None:
    quota = Quota(10)
    assert quota.take(None, 5)
    quota.give_back(None, 2)
    assert (quota.left, quota.held(None)) == (7, 3)
    quota.give_back(None, 3)
    assert (quota.left, quota.held(None)) == (10, 0)


def test_nothing_can_be_given_back_by_one_who_holds_nothing() -> None:
    with pytest.raises(KeyError):
        Quota(10).give_back(1, 1)
