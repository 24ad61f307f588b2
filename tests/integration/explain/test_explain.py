"""`harness explain` on a machine with users: what it says, what it can't know, and that it only looks."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import docker
import pytest

from harness.world import Attempt, Node, Principal, World, complete, loads
from tests.helpers.containers import run
from tests.helpers.harness_command import ENVIRONMENT, ROOT, answering_here, asked, explain, harness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.engines.protocol import Completed, Place

WORLD = """
name = "explained"
[groups]
docker = 999
web = 1200
[users.ali]
uid = 1000
gid = 1000
[users.bob]
uid = 1001
gid = 1001
groups = ["docker"]
[[nodes]]
path = "/run/docker.sock"
kind = "socket"
group = "docker"
mode = "0660"
[[nodes]]
path = "/home/ali"
kind = "directory"
owner = "ali"
group = "ali"
mode = "0700"
[[nodes]]
path = "/home/ali/open.sock"
kind = "socket"
owner = "ali"
mode = "0777"
[[nodes]]
path = "/srv/dangling"
kind = "symlink"
target = "/srv/gone/app.sock"
[[nodes]]
path = "/srv/loop"
kind = "symlink"
target = "knot"
[[nodes]]
path = "/srv/knot"
kind = "symlink"
target = "loop"
[[nodes]]
path = "/srv/file"
kind = "file"
mode = "0666"
[[nodes]]
path = "/srv/acl.sock"
kind = "socket"
mode = "0660"
acl = ["user:bob:rw-", "group::---"]
[[nodes]]
path = "/srv/nobody-listens.sock"
kind = "socket"
mode = "0666"
state = "bound"
[[nodes]]
path = "/srv/frozen"
kind = "mount"
fs = "tmpfs"
mode = "0777"
options = ["ro"]
"""
ALI, BOB = Principal(1000, 1000), Principal(1001, 1001, (999,))


@pytest.fixture
def here(place: Place) -> Place:
    """The place with its world."""
    place.build(loads(WORLD))
    return place


@contextlib.contextmanager
def running(place: Place, principal: Principal, *command: str) -> Iterator[int]:
    """A process in the place, `sleep` or one that says when it is there: its pid."""
    process = place.start(command or ("sleep", "600"), principal)
    try:
        assert not command or process.read_line() == "there"
        yield process.pid
    finally:
        process.signal(9)
        process.wait()


@pytest.mark.parametrize(
    ("path", "who", "outcome", "at"),
    [
        ("/run/docker.sock", "ali", "EACCES", "/run/docker.sock"),
        ("/run/docker.sock", "bob", "ok", None),
        ("/home/ali/open.sock", "bob", "EACCES", "/home/ali"),
        ("/home/ali/open.sock", "ali", "ok", None),
        ("/srv/dangling", "ali", "ENOENT", "/srv/gone"),
        ("/srv/loop", "ali", "ELOOP", "/srv/loop"),
        ("/srv/file", "ali", "ECONNREFUSED", "/srv/file"),
        ("/srv/file/below", "ali", "ENOTDIR", "/srv/file"),
        ("/srv/acl.sock", "bob", "ok", None),
        ("/srv/acl.sock", "ali", "EACCES", "/srv/acl.sock"),
        ("/srv/nobody-listens.sock", "ali", "ECONNREFUSED", "/srv/nobody-listens.sock"),
        ("@no-such-name", "ali", "ECONNREFUSED", "@no-such-name"),
        ("/srv/" + "x" * 200, "ali", "EINVAL", "/srv/" + "x" * 200),
    ],
)
def test_the_users_of_a_machine_are_told_what_the_kernel_will_tell_them(
    here: Place, path: str, who: str, outcome: str, at: str | None
) -> None:
    told = explain(here, path, "--user", who)
    assert (told.outcome, told.at) == (outcome, at), told.text
    assert told.status == (0 if outcome == "ok" else 1)
    assert told.why.endswith(".")
    (seen,) = here.attempt([Attempt(who, "connect", path)])
    assert seen.outcome == outcome


@pytest.mark.parametrize(
    ("path", "outcome", "at"),
    [
        ("/run/docker.sock", "EACCES", "/run/docker.sock"),
        ("/srv/dangling", "ENOENT", "/srv/gone"),
        ("/srv/loop", "ELOOP", "/srv/loop"),
        ("/srv/file", "ECONNREFUSED", "/srv/file"),
        ("/home/ali/open.sock", "ok", None),
    ],
)
def test_an_ordinary_user_who_asks_for_himself_is_told_the_same(
    here: Place, path: str, outcome: str, at: str | None
) -> None:
    told = explain(here, path, principal=ALI)
    assert (told.outcome, told.at) == (outcome, at), told.text
    assert told.why.endswith(".")


def test_the_tree_shows_modes_and_owners_and_marks_what_refuses(here: Place) -> None:
    text = explain(here, "/home/ali/open.sock", "--user", "bob").text
    assert "    drwxr-xr-x  root root  └─ home\n" in text
    assert "  > drwx------  ali  ali      └─ ali  <- EACCES: needs x (search), has nothing\n" in text
    assert "    srwxrwxrwx  ali  root        └─ open.sock\n" in text


def test_the_smallest_fix_is_named_first(here: Place) -> None:
    assert "  fix    usermod -aG docker ali" in explain(here, "/run/docker.sock", "--user", "ali").text
    fix = "setpriv --reuid 5000 --regid 5000 --groups 999 COMMAND  # members of docker are as good as root (dockerd)"
    assert f"  fix    {fix}\n" in explain(here, "/run/docker.sock", "--uid", "5000").text


def test_ids_and_groups_are_taken_as_they_are_given(here: Place) -> None:
    assert (
        explain(here, "/run/docker.sock", "--uid", "5000", "--gid", "5000", "--groups", "7", "docker").outcome == "ok"
    )
    assert explain(here, "/run/docker.sock", "--uid", "5000", "--gid", "999").outcome == "ok"
    assert explain(here, "/run/docker.sock", "--uid", "5000", "--groups", "7,8").outcome == "EACCES"


def test_whoever_asks_is_meant_where_nobody_is_named(here: Place) -> None:
    assert explain(here, "/home/ali/open.sock", principal=ROOT).outcome == "ok"
    assert explain(here, "/home/ali/open.sock", principal=BOB).at == "/home/ali"


def test_a_process_without_the_group_is_told_what_starts_it_with_all_its_groups(here: Place) -> None:
    with running(here, Principal(1001, 1001)) as old, running(here, BOB) as new:
        told = explain(here, "/run/docker.sock", "--pid", str(old))
        assert (told.outcome, told.at) == ("EACCES", "/run/docker.sock")
        assert "  fix    runuser -u bob -- COMMAND  # with the group docker (999) the answer is ok\n" in told.text
        assert f"process {old} (sleep) does not have all the groups that the user database gives bob" in told.text
        assert explain(here, "/run/docker.sock", "--pid", str(new)).outcome == "ok"


def test_a_component_that_may_not_be_looked_at_is_named_and_nothing_is_claimed_of_it(here: Place) -> None:
    told = explain(here, "/home/ali/open.sock", "--user", "ali", principal=BOB)
    assert (told.outcome, told.at, told.status) == ("not known", "/home/ali/open.sock", 1)
    assert "open.sock  (may not be looked at)" in told.text
    assert "this process may not look at /home/ali/open.sock" in told.text
    assert "run this as root" in told.text


def test_what_can_be_seen_suffices_where_it_refuses(here: Place) -> None:
    told = explain(here, "/home/ali/open.sock", "--uid", "5000", principal=BOB)
    assert (told.outcome, told.at) == ("EACCES", "/home/ali")


def test_a_read_only_mount_refuses_who_makes_a_name_there(here: Place) -> None:
    told = explain(here, "/srv/frozen/s", "--user", "ali", "--operation", "bind")
    assert told.outcome == "EROFS"
    assert "frozen  (tmpfs ro" in told.text
    (seen,) = here.attempt([Attempt("ali", "bind", "/srv/frozen/s")])
    assert seen.outcome == "EROFS"


def test_what_something_is_mounted_upon_can_not_be_unlinked(here: Place) -> None:
    path = "/srv/mounted"
    mounted = Node(path, "file"), Node(path, "mount", fs="bind", options=(f"from={path}",))
    here.build(complete(World("mounted", nodes=mounted)))
    told = explain(here, path, "--operation", "unlink", "--user", "root")
    assert (told.outcome, told.at) == ("EBUSY", path)
    assert "busy" in here.run(["python3", "-c", f"import os; os.unlink({path!r})"], ROOT).stderr


def test_root_of_a_user_namespace_has_no_power_over_what_is_not_mapped_there(here: Place) -> None:
    program = "import os; print('there', flush=True); os.read(0, 1)"
    with running(here, ROOT, "unshare", "--user", "--map-root-user", "python3", "-c", program) as pid:
        assert explain(here, "/home/ali/open.sock", "--pid", str(pid)).at == "/home/ali"
        told = explain(here, "/home/ali/open.sock", "--pid", str(pid))
        assert "has no number in root's user namespace" in told.text
        assert explain(here, "/run/docker.sock", "--pid", str(pid)).outcome == "ok"
    connect = "import socket; socket.socket(socket.AF_UNIX).connect('/home/ali/open.sock')"
    seen = here.run(["unshare", "--user", "--map-root-user", "python3", "-c", connect], ROOT)
    assert "PermissionError" in seen.stderr


def test_explain_changes_nothing_and_connects_to_nobody(here: Place) -> None:
    survey = (
        "import os, sys\n"
        "for top in ('/run', '/home', '/srv'):\n"
        " for folder, names, files in os.walk(top):\n"
        "  for name in ['.', *names, *files]:\n"
        "   s = os.lstat(os.path.join(folder, name))\n"
        "   print(folder, name, s.st_mode, s.st_uid, s.st_ctime_ns, s.st_mtime_ns)\n"
        "print(open('/proc/net/unix').read().count('\\n'))\n"
    )
    before = here.run(["python3", "-c", survey], ROOT)
    for operation in (["connect"], ["bind"], ["unlink"], ["chmod", "--mode", "0777"], ["rename", "--to", "/srv/x"]):
        explain(here, "/run/docker.sock", "--user", "bob", "--operation", *operation)
    assert here.run(["python3", "-c", survey], ROOT) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/x", "--user", "nobody-of-that-name"], "no user of this machine is named nobody-of-that-name"),
        (["/x", "--uid", "1", "--groups", "no-such-group"], "no group of this machine is named no-such-group"),
        (["/x", "--pid", "999999"], "no process has pid 999999"),
        (["/x", "--gid", "1"], "--gid and --groups go with --uid"),
        (["/x", "--operation", "rename"], "rename, and rename alone, has a second path: --to PATH"),
        (["/x", "--operation", "chmod"], "chmod needs a mode: --mode MODE"),
        (["/x", "--operation", "read", "--mode", "600"], "read has no mode: --mode goes with chmod, create and mkdir"),
        (["/x", "--operation", "chown"], "chown, and chown alone, gives something to somebody"),
        (["/x", "--as-container", "nowhere"], "neither docker nor podman knows a running container 'nowhere'"),
        ([""], "an empty path names nothing"),
    ],
)
def test_a_question_that_makes_no_sense_gets_one_sentence(here: Place, arguments: Sequence[str], said: str) -> None:
    done = harness(here, "explain", *arguments)
    assert done.status == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_names_that_are_no_utf8_or_move_the_cursor_are_shown_as_escapes(here: Place) -> None:
    make = "import os; os.makedirs(b'/srv/\\xff\\x1b[2J')"
    assert here.run(["python3", "-c", make], ROOT).status == 0
    words = "['python3', '-m', 'harness', 'explain', b'/srv/\\xff\\x1b[2J', '--uid', '1']"
    ask = f"import os; os.execvp('python3', {words})"
    done = here.run(["python3", "-c", ask], ROOT, environment={**ENVIRONMENT, "PYTHONIOENCODING": "ascii"})
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "\\udcff\\x1b[2J" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into the root directory of another's process")
def test_a_process_with_a_root_of_its_own_is_looked_at_from_outside(here: Place) -> None:
    """The place's first process, named by its pid on the host or by its container, as the host's root sees it."""
    who = whereabouts(here)
    done = outside("explain", "/srv/acl.sock", *who)
    assert done.status == 0, done.stderr
    assert "user:bob:rw-" in done.stdout
    assert "root [uid 0, gid 0" in done.stdout
    missing = outside("explain", "/srv/nothing.sock", *who)
    assert missing.status == 1
    assert "ENOENT at /srv/nothing.sock" in missing.stdout
    relative = outside("explain", "srv/acl.sock", *who)
    assert relative.status == 0, relative.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into the root directory of another's process")
def test_whom_docker_exec_would_start_is_asked_for_and_the_fix_works_on_the_host(here: Place) -> None:
    """The ids, groups and names are the container's; the fix is for this side, where it is printed."""
    who = whereabouts(here)
    if who[0] != "--as-container":
        pytest.skip("docker exec is Docker's")
    name = who[1]
    path = "/home/ali/open.sock"
    assert docker_exec(name, "bob", path) == "PermissionError"
    for spelt in ("bob", "1001"):
        told = outside("explain", path, *who, "--user", spelt)
        assert told.status == 1
        assert told.stdout.startswith("bob [uid 1001, gid 1001, groups docker(999)]"), told.stdout + told.stderr
        assert "EACCES at /home/ali" in told.stdout.splitlines()[0]
    fixes = re.findall(r"^  (?:fix|or )    (.*?)(?:  \(lets in .*)?$", told.stdout, re.MULTILINE)
    assert "bob" not in "".join(fixes)
    setfacl = next(fix for fix in fixes if fix.startswith("setfacl -m u:1001:x "))
    subprocess.run(["sh", "-c", setfacl], check=True)
    assert docker_exec(name, "bob", path) == "ok"
    assert outside("explain", path, *who, "--user", "bob").status == 0
    assert outside("explain", path, *who, "--user", "ali").status == 0
    assert outside("explain", path, *who, "--user", "1001:1001").stdout.startswith(
        "bob [uid 1001, gid 1001, groups none]"
    )
    nobody = outside("explain", path, *who, "--user", "nobody-of-that-name")
    assert (nobody.status, nobody.stdout) == (2, "")
    assert f"the container {name} has nobody named nobody-of-that-name" in nobody.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into the root directory of another's process")
