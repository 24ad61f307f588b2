"""One user may hold as much as is left for the others."""

from __future__ import annotations

import pytest

from observatory.service.quota import Shares


def test_one_user_gets_half_and_the_next_half_of_the_rest() -> None:
    shares = Shares(100)
    assert shares.take(1, 50)
    assert not shares.take(1, 1)
    assert shares.take(2, 25)
    assert not shares.take(2, 1)
    assert shares.take(3, 12)


def test_there_is_something_for_one_who_has_nothing_however_many_have_come() -> None:
    shares = Shares(1000)
    for user in range(8):
        while shares.take(user, 1):
            pass
    assert shares.take(99, 1)


def test_what_is_refused_is_not_taken() -> None:
    shares = Shares(10)
    assert not shares.take(1, 6)
    assert (shares.left, shares.held(1)) == (10, 0)


def test_what_is_given_back_is_there_again() -> None:
    shares = Shares(10)
    assert shares.take(None, 5)
    shares.give_back(None, 2)
    assert (shares.left, shares.held(None)) == (7, 3)
    shares.give_back(None, 3)
    assert (shares.left, shares.held(None)) == (10, 0)


def test_nothing_can_be_given_back_by_one_who_holds_nothing() -> None:
    with pytest.raises(KeyError):
        Shares(10).give_back(1, 1)
