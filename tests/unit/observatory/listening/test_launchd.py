"""Sockets that launchd passes, by its own call; and the property lists in contrib."""

from __future__ import annotations

import ctypes
import errno
import plistlib
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from observatory.errors import ObservatoryError
from observatory.listening import launchd
from tests.helpers.directories import short_directory

CONTRIB = Path(__file__).parents[4] / "contrib" / "launchd"


class Launchd:
    """A C library in which launchd has these sockets, or fails. `freed` counts what was given back."""

    def __init__(self, sockets: dict[str, list[int]], failure: int = errno.ENOENT) -> None:
        self.sockets = sockets
        self.failure = failure
        self.freed = 0

    def launch_activate_socket(self, name: bytes, numbers: Any, count: Any) -> int:
        found = self.sockets.get(name.decode())
        if found is None:
            return self.failure
        array = (ctypes.c_int * len(found))(*found)
        self.kept = array
        ctypes.memmove(ctypes.byref(numbers._obj), ctypes.byref(ctypes.pointer(array)), ctypes.sizeof(ctypes.c_void_p))
        count._obj.value = len(found)
        return 0

    def free(self, _numbers: Any) -> None:
        self.freed += 1


def activated(monkeypatch: pytest.MonkeyPatch, library: Launchd) -> dict[str, Any]:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: library)
    return dict(launchd.activated_listeners())


def test_the_sockets_of_a_job_are_served_and_stay_launchd_s(monkeypatch: pytest.MonkeyPatch) -> None:
    with short_directory() as directory, socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{directory}/s")
        sock.listen()
        library = Launchd({"main": [sock.detach()]})
        found = activated(monkeypatch, library)
        assert list(found) == ["main"]
        assert (found["main"].path, found["main"].sock.gettimeout()) == (f"{directory}/s", 0)
        found["main"].remove()
        assert Path(found["main"].path).is_socket()
        found["main"].sock.close()
        assert library.freed == 1


@pytest.mark.parametrize("failure", [errno.ENOENT, errno.ESRCH])
def test_who_is_no_job_or_has_no_socket_makes_one(monkeypatch: pytest.MonkeyPatch, failure: int) -> None:
    assert activated(monkeypatch, Launchd({}, failure)) == {}


def test_a_socket_that_launchd_does_not_give_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ObservatoryError, match="launchd does not give the socket main"):
        activated(monkeypatch, Launchd({}, errno.EALREADY))


def test_more_than_one_socket_of_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ObservatoryError, match="more than one main socket"):
        activated(monkeypatch, Launchd({"main": [0, 1]}))


def test_elsewhere_there_is_no_launchd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert launchd.activated_listeners() == {}


@pytest.mark.parametrize("kind", ["agent", "daemon"])
def test_a_property_list_says_what_the_server_understands(kind: str) -> None:
    job = plistlib.loads((CONTRIB / f"claude-observatory.{kind}.plist").read_bytes())
    assert job["Label"] == "claude-observatory"
    assert "serve" in " ".join(job["ProgramArguments"])
    if kind == "daemon":
        assert set(job["Sockets"]) <= {"main", "output"}
        assert job["Sockets"]["main"]["SockPathMode"] == 0o666
        assert len(job["Sockets"]["main"]["SockPathName"]) <= 103
    else:
        assert job["Umask"] == 0o077
        assert '--mode 0600 --socket "${TMPDIR%/}/claude-observatory.sock"' in job["ProgramArguments"][2]
