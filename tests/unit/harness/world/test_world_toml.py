from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from harness.world import AclEntry, Attempt, Node, User, World, WorldError, complete, dumps, load, loads

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
name = "docker-sock-gid-mismatch"
about = "The container's docker group is not the host's."
[sysctls]
"fs.protected_symlinks" = 1
[groups]
docker-host = 999
docker = 1001
[users.ci]
uid = 1500
gid = 1500
groups = ["docker"]
capabilities = ["CAP_DAC_READ_SEARCH"]
[[nodes]]
path = "/run/docker.sock"
kind = "socket"
owner = "root"
group = "docker-host"
mode = "0660"
acl = ["user:ci:rw-", "group::---", "mask::rw-"]
type = "dgram"
state = "stale"
[[nodes]]
path = "/run/link"
kind = "symlink"
target = "docker.sock"
[[nodes]]
path = "/srv/seen"
kind = "mount"
fs = "bind"
options = ["from=/run", "ro"]
[[attempts]]
user = "ci"
operation = "rename"
path = "/run/docker.sock"
to = "/run/other"
cwd = "/run"
expect = "EACCES"
at = "/run"
[[attempts]]
user = "ci"
operation = "chmod"
path = "/run/docker.sock"
mode = "0777"
"""


def test_a_file_gives_the_world_that_it_describes() -> None:
    assert loads(TEXT) == World(
        "docker-sock-gid-mismatch",
        "The container's docker group is not the host's.",
        groups={"root": 0, "docker-host": 999, "docker": 1001, "ci": 1500},
        users=(
            User("root", 0, 0),
            User("ci", 1500, 1500, ("docker",), frozenset({"CAP_DAC_READ_SEARCH"})),
        ),
        nodes=(
            Node(
                "/run/docker.sock",
                "socket",
                "root",
                "docker-host",
                0o660,
                acl=(AclEntry("user", "ci", 6), AclEntry("group", None, 0), AclEntry("mask", None, 6)),
                type="dgram",
                state="stale",
            ),
            Node("/run/link", "symlink", mode=0o777, target="docker.sock"),
            Node("/srv/seen", "mount", fs="bind", options=("from=/run", "ro")),
        ),
        attempts=(
            Attempt("ci", "rename", "/run/docker.sock", to="/run/other", cwd="/run", expect="EACCES", at="/run"),
            Attempt("ci", "chmod", "/run/docker.sock", mode=0o777),
        ),
        sysctls={"fs.protected_symlinks": 1},
    )


def test_a_world_that_is_written_and_read_is_the_same() -> None:
    world = loads(TEXT)
    assert loads(dumps(world)) == world


def test_what_a_file_leaves_out_is_usual() -> None:
    world = loads('name = "w"\n[users.ci]\nuid = 7\n[[nodes]]\npath = "/run/s"\nkind = "socket"\n')
    assert world.user("ci") == User("ci", 7, 7)
    assert world.nodes == (Node("/run/s", "socket", "root", "root", 0o755),)


def test_root_is_in_every_world_and_every_users_own_group_has_a_name() -> None:
    world = loads('name = "w"\n[groups]\nweb = 8\n[users.a]\nuid = 7\n[users.b]\nuid = 9\ngid = 8\n')
    assert world.user("root") == User("root", 0, 0)
    assert world.groups == {"root": 0, "web": 8, "a": 7}


def test_a_file_may_say_more_of_root() -> None:
    assert loads('name = "w"\n[users.root]\nuid = 0\ncapabilities = []\n').users == (
        User("root", 0, 0, capabilities=frozenset()),
    )


@pytest.mark.parametrize(("said", "state"), [("true", "listening"), ("false", "bound")])
def test_listening_is_another_way_to_tell_the_state(said: str, state: str) -> None:
    text = f'name = "w"\n[[nodes]]\npath = "/run/s"\nkind = "socket"\nlistening = {said}\n'
    assert loads(text).nodes[0].state == state


def test_completing_a_complete_world_changes_nothing() -> None:
    world = complete(World("w", users=(User("a", 1, 1),)))
    assert complete(world) == world


def wrong(old: str, new: str) -> str:
    """What is said of the text above with one thing changed."""
    assert TEXT.count(old) >= 1
    with pytest.raises(WorldError) as caught:
        loads(TEXT.replace(old, new, 1), "w.toml")
    assert caught.value.__cause__ is None or "w.toml:" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"0660"', "0660", 'w.toml:18: a number can\'t begin with 0: write mode = "0660"'),
        ('"0660"', "06 60", 'w.toml:18: a number can\'t begin with 0: write mode = "06"'),
        ('"0660"', "0 660", "w.toml:18: Expected newline or end of document after a statement"),
        ("uid = 1500", "uid = 01500", "w.toml:9: a number can't begin with 0: write uid = 1500"),
        ('"0660"', "660", 'w.toml:18: nodes[0].mode: must be one to four octal digits in quotes, such as "0660"'),
        ('"0660"', '"0o660"', 'w.toml:18: nodes[0].mode: must be one to four octal digits in quotes, such as "0660"'),
        ('"0660"', '"0980"', "w.toml:18: nodes[0].mode: must be one to four octal digits"),
        ('kind = "socket"', 'kind = "sockt"', "w.toml:15: nodes[0].kind: 'sockt' is none of directory, socket, file"),
        ('"docker-host"', '"docker-hots"', "w.toml:17: nodes[0].group: no group is named 'docker-hots'"),
        ('owner = "root"', 'owner = "toor"', "w.toml:16: nodes[0].owner: no user is named 'toor'"),
        ('mode = "0660"', 'moed = "0660"', "w.toml:18: nodes[0].moed: no such key; did you mean mode?"),
        (
            'mode = "0660"',
            'colour = "red"',
            "w.toml:18: nodes[0].colour: no such key; known are acl, default_acl, domain, flags,",
        ),
        ("uid = 1500", 'uid = "1500"', "w.toml:9: users.ci.uid: must be a number, not a text"),
        ("uid = 1500\n", "", "w.toml:8: users.ci: uid = is missing"),
        ("uid = 1500", "uid = 4294967295", "w.toml:9: users.ci.uid: 4294967295 is not a uid: 0 to 4294967294"),
        ("docker = 1001", "docker = -1", "w.toml:7: groups.docker: -1 is not a gid"),
        ('["docker"]', '"docker"', "w.toml:11: users.ci.groups: must be an array, not a text"),
        ('["docker"]', '["dokcer"]', "w.toml:11: users.ci.groups: no group is named 'dokcer'"),
        ("CAP_DAC_READ_SEARCH", "CAP_DAC_READ", "w.toml:12: users.ci.capabilities: 'CAP_DAC_READ' is not a capability"),
        ("[users.ci]", '[users."c:i"]', "w.toml:8: users.c:i: 'c:i' can't be a user's name"),
        ('"/run/docker.sock"', '"run/docker.sock"', "w.toml:14: nodes[0].path: 'run/docker.sock' is not an absolute"),
        (
            '"/run/docker.sock"',
            '"/run/../d.sock"',
            "w.toml:14: nodes[0].path: '/run/../d.sock' must be written without",
        ),
        ('"/run/docker.sock"', '"/"', "w.toml:14: nodes[0].path: the root directory is the place's own"),
        ('"/run/docker.sock"', '"/var/run/d"', "w.toml:14: nodes[0].path: /var/run is a symlink, so nothing can be"),
        ('path = "/run/link"', 'path = "/run/docker.sock/a"', "w.toml:23: nodes[1].path: /run/docker.sock is a socket"),
        (
            'path = "/run/link"',
            'path = "/run/docker.sock"',
            "w.toml:23: nodes[1].path: /run/docker.sock is there already",
        ),
        ('target = "docker.sock"', "", "w.toml:22: nodes[1].target: a symlink needs a target"),
        ('target = "docker.sock"', 'target = ""', "w.toml:25: nodes[1].target: an empty path names nothing"),
        ("user:ci:rw-", "user:ci:rw", "w.toml:19: nodes[0].acl: 'user:ci:rw' is no ACL entry such as user:bob:rw-"),
        ("user:ci:rw-", "user:cj:rw-", "w.toml:19: nodes[0].acl: no user is named 'cj'"),
        ("mask::rw-", "user:1500:r--", "w.toml:19: nodes[0].acl: two entries speak of user:1500"),
        ("mask::rw-", "mask:ci:r--", "w.toml:19: nodes[0].acl: mask has no name"),
        ('"stale"', '"bound"', "w.toml:21: nodes[0].state: a dgram socket never listens"),
        ('state = "stale"', "listening = false", "w.toml:21: nodes[0].listening: a dgram socket never listens"),
        ('"from=/run", "ro"', '"ro"', "w.toml:30: nodes[2].options: a bind or FUSE mount has one option from=/path"),
        ('"from=/run"', '"from=/nowhere"', "w.toml:30: nodes[2].options: from=/nowhere is made by no node before"),
        ('"ro"', '"rw"', "w.toml:30: nodes[2].options: 'rw' is none of nodev, noexec, nosuid, ro, from=/path"),
        ('fs = "bind"', 'fs = "nfs"', "w.toml:29: nodes[2].fs: 'nfs' is none of tmpfs, bind, fuse"),
        ('fs = "bind"', 'fs = "bind"\nmode = "0700"', "w.toml:30: nodes[2].mode: a bind mount has no mode of its own"),
        ('user = "ci"', 'user = "ic"', "w.toml:32: attempts[0].user: no user is named 'ic'"),
        ('operation = "rename"', 'operation = "move"', "w.toml:33: attempts[0].operation: 'move' is none of connect,"),
        ('to = "/run/other"\n', "", "w.toml:31: attempts[0].to: rename needs a second path"),
        ('mode = "0777"\n', "", "w.toml:39: attempts[1].mode: chmod needs a mode"),
        ('"EACCES"', '"EACCESS"', "w.toml:37: attempts[0].expect: 'EACCESS' is neither ok nor an errno's name"),
        ('"EACCES"', '"errorcode"', "w.toml:37: attempts[0].expect: 'errorcode' is neither ok nor an errno's name"),
        ('"EACCES"', '"__doc__"', "w.toml:37: attempts[0].expect: '__doc__' is neither ok nor an errno's name"),
        ('"EACCES"', '"EWOULDBLOCK"', "w.toml:37: attempts[0].expect: EWOULDBLOCK is called EAGAIN: write that"),
        ('expect = "EACCES"\n', "", "w.toml:37: attempts[0].at: names what refuses, so it needs an expect"),
        (
            'path = "/run/docker.sock"\nmode = "0777"',
            'path = "@s"\nmode = "0"',
            "w.toml:42: attempts[1].path: chmod can't",
        ),
        ('cwd = "/run"', 'cwd = "run"', "w.toml:36: attempts[0].cwd: 'run' is not an absolute path"),
        ('name = "docker', 'nom = "docker', "w.toml:1: the file: name = is missing"),
        ("[[attempts]]\n", "[attempts]\n", "w.toml:39: Cannot"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_key(old: str, new: str, said: str) -> None:
    assert wrong(old, new).startswith(said)


def test_a_line_is_found_behind_texts_and_arrays_of_several_lines() -> None:
    text = 'name = "w"\nabout = """\n[users.x]\nuid = "no"\n"""\n[users.x]\ngroups = [\n  0,\n]\nuid = "no"\n'
    with pytest.raises(WorldError, match=r"^world:10: users\.x\.uid: must be a number"):
        loads(text)


def test_a_user_whose_own_name_means_another_group_must_name_its_own() -> None:
    with pytest.raises(WorldError, match=r"users\.a\.gid: gid 7 has no name, and the user's own name already means"):
        loads('name = "w"\n[groups]\na = 8\n[users.a]\nuid = 7\n')


def test_options_of_a_mount_that_another_one_hides_are_refused() -> None:
    mount = '[[nodes]]\npath = "/srv/m"\nkind = "mount"\nfs = "tmpfs"\n'
    with pytest.raises(WorldError, match="take effect at the end, and then another mount hides this one"):
        loads('name = "w"\n' + mount + 'options = ["ro"]\n' + mount)


def test_a_mounts_two_sides_are_one_place() -> None:
    nodes = '[[nodes]]\npath = "/srv/a"\nkind = "directory"\n[[nodes]]\npath = "/srv/a/s"\nkind = "socket"\n'
    base = loads('name = "w"\n' + nodes)
    bind = Node("/srv/b", "mount", fs="bind", options=("from=/srv/a",))
    world = dataclasses.replace(base, nodes=(*base.nodes, bind, Node("/srv/b/s", "socket")))
    with pytest.raises(WorldError, match="/srv/b/s is there already, as a socket"):
        loads(dumps(world))


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="No such file or directory"):
        load(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(WorldError, match="not UTF-8 at byte 11"):
        load(tmp_path / "latin.toml")


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text(TEXT, encoding="utf-8")
    assert load(tmp_path / "w.toml") == loads(TEXT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[users.state]", "w.toml:2: users.state: uid = is missing"),
        ("[groups]\nstate = -1", "w.toml:3: groups.state: -1 is not a gid"),
        ("state = 1", "w.toml:2: state: no such key"),
        ('[sysctls]\nstate = "a"', "w.toml:3: sysctls.state: must be a number, not a text"),
        (
            '[[attempts]]\nuser = "root"\noperation = "stat"\npath = "/x"\nstate = "full"',
            "w.toml:6: attempts[0].state: no such key",
        ),
        ('[[nodes]]\npath = "/x"\nkind = "file"\nlistening = false', "w.toml:5: nodes[0].listening: a file does not"),
    ],
)
def test_what_is_called_state_is_taken_for_a_sockets_only_where_it_is_one(text: str, said: str) -> None:
    with pytest.raises(WorldError) as caught:
        loads(f'name = "w"\n{text}\n', "w.toml")
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"[users.a]\nuid = {'9' * 5000}", "w.toml:3: users.a.uid: a number has at most 64 bits"),
        (f"[users.a]\nuid = 0x{'f' * 5000}", "w.toml:3: users.a.uid: a number has at most 64 bits"),
        (f"[users.a]\nuid = 1\ngroups = [1, {'1_' * 5000}1]", "w.toml:4: users.a.groups[1]: a number has at most 64"),
        (f'[[nodes]]\npath = "/x"\nkind = "file"\nmode = 0x{"f" * 5000}', "w.toml:5: nodes[0].mode: a number has at"),
        (f'[[nodes]]\npath = "/x"\nkind = "file"\nacl = ["user:{"9" * 5000}:rwx"]', "w.toml:5: nodes[0].acl: 9999"),
    ],
    ids=["decimal", "hexadecimal", "in a list", "mode", "acl"],
)
def test_a_number_of_thousands_of_digits_is_told_with_its_line_and_key(text: str, said: str) -> None:
    with pytest.raises(WorldError) as caught:
        loads(f'name = "w"\n{text}\n', "w.toml")
    assert str(caught.value).startswith(said)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("form", ["{} = 1", "[{}]", "[[{}]]", "groups = {{ {} = 1 }}"])
def test_a_key_of_very_many_parts_is_refused_at_once(form: str) -> None:
    with pytest.raises(WorldError, match=r"^w\.toml:2: a key has more than 16 parts with dots between them"):
        loads('name = "w"\n' + form.format("x." * 100_000 + "y"), "w.toml")


def test_dots_in_texts_and_comments_are_no_parts_of_a_key() -> None:
    dots = "a." * 100
    world = loads(f'name = "w"  # {dots}\nabout = """\n{dots}\n"{dots}"\n"""\n[groups]\n\'web\' = 7 # "{dots}')
    assert world.about == f'{dots}\n"{dots}"\n'


def test_a_file_of_more_than_sixty_four_mebibytes_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    with file.open("wb") as opened:
        opened.truncate(2**30)
    with pytest.raises(WorldError, match=r"w\.toml: the file has more than 64 MiB: make it shorter"):
        load(file)


def test_a_mistake_below_an_array_of_very_many_lines_is_told_at_once() -> None:
    text = 'name = "w"\nabout = [\n' + "0,\n" * 50_000 + "]\n"
    with pytest.raises(WorldError, match=r"^world:2: about: must be a text in quotes, not an array"):
        loads(text)


@pytest.mark.parametrize("key", ["about", "groups", "sysctls", "nodes", "users"])
@pytest.mark.parametrize(("opening", "closing"), ["[]", ("{a=", "}")], ids=["arrays", "tables"])
def test_what_is_nested_too_deep_is_said(key: str, opening: str, closing: str) -> None:
    for depth in (200_000, 2_000):
        text = f'name = "deep"\n{key} = {opening * depth}{closing * depth}\n'
        with pytest.raises(WorldError, match=r"^w\.toml: arrays or tables are nested too deep to be read$"):
            loads(text, "w.toml")
