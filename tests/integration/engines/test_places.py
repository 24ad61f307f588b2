"""What a place is, whichever engine made it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from harness.engines.protocol import Credentials, PlaceError
from harness.world import AclEntry, Attempt, Node, Principal, User, World, complete, problems
from tests.integration.engines.worlds import COMMON, EXPECTED

if TYPE_CHECKING:
    from pathlib import Path

    from harness.engines.protocol import Engine, Place

ROOT = Principal(0, 0)
ALI = Principal(1500, 1500, (2000,))
WEB = World("web", groups={"web": 2000}, users=(User("root", 0, 0), User("ali", 1500, 1500, ("web",))))


def observed(place: Place) -> list[tuple[str, str, str, str, str | None]]:
    place.build(COMMON)
    seen = place.attempt(COMMON.attempts)
    return [
        (attempt.user, attempt.operation, attempt.path, observation.outcome, observation.at)
        for attempt, observation in zip(COMMON.attempts, seen, strict=True)
    ]


def test_a_directory_that_took_the_name_of_one_of_the_places_own_leaves_no_acl(place: Place) -> None:
    closed = Node("/srv/closed", "directory", mode=0o700, acl=(AclEntry("user", "ali", 0),))
    place.build(World("renamed", users=WEB.users, groups=WEB.groups, nodes=(closed,)))
    done = place.attempt([Attempt("root", "rename", "/srv/closed", to="/tmp")])
    assert done[0].outcome in {"ok", "EBUSY", "ENOTEMPTY"}  # a place may have something mounted upon its /tmp, or in it
    place.build(WEB)
    (seen,) = place.attempt([Attempt("ali", "bind", "/tmp/s")])
    assert seen.outcome == "ok"


@pytest.mark.parametrize("path", ["/home", "/mnt", "/srv"])
def test_a_directory_of_the_place_itself_can_be_renamed_like_any_other(place: Place, path: str) -> None:
    elsewhere = Node("/elsewhere", "directory")
    place.build(World("moved", users=WEB.users, groups=WEB.groups, nodes=(elsewhere,)))
    (done,) = place.attempt([Attempt("root", "rename", path, to="/elsewhere/it")])
    assert done.outcome == "ok"
    place.build(WEB)
    (seen,) = place.attempt([Attempt("ali", "stat", path)])
    assert seen.outcome == "ok"


def test_the_common_world_makes_sense() -> None:
    assert list(problems(COMMON)) == []


def test_every_engine_observes_the_same(place: Place) -> None:
    assert observed(place) == list(EXPECTED)


def test_a_world_leaves_nothing_for_the_next_one(place: Place) -> None:
    """The effects of attempts are undone too, and whatever root did to the place's own directories."""
    first = observed(place)
    wild = World(
        "wild",
        users=(User("root", 0, 0),),
        nodes=(Node("/srv", "directory", mode=0o000), Node("/etc/x/y", "file"), Node("/new/m", "mount", fs="tmpfs")),
    )
    place.build(wild)
    done = place.attempt(
        [
            Attempt("root", "bind", "/opt/left"),
            Attempt("root", "chmod", "/tmp", mode=0o700),
            Attempt("root", "rename", "/new", to="/home/new"),
            Attempt("root", "rename", "/mnt", to="/opt/moved"),
        ]
    )
    assert [each.outcome for each in done[:3]] == ["ok", "ok", "ok"]
    place.build(WEB)
    listing = place.run(["find", "/srv", "/etc/x", "/new", "/opt", "/home", "/mnt", "-maxdepth", "0"], ROOT)
    assert listing.stdout.split() == ["/srv", "/opt", "/home", "/mnt"]
    assert place.run(["stat", "-c", "%a %n", "/srv", "/tmp", "/mnt"], ROOT).stdout.split("\n")[:3] == [
        "755 /srv",
        "1777 /tmp",
        "755 /mnt",
    ]
    assert place.run(["find", "/opt/left", "/opt/moved", "/home/new"], ROOT).stdout == ""
    assert observed(place) == first


def test_what_is_made_where_a_moved_symlink_leads_goes_with_its_world(place: Place) -> None:
    """Where it leads is known when it is made, and not before."""
    place.build(World("leading", users=(User("root", 0, 0),), nodes=(Node("/tmp/a", "symlink", target="/"),)))
    before = place.run(["stat", "-c", "%a", "/"], ROOT).stdout
    attempts = [
        Attempt("root", "rename", "/tmp/a", to="/tmp/b"),
        Attempt("root", "bind", "/tmp/b/nothing"),
        Attempt("root", "mkdir", "/tmp/b/var/lib/nothing"),
        Attempt("root", "chmod", "/tmp/b", mode=0o1777),
        Attempt("root", "unlink", "/tmp/b"),
    ]
    assert [each.outcome for each in place.attempt(attempts)] == ["ok"] * 5
    place.build(WEB)
    assert place.run(["find", "/nothing", "/var/lib/nothing"], ROOT).stdout == ""
    assert place.run(["stat", "-c", "%a", "/"], ROOT).stdout == before


