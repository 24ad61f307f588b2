"""What all tests share: how a test asks for a program that a machine may lack."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def need() -> Callable[[str, str], str]:
    """Find a program or skip with what to install; in CI, where everything is installed, its absence is a failure."""

    def find(program: str, package: str) -> str:
        path = shutil.which(program)
        if path is None:
            why = f"needs {program}: install Debian's {package}"
            if "CI" in os.environ:
                pytest.fail(why)
            pytest.skip(why)
        return path

    return find
