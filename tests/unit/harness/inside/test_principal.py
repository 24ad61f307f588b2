"""Becoming somebody: what is asked for is what the kernel then says."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from harness.inside import credentials
from harness.inside.principal import act_as, become

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inside.messages import EncodedPrincipal

pytestmark = pytest.mark.skipif(
    not hasattr(os, "setresuid") or os.geteuid() != 0, reason="only root, and where there is setresuid(2)"
)
SOMEBODY: EncodedPrincipal = {"uid": 1500, "gid": 1501, "groups": [7, 9]}


def in_a_child(work: Callable[[], Any]) -> Any:
    """What a child that does this makes of it; an OSError as its sentence."""
    hear, say = os.pipe()
    if os.fork() == 0:
        try:
            answer = work()
        except OSError as error:
            answer = error.strerror
        os.write(say, json.dumps(answer).encode())
        os._exit(0)
    os.close(say)
    with os.fdopen(hear) as file:
        answer = json.loads(file.read())
    os.wait()
    return answer


def now() -> list[Any]:
    who = credentials.of_this_process()
    return [os.getresuid(), os.getresgid(), who["groups"]]


def after(who: EncodedPrincipal) -> list[Any]:
    become(who)
    return now()


def test_all_three_ids_are_the_principals() -> None:
    assert in_a_child(lambda: after(SOMEBODY)) == [[1500] * 3, [1501] * 3, [7, 9]]


def test_the_real_uid_may_be_another() -> None:
    assert in_a_child(lambda: after({**SOMEBODY, "real_uid": 1600})) == [[1600, 1500, 1500], [1501] * 3, [7, 9]]


def test_the_number_that_means_none_makes_nobody() -> None:
    """(uid_t) -1 leaves an id as it is: root would stay root."""
    said = in_a_child(lambda: become({**SOMEBODY, "uid": 2**32 - 1}))
    assert said in ("that id means 'leave it as it is'", "Invalid argument")


def test_one_who_acts_as_somebody_can_be_root_again() -> None:
    def there_and_back() -> list[Any]:
        act_as(SOMEBODY)
        during = now()
        act_as(None)
        return [during, now()]

    assert in_a_child(there_and_back) == [
        [[0, 1500, 0], [0, 1501, 0], [7, 9]],
        [[0, 0, 0], [0, 0, 0], []],
    ]


def test_chosen_capabilities_are_the_only_ones() -> None:
    def held() -> str:
        become({**SOMEBODY, "capabilities": ["CAP_CHOWN"]})
        with open("/proc/self/status", encoding="utf-8") as status:  # noqa: PTH123 - as the rest of the child
            return next(line for line in status if line.startswith("CapEff")).split()[1]

    assert int(in_a_child(held), 16) == 1