def test_what_was_changed_and_moved_away_is_not_given_back_to_what_came_in_its_place(place: Place) -> None:
    """A default ACL can't be given to a file."""
    default = (AclEntry("user", 1500, 7),)
    nodes = (Node("/run/a", "directory", mode=0o777), Node("/run/a/d", "directory", mode=0o755, default_acl=default))
    place.build(World("moved", users=(User("root", 0, 0),), nodes=nodes))
    attempts = [
        Attempt("root", "chmod", "/run/a/d", mode=0o700),
        Attempt("root", "rename", "/run/a/d", to="/run/a/e"),
        Attempt("root", "create", "/run/a/d"),
    ]
    assert [each.outcome for each in place.attempt(attempts)] == ["ok", "ok", "ok"]
    place.build(WEB)
    assert place.run(["find", "/run/a"], ROOT).stdout == ""


def test_what_is_changed_through_a_worlds_mount_is_not_given_back_to_what_is_below_it(place: Place) -> None:
    """The mount goes first: what had its directory's default ACL then was a socket, which can have none."""
    inherited = (AclEntry("user", "root", 5),)
    through = World(
        "through",
        users=(User("root", 0, 0),),
        nodes=(
            Node("/run/a/s", "socket", state="stale"),
            Node("/run/b/s", "directory", default_acl=inherited),
            Node("/run/a", "mount", fs="bind", options=("from=/run/b",)),
        ),
    )
    place.build(through)
    done = place.attempt([Attempt("root", "chmod", "/run/a/s", mode=0o700), Attempt("root", "mkdir", "/run/a/new")])
    assert [each.outcome for each in done] == ["ok", "ok"]
    place.build(WEB)
    assert place.run(["find", "/run/a", "/run/b"], ROOT).stdout == ""


def test_both_sides_name_the_same_process(place: Place) -> None:
    place.build(COMMON)
    rows = [Attempt(user, "connect", "/tmp/seq", type="seqpacket") for user in ("ali", "bob", "ali", "root", "bare")]
    seen = place.attempt(rows)
    assert [each.credentials for each in seen] == [each.process for each in seen]
    assert [
        each.credentials and (each.credentials.uid, each.credentials.gid, each.credentials.groups) for each in seen
    ] == [
        (1500, 1500, (2000,)),
        (1501, 2000, ()),
        (1500, 1500, (2000,)),
        (0, 0, ()),
        (0, 0, ()),
    ]
    assert seen[0].credentials == seen[2].credentials != seen[1].credentials


def test_users_are_known_by_name_inside_where_the_place_has_accounts_of_its_own(engine: Engine, place: Place) -> None:
    place.build(WEB)
    said = place.run(["id"], WEB.principal("ali"))
    if engine.name == "host":
        assert said.stdout == "uid=1500 gid=1500 groups=1500,2000\n"
    else:
        assert said.stdout == "uid=1500(ali) gid=1500(ali) groups=1500(ali),2000(web)\n"


def test_an_attempt_before_any_world_is_refused_in_words(engine: Engine) -> None:
    with engine.open() as empty, pytest.raises(PlaceError, match="no world has been built"):
        empty.attempt([Attempt("root", "stat", "/")])


def test_a_node_that_cannot_be_made_is_named(place: Place) -> None:
    nodes = (Node("/srv/loop", "symlink", target="loop"), Node("/srv/loop/x", "directory"))
    world = World("bad", users=(User("root", 0, 0),), nodes=nodes)
    with pytest.raises(PlaceError, match=r"the directory /srv/loop/x cannot be made here: Too many levels"):
        place.build(world)


def test_a_user_that_cannot_be_is_said_and_the_place_lives_on(place: Place) -> None:
    """2**32 - 1 is 'leave it as it is' to setresuid(2), so no process can have it."""
    with pytest.raises(PlaceError, match="no process can become uid 4294967295"):
        place.start(["true"], Principal(2**32 - 1, 1))
    assert place.run(["true"], ROOT).status == 0


def test_abstract_names_are_the_place_s_own_except_on_the_host(engine: Engine, place: Place) -> None:
    world = World("abstract", users=(User("root", 0, 0),), nodes=(Node("@mine", "socket"),))
    place.build(world)
    with engine.open() as other:
        other.build(WEB)
        (elsewhere,) = other.attempt([Attempt("root", "connect", "@mine")])
    (here,) = place.attempt([Attempt("root", "connect", "@mine")])
    assert (here.outcome, elsewhere.outcome) == ("ok", "ok" if engine.name == "host" else "ECONNREFUSED")


