"""Break the server on purpose, in a copy: the suite must see each fault, and see it for what it is."""

from __future__ import annotations

import functools
import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration import test_reach, test_window
from tests.integration.cast import CAST, LAYOUTS
from tests.integration.faults import FAULTS, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.engines.protocol import Place
    from harness.testbed.callers import Callers
    from tests.integration.conftest import Server

TMP = LAYOUTS[0]


@pytest.mark.parametrize("name", FAULTS)
def test_the_suite_fails_when(
    name: str,
    place: Place,
    callers: Callers,
    serve: Callable[..., Server],
    request: pytest.FixtureRequest,
) -> None:
    fault = FAULTS[name]
    broken = functools.partial(serve, source=f"copies/{copy_of(name)}")
    if fault.umask is None:
        place.build(CAST)
        test = functools.partial(
            test_reach.test_the_kernel_admits_whom_the_oracle_admits_and_the_server_knows_them,
            *(place, callers, broken, uncounted, request, TMP, fault.mode, fault.group),
        )
    elif sys.platform == "linux":
        test = functools.partial(
            test_window.nobody_gets_in_at_any_step,
            *(place, uncounted, fault.umask, f"copies/{copy_of(name)}"),
        )
    else:
        test = functools.partial(
            test_window.test_a_stranger_who_hammers_connect_during_every_start_never_gets_in,
            *(place, broken, uncounted, fault.umask),
        )
    with pytest.raises(AssertionError, match=re.escape(fault.says)):
        test()


def uncounted(**_numbers: int) -> None:
    """A tally that takes no notice of what a broken server was tried with."""
