"""What the file that replaces a settings file keeps of it besides its mode and owner."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from observatory.hooks.attributes import copy_attributes

if TYPE_CHECKING:
    from pathlib import Path


class CopyFile:
    """A C library that has fcopyfile(3), and notes what it was asked for."""

    def __init__(self, result: int) -> None:
        self.result = result
        self.asked: list[tuple[os.stat_result, int, Any, int]] = []

    def fcopyfile(self, source: int, target: int, state: Any, flags: ctypes.c_uint32) -> int:
        self.asked.append((os.fstat(source), target, state, flags.value))
        ctypes.set_errno(errno.EIO)
        return self.result


@pytest.mark.parametrize("result", [0, -1])
def test_macos_copies_acls_and_attributes_by_its_own_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: int
) -> None:
    library = CopyFile(result)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library)
    (tmp_path / "settings.json").write_text("{}")
    with (tmp_path / "new").open("w") as new:
        if result:
            with pytest.raises(OSError, match=r"settings\.json"):
                copy_attributes(tmp_path / "settings.json", new.fileno())
        else:
            copy_attributes(tmp_path / "settings.json", new.fileno())
        assert library.asked == [((tmp_path / "settings.json").stat(), new.fileno(), None, 5)]


def test_a_file_that_is_not_there_has_none(tmp_path: Path) -> None:
    with (tmp_path / "new").open("w") as new:
        copy_attributes(tmp_path / "settings.json", new.fileno())
