"""How many seats there are by the limit of descriptors."""

from __future__ import annotations

import ctypes
import os
import resource
from typing import Any

import pytest

from observatory.service import acceptor, descriptors


class Sysctl:
    """A C library that knows `kern.maxfilesperproc`, or nothing."""

    def __init__(self, value: int | None) -> None:
        self.value = value

    def sysctlbyname(self, name: bytes, found: Any, size: Any, new: None, length: int) -> int:
        assert (name, new, length) == (b"kern.maxfilesperproc", None, 0)
        assert size._obj.value == ctypes.sizeof(ctypes.c_int)
        if self.value is None:
            return -1
        found._obj.value = self.value
        return 0


@pytest.mark.parametrize(
    ("platform", "value", "limit"),
    [("darwin", 61440, 61440), ("freebsd14", 7000, 7000), ("darwin", None, 1 << 20), ("linux", 5, 1 << 20)],
)
def test_the_limit_of_a_process_is_the_kernel_s_own_where_it_has_one(
    monkeypatch: pytest.MonkeyPatch, platform: str, value: int | None, limit: int
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Sysctl(value))
    assert descriptors.open_files_limit() == limit


@pytest.mark.parametrize(
    ("limits", "kernels", "raised", "least", "most"),
    [
        ((256, resource.RLIM_INFINITY), 10240, (10240, resource.RLIM_INFINITY), 7000, 7680),  # macOS
        ((256, 256), 10240, (256, 256), 64, 192),
        ((1024, 4096), 10240, (4096, 4096), 2500, 3072),
    ],
)
def test_seats_come_of_the_hard_limit_and_small_ones_leave_some(
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    kernels: int,
    raised: tuple[int, int],
    least: int,
    most: int,
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(acceptor, "open_files_limit", lambda: kernels)
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _which, wanted: asked.append(wanted))
    monkeypatch.setattr(os, "listdir", lambda _path: ["0", "1", "2"])
    assert least <= acceptor.seats() <= most
    assert asked == [raised]
