"""What is asked of Windows besides the portable tests: that it collects them and no others, and what is imported there.

Collected by a rehearsal; elsewhere the noxfile is read with Windows' paths all the same.
"""

from __future__ import annotations

import importlib
import pathlib
import sys

import pytest

from tests.platforms.rehearsal.suites import noxfile


class BackslashPath(type(pathlib.Path())):  # type: ignore[misc]
    """A path whose text is Windows'."""

    def __str__(self) -> str:
        text: str = super().__str__()
        return text if self.is_absolute() else text.replace("/", "\\")

    def as_posix(self) -> str:
        """As on every system."""
        return str(super().__str__())


def test_the_noxfile_collects_the_portable_tests_on_windows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        for name in ("Path", "PosixPath"):  # which the one makes where it is asked for the other
            patch.setattr(pathlib, name, BackslashPath)
        portable = [str(path) for path in noxfile().PORTABLE]
    assert len(portable) >= 8
    assert all((pathlib.Path(__file__).parents[3] / path).is_file() and "\\" not in path for path in portable)


@pytest.mark.parametrize(
    "module",
    ["observatory.identity", "observatory.address", "observatory.errors", "observatory.text", "observatory.cli.main"],
)
def test_what_windows_imports_can_be_imported(module: str) -> None:
    assert importlib.import_module(module) is sys.modules[module]
