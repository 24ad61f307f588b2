"""Transcripts are found where the client has them, and nothing else is read in their place."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from observatory.transcripts import files
from observatory.transcripts.files import Transcript, by_age, in_directory, lines, of_session

ME = os.geteuid()


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A session's transcript, with a subagent's, in a directory of settings."""
    path = tmp_path / "projects" / "-home-me" / "0f988d6d.jsonl"
    subagents = path.with_suffix("") / "subagents"
    subagents.mkdir(parents=True)
    path.write_bytes(b"main\n")
    (subagents / "agent-a1.jsonl").write_bytes(b"agent\n")
    (subagents / "agent-a1.meta.json").write_bytes(b"{}")
    return path


def test_a_directory_has_sessions_and_their_subagents(session: Path, tmp_path: Path) -> None:
    (tmp_path / "projects" / "elsewhere").symlink_to("/etc")
    agent = session.with_suffix("") / "subagents" / "agent-a1.jsonl"
    assert sorted(found.path for found in in_directory(tmp_path)) == sorted([str(session), str(agent)])
    assert {found.owner for found in in_directory(tmp_path)} == {ME}
    assert sorted(found.path for found in of_session(str(session), ME)) == sorted([str(session), str(agent)])


def test_each_is_read_once_and_the_oldest_first(session: Path, tmp_path: Path) -> None:
    newer = session.with_name("b.jsonl")
    newer.touch()
    os.utime(session, (1, 1))
    gone = Transcript("/nowhere\0.jsonl", ME)
    found = by_age([gone, Transcript(str(newer), ME), *of_session(str(session), ME), *of_session(str(session), ME)])
    assert [Path(each.path).name for each in found] == [
        "0f988d6d.jsonl",
        "agent-a1.jsonl",
        "b.jsonl",
        "nowhere\0.jsonl",
    ]


@pytest.mark.skipif(ME != 0, reason="only root can make another user's file")
def test_a_sender_has_nobody_elses_file_read(session: Path) -> None:
    os.chown(session, 4001, 4001)
    assert list(lines(Transcript(str(session), 4001))) == [b"main\n"]
    for owner in (4002, 0):
        with pytest.raises(PermissionError, match="belongs to uid 4001"):
            list(lines(Transcript(str(session), owner)))


def test_a_link_a_pipe_a_socket_and_a_directory_are_not_read(
    session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    there = tmp_path / "x.jsonl"
    for kind in ("link", "pipe", "directory"):
        match kind:
            case "link":
                there.symlink_to(session)
            case "pipe":
                os.mkfifo(there)
            case _:
                there.mkdir()
        with pytest.raises(OSError, match="no regular file"):
            list(lines(Transcript(str(there), ME)))
        if kind == "directory":
            there.rmdir()
        else:
            there.unlink()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(there.name)
        with pytest.raises(OSError, match="a socket"):
            list(lines(Transcript(str(there), ME)))


def test_a_long_line_is_passed_over_and_told(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LINE", 8)
    session.write_bytes(b"a\n" + b"x" * 20 + b"\nb\n" + b"y" * 16 + b"\nunfinished"[:4])
    assert list(lines(Transcript(str(session), ME))) == [b"a\n", b"", b"b\n", b""]


def test_no_more_is_read_than_the_most(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = Transcript(str(session), ME)
    session.write_bytes(b"12345678\n" * 4)
    monkeypatch.setattr(files, "LARGEST", 20)
    with pytest.raises(OSError, match="more than"):
        list(lines(transcript))
    # One that has grown since it was looked at.
    monkeypatch.setattr(files, "check_regular", lambda found: monkeypatch.setattr(files, "LARGEST", 1000))
    monkeypatch.setattr(files, "LARGEST", 20)
    assert len(list(lines(transcript))) == 3
