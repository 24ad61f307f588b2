"""What a server needs made before its first start is made once, and every world gets a copy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.checks.runner import CheckError, Configuration, check
from harness.subjects.command import CommandSubject
from harness.testbed.cast import STATE
from harness.testbed.testbed import Testbed

if TYPE_CHECKING:
    from harness.engines.protocol import Place


def test_a_setup_runs_once_as_the_servers_user_and_every_world_gets_a_copy(place: Place) -> None:
    made = f"{STATE}/made"
    setup = ("sh", "-c", "od -An -N9 -tx1 /dev/urandom > {state}/made; id -un >> {state}/made")
    subject = CommandSubject(name="set-up", about="a server of this suite", command=("serve", "{socket}"), setup=setup)
    testbed = Testbed(place, subject, mode=0o660, owner="alice", group=None)
    seen = []
    for _ in range(2):
        testbed.lay()
        seen.append(testbed.root("cat", made).stdout)
        assert testbed.root("stat", "-c", "%U", made).stdout == "alice\n"
        testbed.root("rm", made)
    assert seen[0] == seen[1]
    assert seen[0].endswith("\nalice\n")
    failing = replace(subject, setup=("sh", "-c", "echo no room >&2; exit 3"))
    with pytest.raises(CheckError, match=r"the setup sh ended with 3: no room"):
        next(check(place, failing, Configuration(), ("harness", "check")))
