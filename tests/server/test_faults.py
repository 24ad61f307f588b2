"""Break the server on purpose, in a copy: these tests must see each fault."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Fault:
    """In which module which text becomes which, and which test must fail.

    `also` is another text and what it becomes: what makes a moment long enough to be met.
    """

    module: str
    right: str
    wrong: str
    test: str
    also: tuple[str, str] | None = None


FAULTS = {
    "it answers before it commits": Fault(
        "store/database.py",
        "            cursor.execute(_inserting(len(rows)),",
        '            self._connection.in_transaction or cursor.execute("BEGIN")\n'
        "            cursor.execute(_inserting(len(rows)),",
        "test_crash.py::test_every_event_that_was_acknowledged_is_in_the_database_once",
    ),
    "an event is kept twice": Fault(
        "service/commit.py",
        "            self._store.append(events)\n",
        "            self._store.append(events)\n"
        "            self._store.append([compose(e.id + 100, now, ts, e.name, None, pending[0][3]) for e in events])\n",
        "test_crash.py::test_every_event_that_was_acknowledged_is_in_the_database_once",
    ),
    "a request may take for ever": Fault(
        "service/server.py",
        "            connections.expire()\n",
        "            pass\n",
        "test_peers.py::test_one_who_stops_in_the_middle_is_told_so_after_the_deadline_and_gone",
    ),
    "one user may have every connection": Fault(
        "service/quota.py",
        "        if held > left - self._unshared and not self._is_set_aside(account, held, amount, left):\n",
        "        if left < 0:\n",
        "test_limits.py::test_ten_thousand_half_open_connections_of_one_user_do_not_stop_another",
    ),
    "the loop ends when there is no descriptor": Fault(
        "service/acceptor.py",
        "            self._loop.call_later(ACCEPT_PAUSE, self._accept_again)\n",
        "            pass\n",
        "test_limits.py::test_when_no_descriptor_is_left_the_server_goes_on_as_soon_as_there_is",
    ),
    "a slow follower is waited for": Fault(
        "service/streaming.py",
        "            if connection.out and len(connection.out) + len(data) > FOLLOWER_BUFFER:\n",
        "            if False:\n",
        "test_readers.py::test_a_follower_that_does_not_read_is_dropped_and_holds_up_nobody",
    ),
    "everyone reads everything": Fault(
        "audience.py",
        "    return Scope(uid=peer.uid)\n",
        "    return Scope(everything=True)\n",
        "test_readers.py::test_users_read_what_they_have_said_and_root_everything",
    ),
    "followers are told everything": Fault(
        "store/query.py",
        "            if any(value(event) not in wanted for value, wanted in conditions):\n",
        "            if False:\n",
        "test_readers.py::test_a_follower_gets_nothing_that_another_user_says",
    ),
    "a dead socket is replaced without a lock": Fault(
        "listening/socket_file.py",
        "        with starting_lock(wanted.path) as locked, ",
        "        with contextlib.nullcontext(True) as locked, ",
        "test_starts.py::test_of_two_servers_that_start_at_the_same_moment_one_serves",
        ("    _unlink(path, inode)\n\n", "    __import__('time').sleep(0.2)\n    _unlink(path, inode)\n\n"),
    ),
    "another user's socket is replaced": Fault(
        "listening/socket_file.py",
        "            if found.st_uid != os.geteuid():\n                raise ObservatoryError(\n",
        "            if False:\n                raise ObservatoryError(\n",
        "test_refusals.py::test_a_dead_server_of_another_user",
    ),
    "a live server is taken over": Fault(
        "listening/socket_file.py",
        "            if not dead and _is_live(handle, path, stat.S_IMODE(found.st_mode)):\n",
        "            if False:\n",
        "test_refusals.py::test_a_live_server_of_any_kind",
    ),
    "whatever has its name is removed at the end": Fault(
        "listening/socket_file.py",
        "        if (found.st_dev, found.st_ino) == inode:\n",
        "        if True:\n",
        "test_contract.py::test_another_s_socket_that_has_taken_its_place_is_not_taken_away",
    ),
    "a request that was looked at is not taken off": Fault(
        "service/requests.py",
        "        connection.peeked = size\n",
        "",
        "test_peers.py::test_one_who_had_said_all_before_it_was_accepted_is_answered_once_and_goes_on",
    ),
    "a request that was looked at is not taken off before the end": Fault(
        "service/connection.py",
        "            connection.consume_peeked()  # else",
        "            pass  # else",
        "test_peers.py::test_the_end_of_a_connection_is_no_reset_to_one_who_had_said_all_before_it_was_accepted",
    ),
    "who waits to be accepted is left out at the end": Fault(
        "service/server.py",
        "                while acceptor.accepting and acceptor.accept():\n",
        "                while False:\n",
        "test_peers.py::test_the_end_waits_for_what_has_begun_and_loses_nothing_that_was_accepted",
    ),
    "standard output is waited for": Fault(
        "service/outputs/standard_output.py",
        "    if stat.S_ISFIFO(kind) or os.isatty(descriptor):\n",
        "    if False:\n",
        "test_contract.py::test_standard_output_that_nobody_reads_holds_up_nobody",
    ),
    "what follows a malformed request is read on": Fault(
        "http/parser.py",
        "            if self.refusal is None and not self.ended:\n",
        "            self._parser = None\n            self._begin()\n            if False:\n",
        "test_fuzz.py::test_what_comes_after_a_malformed_request_is_never_taken_for_another",
    ),
    "an exception gets out of the parsing": Fault(
        "http/parser.py",
        "        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:\n",
        "        except httptools.HttpParserError as error:\n",
        "test_fuzz.py::test_what_comes_after_a_malformed_request_is_never_taken_for_another",
    ),
    "a full disk ends the server": Fault(
        "store/database.py",
        "            raise NotStored(str(error)) from error\n",
        "            raise\n",
        "test_limits.py::test_a_full_disk_is_503_and_what_was_acknowledged_is_still_there",
    ),
    "a socket of the service manager is removed": Fault(
        "listening/systemd.py",
        "    return Listener(sock, name, stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid)\n",
        "    return Listener(sock, name, 0o622, made.st_uid, made.st_gid, (made.st_dev, made.st_ino))\n",
        "test_activation.py::test_a_passed_socket_is_served_with_the_mode_that_it_has_and_stays_at_the_end",
    ),
}


@pytest.fixture
def copy(directory: Path) -> Path:
    """Where every user can read it: some tests start it as another one."""
    ignored = shutil.ignore_patterns("__pycache__", "integration", "unit", "properties", "web", "fleet", "client")
    for name in ("observatory", "tests", "contrib", "docs", "benchmarks"):
        shutil.copytree(ROOT / name, directory / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", directory)
    return directory


def outcome(copy: Path, test: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/server/{test}"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OBSERVATORY_FULL": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_seen(name: str, copy: Path) -> None:
    fault = FAULTS[name]
    module = copy / "observatory" / fault.module
    text = module.read_text()
    for right, wrong in ((fault.right, fault.wrong), *([fault.also] if fault.also else [])):
        assert text.count(right) == 1, f"{fault.module} no longer holds the text to break: {right!r}"
        text = text.replace(right, wrong)
    module.write_text(text)
    seen = outcome(copy, fault.test)
    if "needs root" in seen.stdout:
        pytest.skip("the test that sees it needs root")
    assert seen.returncode == 1, seen.stdout
    assert " failed" in seen.stdout.splitlines()[-1] or " error" in seen.stdout.splitlines()[-1], seen.stdout


def test_without_a_fault_the_copy_is_sound(copy: Path) -> None:
    seen = outcome(copy, "test_contract.py")
    assert seen.returncode == 0, seen.stdout
