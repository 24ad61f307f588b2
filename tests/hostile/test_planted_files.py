"""Files that another user has put where the server's own are to be."""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from observatory.sessions.memory import here
from tests.helpers.deadline import PATIENCE
from tests.helpers.observatory_server import ObservatoryServer, stored
from tests.hostile.guards import Guard, without
from tests.hostile.stranger import STRANGER, does, keeps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLANT = "import os, sys; os.umask(0); [os.close(os.open(p, os.O_CREAT | os.O_RDWR, 0o666)) for p in sys.argv[1:]]"
PIPE = "import os, sys; os.mkfifo(sys.argv[1], 0o666)"
PLANT_AND_READ = """
import os, sys
os.umask(0)
log, _ = [os.open(sys.argv[1] + suffix, os.O_CREAT | os.O_RDWR, 0o666) for suffix in ("-wal", "-shm")]
print("ready")
sys.stdin.readline()
print(os.pread(log, 1 << 20, 0).decode("latin-1"))
"""
"""SQLite gives an empty log to root when it runs as root; who holds it open reads it all the same."""
WRITE = """
import os, sys
os.umask(0)
os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY, 0o666), sys.argv[2].encode())
"""
LOCK = """
import fcntl, os, sys, time
os.umask(0)
fcntl.flock(os.open(sys.argv[1], os.O_CREAT | os.O_RDWR, 0o666), fcntl.LOCK_EX)
print("ready")
time.sleep(600)
"""
NO_LOOK = Guard(
    "store/opening.py",
    (
        ("        files.check_names(path)\n        _make_if_new", "        _make_if_new"),
        ("            files.check_names(path)\n            return locks", "            return locks"),
        ("            files.take_names(path)\n", "            pass\n"),
    ),
)
"""The guards of the database's own files."""
NO_CARE = Guard(
    "sessions/memory.py",
    (
        (
            "        descriptor = open_own_file(str(path), os.O_RDONLY)\n",
            "        descriptor = os.open(path, os.O_RDONLY)\n",
        ),
    ),
)
"""The guard of the file of sessions."""
WHATEVER_IS_THERE = Guard(
    "service/outputs/standard_streams.py",
    (
        (
            "                new = open_own_file(path, os.O_WRONLY | os.O_APPEND, make=True, mode=mode)\n",
            "                new = os.open(path, os.O_WRONLY | os.O_APPEND)\n",
        ),
    ),
)
"""The guard of a new file for standard output."""
READ = "import sys; print(open(sys.argv[1]).read())"


def refused(server: ObservatoryServer) -> str:
    """What a server says that does not start; its status must be that of something not permitted."""
    _, said = server.process.communicate(timeout=PATIENCE)
    assert server.process.returncode == 77, said
    assert said.count(b"\n") == 1
    return str(said.decode())


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal", ".lock", ".sessions", ""])
def test_a_start_is_refused_by_a_sentence_that_names_what_another_user_made(
    shared: Path, serve: Callable[..., ObservatoryServer], suffix: str
) -> None:
    does(PLANT, f"{shared}/s.db{suffix}")
    assert f"{shared}/s.db{suffix} belongs to uid {STRANGER}" in refused(serve(wait=False))


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal", ".lock", ".sessions", ""])
def test_a_pipe_holds_no_start_up(shared: Path, serve: Callable[..., ObservatoryServer], suffix: str) -> None:
    does(PIPE, f"{shared}/s.db{suffix}")
    assert f"{shared}/s.db{suffix} is " in refused(serve(wait=False))


def test_without_the_look_a_planted_log_shows_every_event_to_who_made_it(
    shared: Path, serve: Callable[..., ObservatoryServer]
) -> None:
    unguarded = without(shared, NO_LOOK)
    assert serve(**unguarded).end() == 0  # the database is there now, and its log is not
    with keeps(PLANT_AND_READ, f"{shared}/s.db") as stranger:
        server = serve(**unguarded)
        assert server.send({"secret": "for nobody else"}) == 200
        assert "for nobody else" in (stranger.communicate("now\n", PATIENCE)[0])


