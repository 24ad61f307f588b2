"""What is promised to every client and every reader of the output."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.helpers.deadline import PATIENCE
from tests.helpers.unix_http import Connection, read_answer, read_to_end

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helpers.observatory_server import ObservatoryServer

ME = {"_peer_pid": os.getpid(), "_peer_uid": os.geteuid(), "_peer_gid": os.getegid()}


def test_an_event_is_in_the_database_when_it_is_answered(server: ObservatoryServer) -> None:
    for number in range(20):
        assert server.send({"n": number}) == 200
        assert [event["n"] for event in server.stored()] == list(range(number + 1))


def test_an_event_says_what_the_kernel_knows_and_then_what_was_said(server: ObservatoryServer) -> None:
    server.send({"session_id": "s", "hook_event_name": "Other", "_peer_uid": 4, "_id": 9, "a": [1]}, "PreToolUse")
    (event,) = server.stored()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event.pop("_ts"))
    groups = event.pop("_peer_groups", None)
    if sys.platform == "linux":  # elsewhere the kernel tells of sixteen at most, and getgroups(2) is told by others
        assert sorted(groups) == sorted(os.getgroups())
    process = event.pop("_peer_process")
    assert (process["pid"], process["ancestors"][0]["pid"]) == (os.getpid(), os.getppid())
    said = {"session_id": "s", "hook_event_name": "Other", "a": [1]}
    assert event == {"_id": 1, "_event": "PreToolUse", **ME, **said}


def test_lines_are_written_in_the_order_in_which_they_were_committed(server: ObservatoryServer) -> None:
    for number in range(50):
        server.send({"n": number})
    server.end()
    assert server.printed() == server.stored()
    assert [event["_id"] for event in server.printed()] == list(range(1, 51))


def test_numbers_go_on_after_a_restart(serve: Callable[..., ObservatoryServer]) -> None:
    for number in range(1, 4):
        server = serve()
        server.send()
        server.end()
        assert [event["_id"] for event in server.stored()] == list(range(1, number + 1))


def test_the_command_that_hooks_are_made_of_works_as_it_is(
    server: ObservatoryServer, need: Callable[[str, str], str]
) -> None:
    need("curl", "curl")
    hook = (
        f"curl -s --connect-timeout 2 --max-time 5 --unix-socket {server.path} -X POST "
        "-H 'Content-Type: application/json' -d @- 'http://localhost/hook?event=SessionStart' || true"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", hook], input=b'{"session_id":"s",\n"cwd":"/"}\n', capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (event,) = server.stored()
    assert (event["_event"], event["session_id"], event["cwd"]) == ("SessionStart", "s", "/")
    assert event["_peer_pid"] != os.getpid()


def test_curl_sends_a_large_body_after_it_was_told_to_go_on(
    server: ObservatoryServer, need: Callable[[str, str], str]
) -> None:
    need("curl", "curl")
    body = json.dumps({"text": "x" * 3_000_000}).encode()
    done = subprocess.run(
        ["curl", "-s", "-v", "--unix-socket", server.path, "--data-binary", "@-", "http://localhost/hook?event=Stop"],
        input=body,
        capture_output=True,
        check=False,
    )
    assert b"< HTTP/1.1 100 Continue" in done.stderr
    assert b"< HTTP/1.1 200 OK" in done.stderr
    assert server.stored()[0]["_cut"][0]["bytes"] == 3_000_000


def test_what_is_no_object_is_kept_all_the_same(server: ObservatoryServer) -> None:
    bodies: dict[bytes, dict[str, object]] = {
        b"[1]": {"_value": [1]},
        b"no json": {"_raw": "no json"},
        b"": {"_raw": ""},
        b"null": {"_value": None},
    }
    assert [server.send(body) for body in bodies] == [200] * len(bodies)
    for event, kept in zip(server.stored(), bodies.values(), strict=True):
        assert kept.items() <= event.items()


def test_health_is_ok(server: ObservatoryServer) -> None:
    assert server.get("/health") == (200, b'{"status":"ok"}')


def test_whoami_is_what_the_kernel_says_of_the_caller(server: ObservatoryServer) -> None:
    status, body = server.get("/whoami")
    said = json.loads(body)
    assert status == 200
    assert said.pop("groups") is not None
    assert said == {"pid": os.getpid(), "uid": os.geteuid(), "gid": os.getegid()}


def test_a_database_is_told_from_the_next_one_at_the_same_path(server: ObservatoryServer) -> None:
    def identity() -> str:
        status, body = server.get("/database")
        assert status == 200
        return str(json.loads(body)["id"])

    first = identity()
    assert re.fullmatch("[0-9a-f]{16}", first)
    server.send()
    server.restart()
    assert identity() == first
    assert server.get(f"/events?database={first}&after=0")[0] == 200
    server.end()
    server.delete_database()
    server.start()
    assert identity() != first
    status, body = server.get(f"/events?database={first}&after=0")
    assert status == 409
    assert identity() in body.decode()


def test_whoami_is_whoever_connected_and_not_whoever_speaks(server: ObservatoryServer) -> None:
    speak = "import os, sys; os.write(int(sys.argv[1]), b'GET /whoami HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')"
    with server.connect() as sock:
        descriptor = sock.fileno()
        child = subprocess.Popen([sys.executable, "-c", speak, str(descriptor)], pass_fds=[descriptor])
        assert child.wait() == 0
        assert json.loads(read_answer(sock, "GET")[1])["pid"] == os.getpid()


def test_a_head_request_gets_the_head_alone(server: ObservatoryServer) -> None:
    with server.connect() as sock:
        sock.sendall(b"HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = read_to_end(sock)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n")
    assert answer.endswith(b"\r\n\r\n")


def test_what_cannot_be_done_is_answered_with_one_sentence(server: ObservatoryServer) -> None:
    for request, status in (
        (b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /hook HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"POST /hook HTTP/1.1\r\nHost: x\r\n\r\n", 411),
        (b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 33554433\r\n\r\n", 413),
        (b"POST /hook HTTP/1.1\r\nHost: x\r\nExpect: other\r\nContent-Length: 1\r\n\r\n", 417),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 65536 + b"\r\n\r\n", 431),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /events?limit=x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /events?evnet=Stop HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ):
        with server.connect() as sock:
            sock.sendall(request)
            found, body = read_answer(sock)
        assert found == status, request[:80]
        assert re.fullmatch(rb"[A-Z/][^\n]*\.\n", body), request[:80]
    assert server.stored() == []


def test_an_event_is_kept_whatever_parameters_its_hook_misspells(server: ObservatoryServer) -> None:
    for body in (b"{}", b'{"hook_event_name":"Stop"}'):
        with server.connect() as sock:
            sock.sendall(b"POST /hook?evnt=Stop HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert read_answer(sock)[0] == 200
    assert [event["_event"] for event in server.stored()] == ["Unknown", "Stop"]


def test_a_wrong_method_says_which_are_right(server: ObservatoryServer) -> None:
    connection = Connection(server.path)
    connection.request("DELETE", "/hook")
    response = connection.getresponse()
    assert (response.status, response.getheader("Allow")) == (405, "POST")
    connection.close()


def test_an_environment_variable_says_where_to_listen_if_no_option_does(
    serve: Callable[..., ObservatoryServer], directory: Path
) -> None:
    from tests.helpers.observatory_command import command, environment

    with subprocess.Popen(
        command("serve"),
        env=environment(directory, CLAUDE_UNIX_HOOK_WATCHER=f"{directory}/w", XDG_STATE_HOME=f"{directory}/state"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"listening on %b/w mode 0660 " % str(directory).encode())
        process.terminate()
        assert process.wait() == 0
    (database,) = (directory / "state/claude-observatory").glob("*.sqlite3")
    assert database.name == f"{str(directory)[1:].replace('/', '-')}-w.sqlite3"
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_takes_its_own_socket_away(
    server: ObservatoryServer, directory: Path, number: signal.Signals
) -> None:
    server.send()
    (directory / "other").touch()
    assert server.end(number) == 0
    assert not (directory / "s").exists()
    left = {path.name for path in directory.iterdir() if not path.name.startswith("s.db.")}
    assert left == {"other", "s.db", "s.out"}


def test_another_s_socket_that_has_taken_its_place_is_not_taken_away(
    server: ObservatoryServer, directory: Path
) -> None:
    (directory / "s").unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(server.path)
        assert server.end() == 0
        assert (directory / "s").is_socket()


def test_both_pretty_formats_are_written_and_the_database_has_lines(
    serve: Callable[..., ObservatoryServer], directory: Path
) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with the extra [pretty]")
    for name, option in (("j", "--pretty-json"), ("y", "--pretty-yaml")):
        server = serve(option, name=name)
        server.send({"session_id": "s"})
        server.end()
        text = server.output.read_text()
        assert text.count("\n") > 5
        assert "\x1b" not in text
        assert (yaml.safe_load(text) if name == "y" else json.loads(text)) == server.stored()[0]


def test_the_output_socket_replaces_standard_output_unless_it_is_to_be_both(
    serve: Callable[..., ObservatoryServer], directory: Path
) -> None:
    for tee in (False, True):
        server = serve("--output-socket", f"{directory}/out", "--mode", "0640", *(["--tee"] if tee else []))
        assert stat.S_IMODE((directory / "out").stat().st_mode) == 0o640
        with socket.socket(socket.AF_UNIX) as reader:
            reader.settimeout(PATIENCE)
            reader.connect(f"{directory}/out")
            server.send({"tee": tee})
            assert json.loads(reader.recv(65536))["tee"] is tee
        server.end()
        assert not (directory / "out").exists()
        assert [event["tee"] for event in server.printed()] == ([True] if tee else [])


def test_standard_output_that_nobody_reads_holds_up_nobody(serve: Callable[..., ObservatoryServer]) -> None:
    reading, writing = os.pipe()
    server = serve(stdout=writing)
    os.close(writing)
    body = b'{"x":"' + b"x" * 1_000_000 + b'"}'
    for _ in range(20):
        assert server.send(body) == 200
    assert len(server.stored()) == 20
    os.close(reading)
    assert server.send() == 200
    server.wait_for("standard output is closed")
    assert server.end() == 0


def test_standard_streams_that_are_closed_are_not_mixed_up_with_the_database(
    serve: Callable[..., ObservatoryServer],
) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    server = serve(prefix=[shell, "-c", 'exec "$@" <&- >&-', "sh"])
    assert server.send({"n": 1}) == 200
    assert server.end() == 0
    assert [event["n"] for event in server.stored()] == [1]


def test_old_events_are_deleted_if_that_is_asked_for_and_the_newest_stays(
    serve: Callable[..., ObservatoryServer],
) -> None:
    import sqlite3

    server = serve()
    for number in range(3):
        server.send({"n": number})
    server.end()
    with sqlite3.connect(server.database) as connection:
        connection.execute("UPDATE event SET time = time - 3600 * 1000000 * 25 WHERE id < 3")
    connection.close()
    again = serve("--retain", "1d")
    assert [event["n"] for event in again.events()] == [2]
