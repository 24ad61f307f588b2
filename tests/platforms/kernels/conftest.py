"""One virtual machine for each of Debian's kernels, with the server and the harness in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from harness.engines.registry import choose
from harness.engines.vm.kernels import KERNELS
from tests.helpers.harness_command import MOUNTS
from tests.helpers.installation import libraries, mounts
from tests.helpers.workers import OneWorkerEach
from tests.integration.identity import conftest as identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer

    from harness.engines.protocol import Place

stage = identity.stage


def kernel_of(nodeid: str) -> str:
    """All that is asked of a kernel runs in one worker, so it is booted once."""
    asked = set(re.split(r"[\[\]-]", nodeid)) & KERNELS.keys()
    return asked.pop() if asked else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneWorkerEach:
    return OneWorkerEach(config, log, kernel_of)


@pytest.fixture(scope="session", params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> str:
    """One of Debian's releases."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def place(kernel: str) -> Iterator[Place]:
    """A machine with that kernel."""
    engine = choose("vm")
    with engine.open(image=kernel, mounts=(*mounts(libraries(engine)), *MOUNTS)) as opened:
        yield opened


@pytest.fixture(scope="session")
def held_place(kernel: str) -> Iterator[Place]:
    """A machine with that kernel, which is told to ask Landlock and AppArmor."""
    with choose("vm").open(image=f"{kernel}:landlock,apparmor", mounts=MOUNTS) as opened:
        yield opened


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the thousand events at once: how many a server takes is no matter of the kernel, and takes long."""
    left = [item for item in items if "crowd" in re.split(r"[\[\]-]", item.nodeid)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]
