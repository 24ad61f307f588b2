"""What `explain` says of processes in SELinux domains, on each kernel: outcome and deciding layer as the kernel has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.engines.registry import choose
from harness.world import Principal
from tests.helpers.harness_command import ENVIRONMENT, MOUNTS
from tests.platforms.kernels.selinux_cases import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).with_name("selinux_cases.py")
ROOT = Principal(0, 0)


class Told:
    """What the program printed, and what the kernel recorded."""

    def __init__(self, printed: str, records: str) -> None:
        first, *self.cases = (json.loads(line) for line in printed.splitlines())
        self.permissive = first["permissive"]
        self.records = records

    def denied(self, pid: int) -> list[str]:
        """The kernel's records of what it refused a process."""
        about = re.compile(rf"avc:  denied .* for  pid={pid} .* permissive=0")
        return [line for line in self.records.splitlines() if about.search(line)]


@pytest.fixture(scope="session")
def told(kernel: str) -> Iterator[Told]:
    mounts = (*MOUNTS, f"{PROGRAM}:/opt/cases/cases.py")
    with choose("vm").open(image=f"{kernel}:landlock,selinux", mounts=mounts) as place:
        done = place.run(["python3", "/opt/cases/cases.py"], ROOT, environment=ENVIRONMENT, timeout=600)
        assert done.status == 0, done.stdout + done.stderr
        yield Told(done.stdout, place.run(["dmesg"], ROOT, timeout=120).stdout)


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: "-".join(CASES[number][:3]).replace("/", "."))
def test_the_kernel_and_explain_say_the_same(told: Told, number: int) -> None:
    domain, operation, path, outcome, layer = CASES[number]
    case: dict[str, Any] = told.cases[number]
    assert case["case"] == [domain, operation, path]
    assert (case["kernel"], case["explained"], case["layer"]) == (outcome, outcome, layer)
    assert bool(told.denied(case["pid"])) == (layer == "SELinux")
    if layer == "SELinux":
        assert f"SELinux does not let {case['context']} " in case["why"]
    elif layer is None:
        assert case["selinux"] == ["passed", f"the policy allows it to {case['context']}, says the kernel"]


def test_what_is_permissive_is_not_cried_at(told: Told) -> None:
    assert (told.permissive["kernel"], told.permissive["explained"]) == ("ok", "ok")
    assert told.permissive["selinux"] == ["passed", "permissive: it refuses nothing"]