def test_what_is_brought_in_can_be_read_and_not_changed(engine: Engine, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("from outside\n")
    with engine.open(mounts=[f"{tmp_path}:/opt/in"]) as place:
        assert place.run(["cat", "/opt/in/file"], ALI).stdout == "from outside\n"
        assert place.run(["touch", "/opt/in/new"], ALI).status != 0
        by_root = place.run(["touch", "/opt/in/new"], ROOT)
        assert (by_root.status == 0) == (engine.name in {"host", "vm"})  # which bring in copies
    assert not (tmp_path / "new").exists()


def test_a_command_that_was_brought_in_is_found(engine: Engine, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "greet").write_text("#!/usr/bin/env python3\nprint('hello')\n")
    (tmp_path / "bin" / "greet").chmod(0o755)
    with engine.open(mounts=[f"{tmp_path}:/opt/tool"]) as place:
        assert place.run(["greet"], ALI).stdout == "hello\n"


def test_the_loopback_interface_is_up_and_has_its_name(place: Place) -> None:
    program = (
        "import socket\n"
        "server = socket.create_server(('localhost', 0))\n"
        "socket.create_connection(server.getsockname())\n"
        "print('connected')\n"
    )
    assert place.run(["python3", "-c", program], ALI).stdout == "connected\n"


def test_a_place_whose_agent_ends_says_so(engine: Engine) -> None:
    """Nobody in the place can kill the agent, but it can be left without anyone to speak to."""
    with engine.open() as place:
        place.build(WEB)
        sleeper = place.start(["sleep", "infinity"], ALI)
        place.close()
        with pytest.raises(PlaceError, match="the place ended before its process"):
            sleeper.wait()
        with pytest.raises(PlaceError, match="the place has ended"):
            place.run(["true"], ROOT)


# --- processes -------------------------------------------------------------------------------------------------------


def test_a_process_is_who_it_was_started_as(place: Place) -> None:
    place.build(WEB)
    program = (
        "import os\n"
        "try: os.seteuid(0)\n"
        "except PermissionError: print(os.getuid(), os.geteuid(), os.getgid(), os.getegid(), os.getpid())"
    )
    process = place.start(["python3", "-c", program], ALI)
    assert process.wait().stdout == f"1500 1500 1500 1500 {process.pid}\n"
    groups = place.run(["id", "-G"], ALI).stdout
    assert set(groups.split()) == {"1500", "2000"}


@pytest.mark.parametrize("principal", [ALI, Principal(0, 0), Principal(0, 0, (), frozenset())], ids=str)
def test_a_program_is_called_as_a_principal_and_has_nothing_of_who_called(place: Place, principal: Principal) -> None:
    if principal.capabilities is not None and sys.platform != "linux":
        pytest.skip("capabilities are Linux's")
    place.build(WEB)
    for _ in range(2):  # the second time nothing is sent any more
        process = place.call("tests.integration.engines.caller", principal, word="hush")
        process.send("one line\n")
        process.close_input()
        done = process.wait()
        assert done.status == 0, done.stderr
        said = json.loads(done.stdout)
        assert {"PATH"} <= set(said.pop("environment")) <= {"PATH", "LD_LIBRARY_PATH", "LC_CTYPE"}  # what commands have
        assert said == {
            "uid": principal.uid,
            "gid": principal.gid,
            "groups": list(principal.groups),
            "pid": process.pid,
            "directory": "/",
            "word": "hush",
            "input": "one line\n",
            "hung up": "BrokenPipeError",
        }


def test_a_program_that_fails_says_why(place: Place) -> None:
    place.build(WEB)
    done = place.call("tests.integration.engines.caller", ALI, word="LOUD").wait()
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "ValueError: LOUD is too loud"


def test_a_program_that_nobody_can_be_is_refused_in_words(place: Place) -> None:
    place.build(WEB)
    with pytest.raises(PlaceError, match="no process can become uid 4294967295"):
        place.call("tests.integration.engines.caller", Principal(2**32 - 1, 0), word="hush")


@pytest.mark.parametrize(
    ("principal", "effective"),
    [
        (Principal(1500, 1500), 0),
        (Principal(1500, 1500, (), frozenset({"CAP_DAC_READ_SEARCH"})), 1 << 2),
        (Principal(0, 0, (), frozenset()), 0),
        (Principal(0, 0, (), frozenset({"CAP_CHOWN", "CAP_FOWNER"})), 1 << 0 | 1 << 3),
    ],
)
def test_a_process_has_the_capabilities_that_were_named_even_after_an_exec(
    place: Place, principal: Principal, effective: int
) -> None:
    said = place.run(["grep", "CapEff", "/proc/self/status"], principal).stdout
    assert int(said.split()[1], 16) == effective


def test_root_has_the_place_s_capabilities(place: Place) -> None:
    said = place.run(["grep", "CapEff", "/proc/self/status"], ROOT).stdout
    assert int(said.split()[1], 16) & (1 << 1 | 1 << 2 | 1 << 21)


def test_lines_go_both_ways_and_the_streams_stay_apart(place: Place) -> None:
    process = place.start(["sh", "-c", 'read a; echo "out $a"; echo "err $a" >&2; read b; echo "end $b"'], ALI)
    process.send("one\n")
    assert (process.read_line(), process.read_line("stderr")) == ("out one", "err one")
    process.close_input()
    assert process.wait().stdout == "end \n"


def test_more_input_than_a_pipe_holds_arrives(place: Place) -> None:
    text = "x" * 3_000_000
    assert place.run(["wc", "-c"], ALI, input=text).stdout.strip() == "3000000"


def test_more_output_than_a_pipe_holds_arrives(place: Place) -> None:
    assert len(place.run(["head", "-c", "3000000", "/dev/zero"], ALI).stdout) == 3_000_000


def test_the_end_of_a_process_is_its_status_or_its_signal(place: Place) -> None:
    assert place.run(["sh", "-c", "exit 7"], ALI).status == 7
    process = place.start(["sleep", "infinity"], ALI)
    process.signal(signal.SIGTERM)
    assert process.wait().status == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        process.signal(signal.SIGTERM)


def test_a_descendant_that_keeps_the_streams_does_not_keep_the_end_back(place: Place) -> None:
    began = time.monotonic()
    assert place.run(["sh", "-c", "sleep 30 & echo started"], ALI).stdout == "started\n"
    assert time.monotonic() - began < 10


def test_a_process_that_takes_too_long_is_ended(place: Place) -> None:
    with pytest.raises(TimeoutError, match="did not end within"):
        place.run(["sh", "-c", "echo $$; exec sleep 1000"], ALI, timeout=0.3)


def test_many_processes_run_at_once(place: Place) -> None:
    processes = [place.start(["sh", "-c", f"read a; exit {number}"], ALI) for number in range(40)]
    for process in processes:
        process.close_input()
    assert [process.wait(30).status for process in processes] == list(range(40))


def test_umask_directory_and_environment_are_what_was_asked_for(place: Place) -> None:
    place.build(WEB)
    said = place.run(
        ["sh", "-c", "umask; pwd; echo $COLOUR $HOME."],
        ALI,
        umask=0o077,
        directory="/tmp",
        environment={"COLOUR": "red"},
    )
    assert said.stdout.split() == ["0077", "/tmp", "red", "."]


@pytest.mark.parametrize(
    ("command", "said"), [(["no-such-thing"], "No such file"), (["/etc/passwd"], "Permission denied")]
)
def test_a_command_that_cannot_be_started_is_an_error_in_words(place: Place, command: list[str], said: str) -> None:
    with pytest.raises(PlaceError, match=f"{command[0]} cannot be started: .*{said}"):
        place.start(command, ALI)


def test_processes_of_an_earlier_world_end_with_it(place: Place) -> None:
    place.build(WEB)
    process = place.start(["sleep", "infinity"], ALI)
    place.build(COMMON)
    assert process.wait().status == -signal.SIGKILL


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_ids_of_thirty_one_bits_and_more_are_not_negative(place: Place) -> None:
    if place.facts.engine in {"namespace", "podman"} and os.geteuid() != 0:
        pytest.skip("a place of an ordinary user has that user's subordinate ids alone")
    large = 2**32 - 2
    world = World(
        "large-ids",
        users=(User("root", 0, 0), User("big", large, large, (2**31,))),
        nodes=(Node("/tmp/s", "socket", mode=0o666),),
    )
    place.build(world)
    (seen,) = place.attempt([Attempt("big", "connect", "/tmp/s")])
    assert isinstance(seen.credentials, Credentials)
    assert (seen.credentials.uid, seen.credentials.gid, seen.credentials.groups) == (large, large, (2**31,))


def test_what_a_user_has_put_in_a_circle_goes_with_its_world(place: Place) -> None:
    """The mode of what stood there before can't be given back any more."""
    nodes = (
        Node("/run/a", "socket"),
        Node("/run/b", "symlink", target="/run/a"),
        Node("/run/s", "symlink", target="/run/b"),
    )
    attempts = (Attempt("root", "chmod", "/run/b", mode=0o600), Attempt("root", "rename", "/run/s", to="/run/a"))
    place.build(complete(World("circle", nodes=nodes, attempts=attempts)))
    assert [seen.outcome for seen in place.attempt(attempts)] == ["ok", "ok"]
    place.build(complete(World("after", attempts=(Attempt("root", "stat", "/run/a"),))))
    assert [seen.outcome for seen in place.attempt((Attempt("root", "stat", "/run/a"),))] == ["ENOENT"]
