"""A database that is removed or replaced under the server, and two servers at one database by its two names."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.deadline import PATIENCE
from tests.helpers.observatory_server import ObservatoryServer
from tests.helpers.unix_http import post, read_answer
from tests.hostile.guards import Guard, without

if TYPE_CHECKING:
    from collections.abc import Callable


def remove(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(f"{path}.new")) as connection:
        connection.execute("CREATE TABLE other (x)")
    Path(f"{path}.new").rename(path)


def rename(path: Path) -> None:
    path.rename(f"{path}.away")


def said(server: ObservatoryServer) -> tuple[int, bytes]:
    with server.connect() as sock:
        sock.sendall(post(b"{}", close=True))
        return read_answer(sock)


@pytest.mark.parametrize("change", [remove, replace, rename])
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_events_are_refused_within_a_second_and_it_is_said_why(
    server: ObservatoryServer, change: Callable[[Path], None], suffix: str
) -> None:
    assert server.send() == 200
    change(Path(server.database + suffix))
    begun = sent = time.monotonic()
    while (answer := said(server))[0] == 200:
        assert sent - begun < 1.1, "one that is sent later is refused, however long the answer takes"
        time.sleep(0.05)
        sent = time.monotonic()
    name = Path(server.database + suffix).name
    assert answer == (
        503,
        f"The event could not be stored: {name} was removed or replaced while the server ran; put it back, or start the"
        " server again.\n".encode(),
    )
    server.wait_for(f"events could not be stored ({name} was removed or replaced")
    assert said(server)[0] == 503
    assert server.end() == 0


def test_a_database_that_is_put_back_is_stored_to_again(server: ObservatoryServer) -> None:
    assert server.send({"n": 1}) == 200
    time.sleep(1.1)  # the next event has a look
    rename(Path(server.database))
    assert said(server)[0] == 503
    Path(f"{server.database}.away").rename(server.database)
    assert server.send({"n": 2}) == 200
    assert [event["n"] for event in server.stored()] == [1, 2]


linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux's locks on a whole file are apart from SQLite's")


NO_LOCK = Guard("store/opening.py", (('if sys.platform != "linux":', "if True:"),))
NO_LOOK = Guard(
    "store/database.py",
    (("        if (trouble := self._presence.trouble()) is not None:\n            raise NotStored(trouble)\n", ""),),
)


def test_without_the_look_an_event_is_acknowledged_and_gone(
    serve: Callable[..., ObservatoryServer], directory: Path
) -> None:
    server = serve(**without(directory, NO_LOOK))
    server.send({"n": 1})
    time.sleep(1.1)
    remove(Path(server.database))
    assert server.send({"n": 2}) == 200
    server.end()
    assert not Path(server.database).exists()


@linux
@pytest.mark.parametrize("guarded", [True, False])
def test_two_servers_do_not_share_a_database_that_has_got_another_name(
    serve: Callable[..., ObservatoryServer], directory: Path, guarded: bool
) -> None:
    taken_out: dict[str, Any] = {} if guarded else without(directory, NO_LOCK)
    server = serve(**taken_out)
    assert server.send() == 200
    (directory / "there").mkdir(mode=0o700)
    other = directory / "there" / "t.db"
    Path(server.database).rename(other)
    second = ObservatoryServer(directory / "there", name="t", **taken_out)
    second.launch()
    if not guarded:
        second.wait_until_listening()
        assert second.send() == 200
        second.end()
        return
    _, log = second.process.communicate(timeout=PATIENCE)
    assert second.process.returncode == 1
    assert f"another server uses the database {other}, which had another name" in log.decode()


@linux
def test_a_second_name_of_a_database_is_refused(serve: Callable[..., ObservatoryServer], directory: Path) -> None:
    server = serve()
    (directory / "there").mkdir(mode=0o700)
    os.link(server.database, directory / "there" / "t.db")
    second = ObservatoryServer(directory / "there", name="t")
    second.launch()
    _, log = second.process.communicate(timeout=PATIENCE)
    assert second.process.returncode == 77
    assert b"has 2 names and should have one" in log
    assert server.send() == 200
