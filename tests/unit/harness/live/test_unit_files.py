"""A service by its files: what is read, whom it runs as, and what its sandbox refuses. systemd's own reader agrees."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.inside.capabilities import CAPABILITIES
from harness.live import unit as units
from harness.live.accounts import Account, FileAccounts
from harness.live.actor import ActorError
from harness.live.judgement import Judgement, find
from harness.live.sandbox import obstacles
from harness.live.scene import Scene
from harness.live.unit import capability_bits, from_files
from harness.live.unit_calls import calls_of
from harness.live.unit_files import UnitError, UnitFiles, read_unit
from harness.world import Attempt, Node, Principal, User, World, complete

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.world import NodeKind, Operation

ACCOUNTS = FileAccounts((Account("web", 33, 33, (1200,)), Account("app", 1002, 1002, ())), {"web": 33, "sock": 999})
ETC, RUN, LIB = "etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system"


def written(top: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        file = top / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return top


def service(text: str, name: str = "app.service") -> UnitFiles:
    """A service of whose section [Service] this is the text."""
    assignments: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        assignments[key] = (*assignments.get(key, ()), value)
    return UnitFiles(name, (f"/{LIB}/{name}",), assignments)


def test_the_first_of_the_search_path_is_read_and_drop_ins_by_their_names_whatever_folder_they_are_in(
    tmp_path: Path,
) -> None:
    top = written(
        tmp_path,
        {
            f"{LIB}/app.service": "[Service]\nUser=nobody\n",
            f"{ETC}/app.service": "[Unit]\nUser=none\n[Service]\nUser=web\nUMask=0022\n",
            f"{LIB}/app.service.d/20-late.conf": "[Service]\nUMask=0007\n",
            f"{ETC}/app.service.d/10-early.conf": "[Service]\nUMask=0077\nGroup=sock\n",
            f"{RUN}/app.service.d/20-late.conf": "[Service]\nUMask=0027\n",
            f"{LIB}/service.d/05-all.conf": "[Service]\nSupplementaryGroups=web\n",
        },
    )
    found = read_unit("app", str(top))
    assert found.files == (
        f"/{ETC}/app.service",
        f"/{LIB}/service.d/05-all.conf",
        f"/{ETC}/app.service.d/10-early.conf",
        f"/{RUN}/app.service.d/20-late.conf",
    )
    assert (found.last("User"), found.last("UMask"), found.last("Group")) == ("web", "0027", "sock")
    assert found.words("SupplementaryGroups") == ("web",)


def test_an_instance_has_its_templates_files_and_its_own_drop_ins(tmp_path: Path) -> None:
    top = written(
        tmp_path,
        {
            f"{LIB}/my-app@.service": "[Service]\nUser=%i\nRuntimeDirectory=%p/%i\n",
            f"{LIB}/my-app@.service.d/a.conf": "[Service]\nGroup=sock\n",
            f"{LIB}/my-app@web.service.d/b.conf": "[Service]\nUMask=07\n",
            f"{LIB}/my-@.service.d/c.conf": "[Service]\nProtectHome=yes\n",
        },
    )
    found = read_unit("my-app@web", str(top))
    assert (found.last("User"), found.last("Group"), found.last("UMask")) == ("web", "sock", "07")
    assert found.words("RuntimeDirectory") == ("my-app/web",)
    assert found.yes("ProtectHome")


def test_lists_are_gathered_until_an_empty_value_and_lines_go_on_behind_a_backslash(tmp_path: Path) -> None:
    text = (
        "[Service]\nReadWritePaths=/a\n# User=x\nReadWritePaths=\nReadWritePaths=/b \\\n; no\n  /c\nReadWritePaths=/d\n"
    )
    found = read_unit("app.service", str(written(tmp_path, {f"{ETC}/app.service": text})))
    assert found.words("ReadWritePaths") == ("/b", "/c", "/d")
    assert found.last("User") is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none", "systemd's search path has no unit named none.service"),
        ("masked", "masked.service is masked"),
        ("x.socket", "x.socket is no service"),
        ("../x", "'../x.service' is no name of a unit"),
    ],
)
def test_what_is_no_service_that_could_be_started_is_said_in_a_sentence(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / ETC).mkdir(parents=True)
    (tmp_path / ETC / "masked.service").symlink_to(os.devnull)
    with pytest.raises(UnitError) as raised:
        read_unit(name, str(tmp_path))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "principal"),
    [
        ("User=web", Principal(33, 33, (1200,))),
        ("User=33\nGroup=sock", Principal(33, 999, (1200,))),
        ("User=web\nSupplementaryGroups=sock 7", Principal(33, 33, (7, 999, 1200))),
        ("User=5000", Principal(5000, 5000)),
        ("", Principal(0, 0)),
        ("CapabilityBoundingSet=CAP_FOWNER", Principal(0, 0, (), frozenset({"CAP_FOWNER"}))),
        ("CapabilityBoundingSet=~CAP_DAC_OVERRIDE CAP_CHOWN CAP_FSETID CAP_FOWNER",
         Principal(0, 0, (), frozenset({"CAP_DAC_READ_SEARCH"}))),
        ("User=app\nAmbientCapabilities=CAP_DAC_READ_SEARCH CAP_KILL",
         Principal(1002, 1002, (), frozenset({"CAP_DAC_READ_SEARCH"}))),
        ("User=app\nAmbientCapabilities=CAP_DAC_READ_SEARCH\nCapabilityBoundingSet=CAP_KILL", Principal(1002, 1002)),
    ],
)  # fmt: skip
def test_whom_a_service_runs_as(text: str, principal: Principal) -> None:
    assert from_files(service(text), ACCOUNTS).principal == principal


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("User=gone", "no user of this machine is named so"),
        ("User=web\nGroup=gone", "no group of this machine is named so"),
        ("DynamicUser=yes", "gets a uid when it is started"),
    ],
)
def test_whom_it_can_not_run_as_is_told(text: str, said: str) -> None:
    with pytest.raises(ActorError, match=said):
        from_files(service(text, "other.service"), ACCOUNTS)


def test_an_empty_set_of_capabilities_is_none() -> None:
    assert capability_bits((), 7) == 0
    assert capability_bits(None, 7) == 7


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("RestrictAddressFamilies=AF_INET AF_INET6", {"socket": "EAFNOSUPPORT"}),
        ("RestrictAddressFamilies=AF_INET AF_UNIX", {}),
        ("RestrictAddressFamilies=none", {"socket": "EAFNOSUPPORT"}),
        ("RestrictAddressFamilies=~AF_UNIX", {"socket": "EAFNOSUPPORT"}),
        ("RestrictAddressFamilies=~AF_INET", {}),
        ("SystemCallFilter=@system-service", {}),
        ("SystemCallFilter=@system-service\nSystemCallFilter=~@network-io\nSystemCallErrorNumber=EPERM",
         dict.fromkeys(("bind", "connect", "socket"), "EPERM")),
        ("SystemCallFilter=@basic-io @file-system", dict.fromkeys(("bind", "connect", "socket", "chown"), "SIGSYS")),
        ("SystemCallFilter=@network-io", dict.fromkeys(
            ("unlink", "rename", "chmod", "chown", "mkdir", "truncate", "open"), "SIGSYS")),
        ("SystemCallFilter=@system-service\nSystemCallFilter=~@privileged", {"chown": "SIGSYS"}),
        ("SystemCallFilter=@system-service\nSystemCallFilter=~execve mkdir mkdirat",
         {"execute": "SIGSYS", "mkdir": "SIGSYS"}),
        ("SystemCallFilter=~@default", {"execute": "SIGSYS"}),
        ("SystemCallFilter=~mkdir truncate:EPERM", {"truncate": "EPERM"}),
        ("SystemCallFilter=~connect:EACCES", {"connect": "EACCES"}),
        ("SystemCallFilter=~connect\nSystemCallErrorNumber=13", {"connect": "EACCES"}),
        ("SystemCallFilter=~connect\nSystemCallFilter=connect", {}),
        ("SystemCallFilter=~chmod fchmodat", {"chmod": "SIGSYS"}),
        ("SystemCallFilter=~chmod", {}),
    ],
)  # fmt: skip
def test_which_calls_its_filter_refuses(text: str, refused: dict[str, str]) -> None:
    found = calls_of(service(text)).refused
    assert ({} if found is None else dict(found.seccomp)) == refused


KINDS: dict[Operation, NodeKind] = dict.fromkeys(("read", "write", "truncate", "execute", "create"), "file")
"""Of what each operation is asked of here, which else is a socket."""
MAKING = frozenset({"bind", "create", "mkdir"})


def judged(
    text: str,
    path: str,
    operation: Operation = "connect",
    user: str = "web",
    to: str | None = None,
    there: bool | None = None,
) -> Judgement:
    """What is said of a service that does not run, on a machine where every path is open to it."""
    who = from_files(service(f"User={user}\n{text}"), ACCOUNTS)
    ends = [end for end in (path, to) if end is not None and end.startswith("/")]
    parents = dict.fromkeys(str(parent) for end in ends for parent in reversed(Path(end).parents))
    folders = [Node(parent, "directory", mode=0o777) for parent in parents if parent != "/"]
    target = Node(path, KINDS.get(operation, "socket"), who.principal.uid, mode=0o777)
    nodes = [*folders, *([target] if there or (there is None and operation not in MAKING) else [])]
    confined = who.filtered.refused
    subject = User(who.name, who.principal.uid, who.principal.gid, who.principal.groups, confined=confined)
    others = () if who.name == "root" else (User("root", 0, 0),)
    world = complete(World("w", users=(*others, subject), nodes=tuple(nodes)))
    mode, group = (0o700 if operation == "chmod" else None), (33 if operation == "chown" else None)
    attempt = Attempt(who.name, operation, path, to, mode, group=group)
    way = ("/", *(node.path for node in nodes))
    seen = Scene(world, attempt, None, None, (), frozenset(), way=way, ends=tuple(ends))
    return find(who, seen)


@pytest.mark.parametrize(
    ("text", "path", "operation", "user", "outcome", "at"),
    [
        ("ProtectHome=yes", "/home/ali/s", "connect", "web", "EACCES", "/home"),
        ("ProtectHome=yes", "/home/ali/s", "connect", "root", "ENOENT", "/home/ali"),
        ("ProtectHome=yes", "/run/user/33/s", "connect", "web", "EACCES", "/run/user"),
        ("ProtectHome=yes", "/run/app/s", "connect", "web", "ok", "/run/app/s"),
        ("ProtectHome=tmpfs", "/home/ali/s", "connect", "web", "ENOENT", "/home/ali"),
        ("ProtectHome=tmpfs\nBindPaths=/home/ali", "/home/ali/s", "connect", "web", "ok", "/home/ali/s"),
        ("ProtectHome=read-only", "/home/ali/s", "connect", "web", "ok", "/home/ali/s"),
        ("ProtectHome=read-only", "/home/ali/s", "bind", "web", "EROFS", "/home/ali"),
        ("ProtectHome=read-only", "/home/ali/s", "chmod", "web", "EROFS", "/home/ali/s"),
        ("ProtectSystem=strict", "/srv/app/s", "connect", "web", "ok", "/srv/app/s"),
        ("ProtectSystem=strict", "/srv/app/s", "unlink", "web", "EROFS", "/srv/app"),
        ("ProtectSystem=strict\nReadWritePaths=/srv/app", "/srv/app/s", "unlink", "web", "ok", "/srv/app/s"),
        ("ProtectSystem=strict\nRuntimeDirectory=app", "/run/app/s", "bind", "web", "ok", "/run/app/s"),
        ("ProtectSystem=full", "/srv/app/s", "bind", "web", "ok", "/srv/app/s"),
        ("ProtectSystem=full", "/etc/app/s", "bind", "web", "EROFS", "/etc/app"),
        ("PrivateTmp=yes", "/tmp/s", "connect", "web", "ENOENT", "/tmp/s"),
        ("PrivateTmp=yes\nProtectSystem=strict", "/tmp/s", "bind", "web", "ok", "/tmp/s"),
        ("InaccessiblePaths=/run/x.sock", "/run/x.sock", "connect", "web", "EACCES", "/run/x.sock"),
        ("InaccessiblePaths=/run/x.sock", "/run/x.sock", "connect", "root", "ECONNREFUSED", "/run/x.sock"),
        ("TemporaryFileSystem=/run:ro", "/run/app/s", "connect", "web", "ENOENT", "/run/app"),
        ("RestrictAddressFamilies=AF_INET", "/run/app/s", "connect", "web", "EAFNOSUPPORT", "/run/app/s"),
        ("PrivateNetwork=yes", "@name", "connect", "web", "ECONNREFUSED", "@name"),
        ("PrivateNetwork=yes", "/run/app/s", "connect", "web", "ok", "/run/app/s"),
        ("ProtectHome=tmpfs", "/home/s", "bind", "web", "EROFS", "/home"),
        ("ProtectHome=tmpfs", "/home/s", "unlink", "web", "EROFS", "/home"),
        ("TemporaryFileSystem=/srv:ro", "/srv/d", "mkdir", "web", "EROFS", "/srv"),
        ("PrivateTmp=yes\nProtectSystem=strict", "/tmp/d", "mkdir", "web", "ok", "/tmp/d"),
        ("PrivateTmp=yes\nProtectSystem=strict", "/tmp/f", "create", "web", "ok", "/tmp/f"),
        ("InaccessiblePaths=/srv/x", "/srv/x/d", "mkdir", "web", "EACCES", "/srv/x"),
        ("InaccessiblePaths=/srv/x", "/srv/x/d", "mkdir", "root", "EROFS", "/srv/x"),
        ("InaccessiblePaths=/srv/x", "/srv/x/s", "unlink", "root", "EROFS", "/srv/x"),
        ("InaccessiblePaths=/srv/x", "/srv/x/s", "chmod", "root", "ENOENT", "/srv/x/s"),
        ("InaccessiblePaths=/srv/x", "/srv/x", "chmod", "web", "EROFS", "/srv/x"),
        ("InaccessiblePaths=/srv/x", "/srv/x", "chown", "root", "EROFS", "/srv/x"),
        ("InaccessiblePaths=/srv/x", "/srv/x", "stat", "web", "ok", "/srv/x"),
        ("InaccessiblePaths=/srv/x", "/srv/x", "read", "web", "EACCES", "/srv/x"),
        ("InaccessiblePaths=/srv/x", "/srv/x", "read", "root", "ok", "/srv/x"),
        ("InaccessiblePaths=/srv/x", "/srv/x", "write", "web", "EACCES", "/srv/x"),
        ("InaccessiblePaths=/srv/x", "/srv/x", "write", "root", "EROFS", "/srv/x"),
        ("InaccessiblePaths=/srv/x", "/srv/x", "execute", "root", "EACCES", "/srv/x"),
        ("CapabilityBoundingSet=CAP_DAC_READ_SEARCH\nInaccessiblePaths=/srv/x", "/srv/x", "connect", "root", "EACCES",
         "/srv/x"),
    ],
)  # fmt: skip
def test_what_its_sandbox_refuses(text: str, path: str, operation: Operation, user: str, outcome: str, at: str) -> None:
    found = judged(text, path, operation, user)
    assert (found.decision.outcome, found.decision.at, found.conclusive) == (outcome, at, True)
    if outcome not in {"ok", "EAFNOSUPPORT"}:
        assert found.advice.changes[0].text.startswith("systemctl edit app.service  # ")


READ_ONLY = ("ProtectSystem=strict", "ReadOnlyPaths=/home", "ProtectHome=read-only", "BindReadOnlyPaths=/home:/home")


@pytest.mark.parametrize("text", READ_ONLY)
@pytest.mark.parametrize(
    ("operation", "outcome", "at"),
    [
        ("bind", "EROFS", "/home/a"),
        ("create", "EROFS", "/home/a"),
        ("mkdir", "EROFS", "/home/a"),
        ("unlink", "EROFS", "/home/a"),
        ("rename", "EROFS", "/home/a"),
        ("chmod", "EROFS", "/home/a/x"),
        ("chown", "EROFS", "/home/a/x"),
        ("truncate", "EROFS", "/home/a/x"),
        ("write", "EROFS", "/home/a/x"),
        ("connect", "ok", "/home/a/x"),
        ("read", "ok", "/home/a/x"),
        ("execute", "ok", "/home/a/x"),
        ("stat", "ok", "/home/a/x"),
    ],
)
@pytest.mark.parametrize("user", ["web", "root"])
def test_a_read_only_path_refuses_every_change_and_nothing_else(
    text: str, operation: Operation, outcome: str, at: str, user: str
) -> None:
    found = judged(text, "/home/a/x", operation, user, "/home/a/y" if operation == "rename" else None)
    assert (found.decision.outcome, found.decision.at, found.conclusive) == (outcome, at, True)
    if outcome == "EROFS":
        assert found.advice.changes[0].text.startswith("systemctl edit app.service  # ReadWritePaths=")


@pytest.mark.parametrize(
    ("text", "path", "to", "outcome", "at"),
    [
        ("ProtectSystem=strict\nReadWritePaths=/srv/a", "/srv/a/x", "/srv/a/y", "ok", "/srv/a/x"),
        ("ProtectSystem=strict\nReadWritePaths=/srv/a", "/srv/a/x", "/srv/b/x", "EXDEV", "/srv/a/x"),
        ("ProtectSystem=strict\nReadOnlyPaths=/srv/a", "/srv/a/x", "/srv/b/x", "EROFS", "/srv/a"),
        ("ReadOnlyPaths=/srv/a /srv/b", "/srv/a/x", "/srv/b/x", "EXDEV", "/srv/a/x"),
        ("ReadOnlyPaths=/srv/a/x", "/srv/a/x", "/srv/a/y", "EBUSY", "/srv/a/x"),
        ("InaccessiblePaths=/srv/a/x", "/srv/a/x", None, "EBUSY", "/srv/a/x"),
    ],
)
def test_a_name_stays_on_its_mount_and_a_mount_keeps_its_name(
    text: str, path: str, to: str | None, outcome: str, at: str
) -> None:
    found = judged(text, path, "unlink" if to is None else "rename", to=to)
    assert (found.decision.outcome, found.decision.at, found.conclusive) == (outcome, at, True)


@pytest.mark.parametrize(
    ("operation", "there", "outcome"),
    [
        ("unlink", False, "EROFS"),
        ("chmod", False, "ENOENT"),
        ("write", False, "ENOENT"),
        ("bind", True, "EADDRINUSE"),
        ("mkdir", True, "EEXIST"),
        ("create", True, "EROFS"),
    ],
)
def test_a_read_only_mount_comes_in_the_kernels_order(operation: Operation, there: bool, outcome: str) -> None:
    assert judged("ProtectSystem=strict", "/srv/a/x", operation, there=there).decision.outcome == outcome


@pytest.mark.parametrize("text", ["TemporaryFileSystem=/srv", "TemporaryFileSystem=/srv:mode=0700"])
def test_who_may_make_a_name_in_an_empty_directory_is_not_claimed(text: str) -> None:
    assert not judged(text, "/srv/new", "mkdir").conclusive


@pytest.mark.parametrize("text", ["RootDirectory=/srv/root", "RootImage=/x.raw", "BindPaths=/other:/run/app"])
def test_what_its_sandbox_makes_unknown_is_not_claimed(text: str) -> None:
    found = judged(text, "/run/app/s")
    assert not found.conclusive
    assert not found.allowed


def test_a_service_without_a_sandbox_is_refused_nothing_by_it() -> None:
    who = from_files(service("User=web"), ACCOUNTS)
    world = complete(World("w", users=(User("web", 33, 33),)))
    seen = Scene(world, Attempt("web", "mkdir", "/home/x"), None, None, (), frozenset(), ends=("/home/x",))
    assert list(obstacles(who, seen)) == []


_DAC_NAMES = "CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_IPC_OWNER"
CHOICES: dict[str, tuple[str, ...]] = {
    "RestrictAddressFamilies": ("", "none", "AF_UNIX", "AF_INET", "AF_INET AF_UNIX", "~AF_UNIX", "~AF_INET AF_UNIX"),
    "PrivateTmp": ("", "yes", "no", "on"),
    "PrivateDevices": ("", "1", "0"),
    "PrivateNetwork": ("", "true", "false"),
    "ProtectHome": ("", "yes", "no", "tmpfs", "read-only"),
    "ProtectSystem": ("", "yes", "full", "strict", "no"),
    "CapabilityBoundingSet": (
        "CAP_KILL",
        "~CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_IPC_OWNER",
        "CAP_FOWNER",
    ),
}
_DAC = sum(1 << CAPABILITIES[name] for name in _DAC_NAMES.split())
FOLDERS = ("foo-bar.service.d", "foo-.service.d", "service.d")


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("systemd-analyze") is None, reason="systemd's own reader is systemd-analyze"
)
def test_systemd_reads_the_same(tmp_path: Path) -> None:
    """Units and drop-ins drawn by chance; what `systemd-analyze security` says of a unit that does not run."""
    chance = random.Random(21)
    told = set()
    for number in range(25):
        top = tmp_path / str(number)
        first, second = top / ETC, top / LIB
        files = [second / "foo-bar.service"]
        files += [chance.choice([first, second]) / folder / f"{chance.randrange(3)}.conf" for folder in FOLDERS * 2]
        for file in files:
            keys = chance.sample(sorted(CHOICES), 3)
            lines = [f"{key}={chance.choice(CHOICES[key])}" for key in keys]
            written(file.parent, {file.name: "[Service]\nExecStart=\nExecStart=/bin/true\n" + "\n".join(lines) + "\n"})
        found = read_unit("foo-bar", str(top))
        homes, system = ((found.last(key) or "no") for key in ("ProtectHome", "ProtectSystem"))
        refused = calls_of(found).refused
        ours = {
            "RestrictAddressFamilies_AF_UNIX": refused is not None,
            "PrivateTmp": found.yes("PrivateTmp"),
            "PrivateDevices": found.yes("PrivateDevices"),
            "PrivateNetwork": found.yes("PrivateNetwork"),
            "ProtectHome": homes != "no",
            "ProtectSystem": system == "strict",
            "CapabilityBoundingSet_CAP_DAC_FOWNER_IPC_OWNER": not _DAC
            & capability_bits(found.assignments.get("CapabilityBoundingSet"), units.ALL_CAPABILITIES),
        }
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--json=short", "--no-pager", found.name],
            env={**os.environ, "SYSTEMD_UNIT_PATH": f"{first}:{second}:/usr/lib/systemd/system"},
            capture_output=True,
            text=True,
            check=False,
        )
        theirs = {row["json_field"]: row for row in json.loads(done.stdout)}
        said = {name: theirs[name]["set"] for name in ours}
        said["ProtectHome"] = "full access" not in theirs["ProtectHome"]["description"]
        assert ours == said, [(str(file), file.read_text(encoding="utf-8")) for file in files]
        told |= set(ours.items())
    assert {value for _, value in told} == {True, False}
    assert len(told) == 2 * len(CHOICES)
