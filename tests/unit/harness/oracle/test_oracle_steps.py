"""What a kernel does in what order names steps that there are, and there is no step that no kernel takes."""

from __future__ import annotations

import itertools

from harness.oracle import freebsd, linux, netbsd, openbsd, xnu
from harness.oracle.steps import STEPS


def test_each_step_of_a_kernel_is_one_of_the_oracles_and_none_is_idle() -> None:
    kernels = (linux(), freebsd(), xnu(), openbsd(), netbsd())
    taken = {step for rules in kernels for step in itertools.chain.from_iterable(rules.steps.values())}
    assert taken == set(STEPS)


def test_a_step_bears_the_name_of_its_function() -> None:
    assert {name: step.__name__ for name, step in STEPS.items()} == {name: name for name in STEPS}
