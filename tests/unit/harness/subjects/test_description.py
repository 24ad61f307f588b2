"""A description of a server, in a file or on a command line, is read whole or refused with one sentence."""

from __future__ import annotations

import json
import math
import signal
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.inside.dialects import dialect, dialect_name
from harness.subjects.description import DescriptionError, described, load
from harness.subjects.option_words import option_words
from harness.subjects.subject import StartRequest, fill_text
from harness.testbed.cast import cast

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
        ({"command": COMMAND, "patience": 0}, "patience must be a number of seconds from 1 to 3600"),
        ({"command": COMMAND, "patience": 1e-9}, "patience must be a number of seconds from 1 to 3600"),
        ({"command": COMMAND, "patience": 1e300}, "patience must be a number of seconds from 1 to 3600"),
        ({"command": COMMAND, "patience": 10**400}, "patience must be a number of seconds from 1 to 3600"),
        ({"command": COMMAND, "patience": math.inf}, "patience must be a number of seconds from 1 to 3600"),
        ({"command": COMMAND, "patience": math.nan}, "patience must be a number of seconds from 1 to 3600"),
        ({"command": COMMAND, "starts": 1.5}, "starts must be a whole number from 1 to 10000"),
        ({"command": COMMAND, "starts": 10**400}, "starts must be a whole number from 1 to 10000"),
        ({"command": COMMAND, "activated": "no"}, "activated must be true or false"),
        ({"command": COMMAND, "stop": "SIGSTOPP"}, "there is no signal 'SIGSTOPP'"),
        ({"command": COMMAND, "ready": "soon"}, "is none of socket, notify, line:PATTERN and tcp:PORT"),
        ({"command": COMMAND, "ready": "line:["}, "ready: '[' is not a regular expression: unterminated character set"),
        ({"command": COMMAND, "ready": "line:a{99999999999}"}, "is not a regular expression"),
        ({"command": COMMAND, "ready": "tcp:65536"}, "a port is a number from 1 to 65535"),
        ({"command": COMMAND, "ready": f"tcp:{'9' * 5000}"}, "is none of socket, notify, line:PATTERN and tcp:PORT"),
        ({"command": COMMAND, "speaks": "gopher"}, "no dialect is named 'gopher'; there are hooks, http"),
        ({"command": COMMAND, "speaks": "nowhere.py"}, "the dialect nowhere.py can't be read"),
        (
            {"command": COMMAND, "speaks": "http", "dialect": {}},
            "describes one: delete speaks to have [dialect] spoken",
        ),
        ({"command": COMMAND, "dialect": {"send": "x"}}, "is not a dialect: KeyError: 'expect'"),
        ({"command": COMMAND, "dialect": {"expect": "["}}, "dialect.expect: '[' is not a regular expression"),
        ({"command": COMMAND, "dialect": {"expect": "a", "refused": "("}}, "dialect.refused: '(' is not a regular"),
        ({"command": COMMAND, "dialect": {"steps": [{"expect": "*"}]}}, "dialect.steps.expect: '*' is not a regular"),
        ({"command": COMMAND, "dialect": {"steps": ["a"]}}, "dialect.steps must be tables, each written [[dialect.s"),
        ({"command": COMMAND, "dialect": {"begin": date(1979, 5, 27)}}, 'must be a text, as in begin = "..."'),
        ({"command": COMMAND, "dialect": {"expect": "a", "more": date(1979, 5, 27)}}, "is not a dialect: TypeError"),
        ({"command": COMMAND, "dialect": {"expect": "a", "send": "\u20ac"}}, "each character stands for a byte"),
        ({"command": COMMAND, "own_check": ["kin"]}, "own_check names kin, who takes part only where a group is given"),
        ({"command": COMMAND, "own_check": ["nobody-here"]}, "own_check names 'nobody-here', who takes no part; there"),
        ({"command": COMMAND, "user": "www", "own_check": ["alice"]}, "own_check names 'alice', who takes no part"),
        ({"command": COMMAND, "config": ["\0"]}, "config holds a NUL"),
        ({"command": COMMAND, "speaks": "\0.py"}, "speaks holds a NUL"),
        ({"command": f"{COMMAND} \0"}, "command holds a NUL"),
        ({"command": ["served", "{socket}", "\0"]}, "command holds a NUL"),
        ({"command": ["", "{socket}"]}, "the first word of command is empty"),
        ({"command": COMMAND, "setup": "'' x"}, "the first word of setup is empty"),
        ({"command": COMMAND, "environment": {"A": "\0"}}, "environment holds a NUL"),
        ({"command": COMMAND, "environment": {"": "a"}}, "[environment] has '', which can't be a variable's name"),
        ({"command": COMMAND, "environment": {"A=B": "a"}}, "[environment] has 'A=B', which can't be a variable's"),
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
    for key, written, right in (
        ("mode", "0660", 'mode = "0660"'),
        ("at_most", "0660", 'at_most = "0660"'),
        ("patience", "020", "patience = 20"),
        ("patience", "[1, -0_20]", "-20"),
    ):
        file.write_text(f"command = 'x'\r\n{key} = {written}", encoding="utf-8", newline="")
        with pytest.raises(DescriptionError, match=rf"subject\.toml is not TOML: .* begin with 0: write {right}$"):
            load(file)
    file.write_text("command = 'x'", encoding="utf-8")
    with pytest.raises(DescriptionError, match=r"subject\.toml: nothing in 'x' says where"):
        load(file)


def test_a_file_beyond_any_use_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "subject.toml"
    for text, said in {
        f"patience = {'9' * 5000}": r"subject\.toml:1: patience: a number has at most 64 bits",
        f"doors = {'[' * 20_000}{']' * 20_000}": r"subject\.toml: arrays or tables are nested too deep to be read",
        f"{'a.' * 20_000}b = 1": r"subject\.toml:1: a key has more than 16 parts",
        "# " + "x" * 2**26: r"subject\.toml: the file has more than 64 MiB",
    }.items():
        file.write_text(text, encoding="utf-8")
        with pytest.raises(DescriptionError, match=said):
            load(file)


def test_whoever_takes_part_may_be_served_by_a_check_of_its_own() -> None:
    served = f"{COMMAND} --group {{group}}"
    people = ["root", "bare", "alice", "colleague", "member", "stranger", "searcher", "kin", "web", "www"]
    table = {"command": served, "group": "web", "accounts": ["www"], "socket_owner": "web", "own_check": people}
    subject = described(table, HERE).subject
    there = cast(subject.owner, subject.group, subject.accounts_besides(subject.owner), subject.socket_owner)
    assert {user.name for user in there.users} == {*people}
    assert subject.own_check == tuple(people)


def test_a_protocol_and_a_configuration_may_have_any_bytes_in_them() -> None:
    table = {"command": COMMAND, "dialect": {"begin": "\0\xff", "expect": "\0"}, "files": {"{state}/a": "\0"}}
    assert described(table, HERE).subject.configurations[0].text == "\0"


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
        "name": "served",
        "packages": ["served"],
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
