"""A command that somebody brings is not attacked by what only a subject was prepared for."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.checks import audience
from harness.inside.dialects import NAMES
from harness.subjects import SUBJECTS, Subject
from harness.subjects.command import CommandSubject


class Untouched(SimpleNamespace):
    """A testbed on which nothing may be done."""

    def lay(self, *_: object) -> None:
        raise AssertionError("the command was attacked")


def over(subject: Subject) -> Any:
    return Untouched(subject=subject)


COMMAND = CommandSubject(name="proxy", about="a filter in front of somebody's server", command=("proxy", "{socket}"))


@pytest.mark.parametrize("speaks", sorted({*NAMES} - {"hooks"}))
def test_a_command_has_nothing_of_anybody_whatever_it_speaks(speaks: str) -> None:
    found = audience.attack(over(replace(COMMAND, speaks=speaks)))
    assert found.verdict == "not applicable"
    assert speaks in found.why


def test_every_subject_that_has_something_of_its_users_is_asked_for_it() -> None:
    asked = {name for name, subject in SUBJECTS.items() if subject.speaks in audience.ATTACKS}
    assert asked == {"dockerd", "postgresql", "postgresql-17", "ssh-agent"}
    for name in asked:
        with pytest.raises(AssertionError, match="was attacked"):
            audience.attack(over(SUBJECTS[name]))
