"""A description of a server, in a file or on a command line, is read whole or refused with one sentence."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from harness.inside.dialects import dialect, dialect_name
from harness.subjects.description import DescriptionError, described, load
from harness.subjects.option_words import option_words
from harness.subjects.subject import StartRequest, fill_text

HERE = Path()
COMMAND = "served --socket {socket} --mode {mode}"


def test_a_file_says_all_of_a_server(tmp_path: Path) -> None:
    (tmp_path / "served.conf").write_text("listen = {socket}\numode = {mode3}\nowner = {user}\n", encoding="utf-8")
    (tmp_path / "database").mkdir()
    file = tmp_path / "served.toml"
    file.write_text(
        """
command = "served -f {config} -d {data} --group {group} -p '{state}/my pid'"
user = "root"
socket_owner = "www-data"
group = "web"
at_most = "0770"
speaks = "redis"
config = ["served.conf"]
data = ["database"]
doors = ["tcp:631", "{directory}/other.sock"]
own_check = ["root"]
stop = "INT"
patience = 20
starts = 7
ready = "line:ready to serve"
setup = "served-init {state}/db"
spawn = "served-ctl start"
[environment]
HOME = "{state}"
[files]
"{state}/more.conf" = "socket {socket}"
[expected]
flood = "it has no limit for each user"
""",
        encoding="utf-8",
    )
    found = load(file)
    subject = found.subject
    assert (subject.name, subject.owner, subject.socket_owner, found.mode) == ("served", "root", "www-data", 0o770)
    assert subject.command[2] == "/run/check/configuration/served.conf"
    assert subject.command[4] == "{state}/database"
    assert subject.command[-1] == "{state}/my pid"
    assert [each.path for each in subject.configurations] == ["{state}/more.conf", subject.command[2]]
    assert (subject.stop, subject.patience, subject.starts) == (signal.SIGINT, 20.0, 7)
    assert (subject.at_most, subject.own_check, subject.spawn) == (True, ("root",), ("served-ctl", "start"))
    assert subject.setup == ("served-init", "{state}/db")
    request = StartRequest("/d/s.sock", 0o660, None, "/state")
    assert subject.meant_doors(request) == ("tcp:localhost:631", "/d/other.sock")
    assert subject.accounts_besides("root") == ("www-data",)
    assert (subject.mode_by, subject.takes_group) == ("option", True)
    assert found.expected == {"flood": "it has no limit for each user"}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({}, "there is no command"),
        ({"command": "served"}, "write {socket} where its path belongs, or {directory}"),
        ({"command": COMMAND, "comand": "x"}, "there is no key 'comand'"),
        ({"command": COMMAND, "group": "web"}, "the group web would have no effect: write {group}"),
        ({"command": COMMAND, "user": "no body"}, "user = 'no body' can't be a name"),
        ({"command": COMMAND, "user": "member"}, "is one of those who take part in every check"),
        ({"command": COMMAND, "mode": "0o660"}, "'0o660' is not a mode"),
        ({"command": COMMAND, "mode": "0660", "at_most": "0660"}, "give one of them"),
        ({"command": COMMAND, "mode": 660}, "mode must be a text"),
        ({"command": COMMAND, "doors": "tcp:1"}, "doors must be a list of texts"),
        ({"command": COMMAND, "patience": 0}, "patience must be a number above 0"),
        ({"command": COMMAND, "stop": "SIGSTOPP"}, "there is no signal 'SIGSTOPP'"),
        ({"command": COMMAND, "ready": "soon"}, "is none of socket, notify, line:PATTERN and tcp:PORT"),
        ({"command": COMMAND, "speaks": "gopher"}, "no dialect is named 'gopher'; there are hooks, http"),
        ({"command": COMMAND, "speaks": "nowhere.py"}, "the dialect nowhere.py can't be read"),
        ({"command": COMMAND, "speaks": "http", "dialect": {}}, "give one of them"),
        ({"command": COMMAND, "dialect": {"send": "x"}}, "is not a dialect: KeyError: 'expect'"),
        ({"command": COMMAND, "config": ["/missing.conf"]}, "the configuration /missing.conf can't be read"),
        ({"command": COMMAND, "data": ["/missing"]}, "the data /missing is not a directory"),
        ({"command": "served 'x"}, "command can't be split into words"),
        ({"command": COMMAND, "environment": {"A": 1}}, "every value of [environment] must be a text"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DescriptionError) as caught:
        described(table, HERE)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_description_is_named(tmp_path: Path) -> None:
    file = tmp_path / "subject.toml"
    with pytest.raises(DescriptionError, match=r"subject\.toml can't be read: No such file"):
        load(file)
    file.write_text("command = ", encoding="utf-8")
    with pytest.raises(DescriptionError, match=r"subject\.toml is not TOML"):
        load(file)
    file.write_text("command = 'x'", encoding="utf-8")
    with pytest.raises(DescriptionError, match=r"subject\.toml: nothing in 'x' says where"):
        load(file)


def test_a_module_of_somebody_is_spoken_as_ours_are(tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(
        "from harness.inside.dialects.answer import Answer\n"
        "TELLS = None\n"
        "def begin(connection): connection.sendall(b'he')\n"
        "def ask(connection, token, claims): return Answer('accepted', 'echo')\n",
        encoding="utf-8",
    )
    speaks = described({"command": COMMAND, "speaks": "echo.py"}, tmp_path).subject.speaks
    assert dialect_name(speaks) == "echo.py"
    assert dialect(speaks).TELLS is None
    assert "Answer('accepted', 'echo')" in json.loads(speaks)["module"]
    (tmp_path / "echo.py").write_text("TELLS = None\n", encoding="utf-8")
    with pytest.raises(DescriptionError, match=r"echo\.py is not a dialect: it has no begin, ask"):
        described({"command": COMMAND, "speaks": "echo.py"}, tmp_path)


def test_the_directory_alone_lets_the_server_choose_the_name() -> None:
    chosen = described({"command": "served {directory}"}, HERE).subject
    assert chosen.names_a_directory
    assert chosen.endpoint("/d") == "/d/*"
    named = described({"command": "served {directory}", "socket": "S.served"}, HERE).subject
    assert named.endpoint("/d") == "/d/S.served"
    elsewhere = described({"command": "served", "socket": "/run/served.sock"}, HERE).subject
    assert elsewhere.endpoint("/d") == "/run/served.sock"


def test_what_stands_between_braces_is_filled_in_and_other_braces_stay() -> None:
    request = StartRequest("/d/s.sock", 0o660, None, "/state", "alice")
    text = "{socket} {directory} {mode} {mode3} {umask} {state} {user} {group} { location }"
    assert fill_text(text, request) == "/d/s.sock /d 0660 660 0117 /state alice alice { location }"


def test_a_description_becomes_the_options_that_say_the_same() -> None:
    table = {
        "command": COMMAND,
        "user": "root",
        "own_check": ["root", "alice"],
        "environment": {"A": "1"},
        "doors": ["tcp:1", "tcp:2"],
        "activated": True,
        "patience": 20.0,
    }
    assert list(option_words(table)) == [
        *("--as", "root", "--own-check", "root,alice", "--env", "A=1", "--door", "tcp:1", "--door", "tcp:2"),
        *("--activated", "--patience", "20"),
    ]