def test_a_container_comes_by_a_group_when_it_is_started(here: Place) -> None:
    who = whereabouts(here)
    if who[0] != "--as-container":
        pytest.skip("docker exec is Docker's")
    told = outside("explain", "/run/docker.sock", *who, "--user", "ali").stdout
    assert "  fix    start the container again with --group-add 999  # members of docker are as good as root" in told
    assert docker_exec(who[1], "1000:999", "/run/docker.sock") == "ok"


def docker_exec(container: str, user: str, path: str) -> str:
    """The kernel's word to somebody in a container."""
    program = (
        f"import socket\ntry: socket.socket(socket.AF_UNIX).connect({path!r}); print('ok')\n"
        "except OSError as error: print(type(error).__name__)"
    )
    with contextlib.closing(docker.from_env()) as client:
        status, said = run(client.containers.get(container), ["python3", "-c", program], user=user)
    assert status == 0, said
    return said.strip()


def whereabouts(place: Place) -> list[str]:
    """How `harness explain` on the host is told of the place's first process."""
    command = place.interactive(ROOT)
    if command[0] == "nsenter":
        return ["--pid", command[command.index("--target") + 1]]
    return ["--as-container", next(word for word in command[command.index("exec") + 1 :] if not word.startswith("-"))]


def outside(*arguments: str) -> Completed:
    """The command on the host."""
    return asked(answering_here(), {"arguments": arguments})


def test_a_captured_refusal_is_refused_in_the_place_as_it_is_here(place: Place, tmp_path: Path) -> None:
    """Captured on this very machine: a path that `nobody` may not pass."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    (folder / "inner").mkdir()
    output = tmp_path / "world.toml"
    path = str(folder / "inner" / "x")
    done = outside("capture", path, "--uid", "64000", "--operation", "stat", "-o", str(output))
    assert done.status == 0, done.stderr
    assert f"harness run {shlex.quote(str(output))}" in done.stdout
    world = loads(output.read_text(encoding="utf-8"))
    (attempt,) = world.attempts
    assert attempt.expect == "EACCES"
    assert refused_alike(place, world)


def refused_alike(place: Place, world: World) -> bool:
    place.build(world)
    (attempt,) = world.attempts
    (seen,) = place.attempt(world.attempts)
    return (seen.outcome, seen.at) == (attempt.expect, attempt.at)