def test_in_a_directory_for_everyone_no_name_is_left_to_be_taken_while_the_server_runs(
    shared: Path, serve: Callable[..., ObservatoryServer]
) -> None:
    server = serve()
    server.wait_for(f"warning: everyone may make files in {shared}")
    for name in ("s.db", "s.db-wal", "s.db-shm", "s.db-journal", "s.db.lock", "s.db.sessions"):
        found = (shared / name).lstat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (os.geteuid(), 0o600)
    assert server.send({"secret": "x"}) == 200
    assert server.end() == 0
    again = serve()
    assert [event["secret"] for event in again.events()] == ["x"]
    assert [event["secret"] for event in stored(again.database)] == ["x"]


def test_a_directory_where_others_may_replace_files_is_no_place_for_a_database(
    shared: Path, serve: Callable[..., ObservatoryServer]
) -> None:
    shared.chmod(0o777)
    server = serve(wait=False)
    _, said = server.process.communicate(timeout=PATIENCE)
    assert server.process.returncode == 1
    assert b"may replace its files" in said
    assert not (shared / "s.db").exists()


def test_without_care_a_pipe_in_the_place_of_the_sessions_hangs_the_start(
    shared: Path, serve: Callable[..., ObservatoryServer]
) -> None:
    unguarded = without(shared, NO_CARE, NO_LOOK)
    does(PIPE, f"{shared}/s.db.sessions")
    server = serve(wait=False, **unguarded)
    with pytest.raises(subprocess.TimeoutExpired):
        server.process.wait(3)
    assert server.process.stderr is not None
    while select.select([server.process.stderr], [], [], 0)[0]:
        assert not server.process.stderr.readline().startswith(b"listening")


def forged() -> str:
    where = here()
    assert where is not None
    entry = {
        "where": {"boot": where.boot, "namespace": where.namespace},
        "uid": 1234,
        "gid": 1234,
        "groups": [],
        "pid": 1,
    }
    return json.dumps({**entry, "session": "theirs", "owner": 1234, "started": 1}) + "\n"


def test_without_care_a_planted_file_of_sessions_forges_the_end_of_another_users_session(
    shared: Path, serve: Callable[..., ObservatoryServer]
) -> None:
    does(WRITE, f"{shared}/s.db.sessions", forged())
    assert f"{shared}/s.db.sessions belongs to uid {STRANGER}" in refused(serve(wait=False))
    unguarded = without(shared, NO_CARE, NO_LOOK)
    server = serve(**unguarded)
    server.send(b"{}")
    dead = [event for event in server.events() if event["_event"] == "SessionDead"]
    assert [(event["session_id"], event["_peer_uid"]) for event in dead] == [("theirs", 1234)]


def test_a_lock_that_another_user_holds_is_named_as_theirs(
    shared: Path, serve: Callable[..., ObservatoryServer]
) -> None:
    with keeps(LOCK, f"{shared}/s.db.lock"):
        assert f"{shared}/s.db.lock belongs to uid {STRANGER}" in refused(serve(wait=False))


@pytest.mark.parametrize("guarded", [True, False])
def test_a_file_that_another_user_has_put_where_the_output_is_to_go_on_gets_no_event(
    shared: Path, serve: Callable[..., ObservatoryServer], guarded: bool
) -> None:
    unguarded = {} if guarded else without(shared, WHATEVER_IS_THERE)
    server = serve(**unguarded)
    server.output.rename(shared / "old")
    does(PLANT, str(server.output))
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("SIGHUP: ")
    assert server.send({"secret": "for nobody else"}) == 200
    assert ("for nobody else" in does(READ, str(server.output))) is not guarded
    if guarded:
        server.wait_for(f"the old file goes on to be written, since a new one can't be: {server.output} belongs to uid")
        assert "for nobody else" in (shared / "old").read_text()
