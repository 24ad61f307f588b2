"""Users and groups by their names, and by their numbers where this machine has no name for them."""

from __future__ import annotations

import pytest

from observatory.errors import ExitStatus, ObservatoryError
from observatory.identity.names import group_name, uid_of, user_name


def test_users_and_groups_have_names_where_the_machine_knows_them() -> None:
    assert (uid_of("root"), uid_of("4001")) == (0, 4001)
    assert (user_name(0), user_name(4_000_000_001), user_name(None)) == ("root", "4000000001", "?")
    assert (group_name(0), group_name(4_000_000_001), group_name(None)) == ("root", "4000000001", "?")


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ("\u0664\u0662", "there is no user named '\u0664\u0662' on this machine"),
        ("4294967295", "4294967295 is not a uid: those are below 4294967295"),
    ],
)
def test_a_user_who_does_not_exist_is_the_callers_mistake(user: str, says: str) -> None:
    with pytest.raises(ObservatoryError) as caught:
        uid_of(user)
    assert (str(caught.value), caught.value.status) == (says, ExitStatus.USAGE)
