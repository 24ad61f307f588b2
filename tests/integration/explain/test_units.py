"""`harness explain --unit NAME`: a service that runs, and one that does not, whose sandbox the kernel is shown too."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.explain.stage import staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.explain.stage import Stage

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="other users and mounts take root on Linux"
)

INACCESSIBLE = "mkdir -m 0 /mnt/closed; mount --bind /mnt/closed"
SANDBOXES = {
    "none": ("", "true", "/home/ali/s", "connect"),
    "closed-homes": ("ProtectHome=yes", f"{INACCESSIBLE} /home", "/home/ali/s", "connect"),
    "empty-homes": ("ProtectHome=tmpfs", "mount -t tmpfs -o mode=755,ro tmpfs /home", "/home/ali/s", "connect"),
    "a-tmp-of-its-own": ("PrivateTmp=yes", "mount -t tmpfs -o mode=1777 tmpfs /tmp", "/tmp/s", "connect"),
    "read-only": (
        "ProtectSystem=strict",
        "mount --bind /srv /srv; mount -o remount,bind,ro /srv",
        "/srv/open/new",
        "bind",
    ),
    "read-only-but-a-connection": (
        "ProtectSystem=strict",
        "mount --bind /srv /srv; mount -o remount,bind,ro /srv",
        "/srv/open/s",
        "connect",
    ),
    "closed-path": ("InaccessiblePaths=/srv/open", f"{INACCESSIBLE} /srv/open", "/srv/open/s", "connect"),
}
"""A service's option, what systemd does for it, a path, and what is tried."""


READ_ONLY = "mount --bind /srv /srv; mount -o remount,bind,ro /srv"
CLOSED = "mkdir -m 0 /mnt/closed; mount --bind /mnt/closed /srv/open; mount -o remount,bind,ro /srv/open"
OPEN, FILE, LIVE, NEW = "/srv/open", "/srv/open/f", "/srv/open/s", "/srv/open/new"
EVERYTHING = (
    *(f"{operation} {NEW}" for operation in ("bind", "create", "mkdir", "unlink", "chmod", "read")),
    *(f"{operation} {FILE}" for operation in ("chmod", "chown", "truncate", "write", "create", "unlink", "stat")),
    *(f"{operation} {FILE}" for operation in ("read", "execute", "mkdir")),
    *(f"{operation} {LIVE}" for operation in ("bind", "connect", "chmod", "unlink", "write", "truncate", "mkdir")),
    *(f"{operation} {OPEN}" for operation in ("list", "stat", "chmod", "chown")),
    f"rename {LIVE} {NEW}",
    f"rename {LIVE} /srv/other",
    "connect /srv/open/none",
)
MOUNTED = {
    "read-only": ("ProtectSystem=strict", READ_ONLY, EVERYTHING),
    "closed": ("InaccessiblePaths=/srv/open", CLOSED, EVERYTHING),
    "writable-in-read-only": (
        "ProtectSystem=strict\nReadWritePaths=/srv/open",
        "mount --bind /srv /srv; mount --bind /srv/open /srv/open; mount -o remount,bind,ro /srv",
        (f"rename {LIVE} /srv/other", "rename /srv/other /srv/open/new", "mkdir /srv/new", f"mkdir {NEW}"),
    ),
    "read-only-file": (
        "ReadOnlyPaths=/srv/open/f",
        "mount --bind /srv/open/f /srv/open/f; mount -o remount,bind,ro /srv/open/f",
        (f"unlink {FILE}", f"rename {FILE} {NEW}", f"write {FILE}", f"chmod {FILE}", f"read {FILE}"),
    ),
}
"""A service's options, what systemd does for them, and what is tried as a user and as root."""
TRY = """
import errno, os, socket, sys
def at(call, path):
    with socket.socket(socket.AF_UNIX) as one:
        getattr(one, call)(path)
def opened(path, flags):
    os.close(os.open(path, flags | os.O_NONBLOCK))
operations = {
    "connect": lambda path: at("connect", path), "bind": lambda path: at("bind", path),
    "create": lambda path: opened(path, os.O_WRONLY | os.O_CREAT), "write": lambda path: opened(path, os.O_WRONLY),
    "read": lambda path: opened(path, os.O_RDONLY), "execute": lambda path: os.execv(path, [path]),
    "chmod": lambda path: os.chmod(path, 0o700), "chown": lambda path: os.chown(path, -1, 1000),
    "truncate": lambda path: os.truncate(path, 0), "list": os.listdir, "stat": os.stat, "mkdir": os.mkdir,
    "unlink": os.unlink, "rename": os.rename,
}
for line in sys.stdin:
    operation, *paths = line.split()
    try:
        operations[operation](*paths)
        print("ok", flush=True)
    except OSError as error:
        print("ok" if error.errno == errno.ENOEXEC else errno.errorcode[error.errno], flush=True)
"""
"""Makes each attempt that it reads, and says how it ended. No file that it executes has a text."""
KEYS = {"chmod": ("--mode", "0700"), "chown": ("--owner", ":1000")}


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


@contextlib.contextmanager
def trying(stage: Stage, user: str, mounts: str) -> Iterator[Callable[[str], str]]:
    """A process of a user with these mounts, which says how an attempt ends."""
    become = ("setpriv", "--reuid", user, "--regid", user, "--init-groups", "/usr/bin/python3", "-ISc", TRY)
    command = stage.entered("unshare", "--mount", "sh", "-c", f'{mounts}; exec "$@"', "sh", *become)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said, asked = process.stdout, process.stdin

        def attempt(words: str) -> str:
            print(words, file=asked, flush=True)
            return said.readline().strip()

        yield attempt
        asked.close()


def write_unit(stage: Stage, text: str, name: str = "app-x.service") -> None:
    stage.run(f"mkdir -p /etc/systemd/system; printf '[Service]\\n%s\\n' '{text}' > /etc/systemd/system/{name}")


@pytest.mark.parametrize("name", SANDBOXES)
def test_a_service_that_does_not_run_is_refused_what_the_kernel_refuses_it(stage: Stage, name: str) -> None:
    option, mounts, path, operation = SANDBOXES[name]
    stage.run("mkdir -p /home/ali /srv/open; chown ali /home/ali; chmod 0777 /srv/open")
    if operation == "connect":
        stage.run(f"serve -- {path} mode=0777")
    write_unit(stage, f"User=ali\n{option}")
    with trying(stage, "ali", mounts) as attempt:
        answer = attempt(f"{operation} {path}")
    done = stage.explain(path, "--unit", "app-x", "--operation", operation)
    first = done.stdout.splitlines()[0].rpartition(": ")[2]
    assert first.split()[0] == answer, done.stdout + done.stderr
    assert answer == "ok" or option.split("=")[0] in done.stdout
    assert "  unit   app-x.service does not run; /etc/systemd/system/app-x.service: User=ali" in done.stdout
    assert done.returncode == (0 if answer == "ok" else 1)


@pytest.mark.parametrize("user", ["ali", "root"])
@pytest.mark.parametrize("name", MOUNTED)
def test_each_operation_is_refused_as_the_kernel_refuses_it(stage: Stage, name: str, user: str) -> None:
    option, mounts, attempts = MOUNTED[name]
    stage.run(
        "mkdir -p /srv/open; chmod 0777 /srv /srv/open; chown ali /srv/open; umask 0; touch /srv/open/f /srv/other\n"
        "chown ali /srv/open/f /srv/other; chmod 0755 /srv/open/f; serve -- /srv/open/s mode=0777 owner=ali"
    )
    write_unit(stage, f"User={user}\n{option}")
    found, due = {}, {}
    with trying(stage, user, mounts) as attempt:
        for words in attempts:
            operation, path, *to = words.split()
            more = ("--operation", operation, *(("--to", *to) if to else ()), *KEYS.get(operation, ()))
            done = stage.explain(path, "--unit", "app-x", *more)
            found[words] = done.stdout.splitlines()[0].rpartition(": ")[2].split()[0] if done.stdout else done.stderr
            due[words] = attempt(words)
    assert found == due


@contextlib.contextmanager
def running_service(stage: Stage) -> Iterator[tuple[str, str]]:
    """A process of ali's in a control group that is named as a service: that name, and its pid."""
    groups = [line for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines() if " - cgroup" in line]
    folder = Path(next((line.split()[4] for line in reversed(groups)), "/nowhere"))
    name = Path(tempfile.mktemp(prefix="harness-", suffix=".service", dir=folder))
    try:
        name.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error.strerror}")
    try:
        told = stage.run(f"waiting setpriv --reuid ali --regid ali --groups 999; echo $WAITING > {name}/cgroup.procs")
        pid = told.strip().removeprefix("PID=")
        yield name.name, pid
        stage.run(f"kill {pid}; while kill -0 {pid} 2>/dev/null; do sleep .02; done")
    finally:
        name.rmdir()


def test_a_service_that_runs_is_its_oldest_process(stage: Stage) -> None:
    """As its control group tells, where systemd does not run or does not know it."""
    stage.run("serve -- /run/s mode=0660 group=docker")
    with running_service(stage) as (name, pid):
        done = stage.explain("/run/s", "--unit", name)
        assert f"  unit   {name} runs: this is its main process, {pid} (sleep)" in done.stdout, done.stderr
        assert done.stdout.startswith("ali [uid 1000, gid 1000, groups docker(999)] connect /run/s: ok\n")
    gone = stage.explain("/run/s", "--unit", name)
    assert (gone.returncode, gone.stdout) == (2, "")
    assert f"systemd's search path has no unit named {name}" in gone.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("/run/x", "--unit", "app-x", "--user", "ali"), "--user does not go with --unit"),
        (("x", "--unit", "app-x"), "what does not run stands nowhere: give an absolute path"),
        (("--unit", "app-x", "--", "true"), "--unit can't be given with it"),
        (("/run/x", "--unit", "no-such-unit"), "systemd's search path has no unit named no-such-unit.service"),
    ],
)
def test_a_question_that_makes_no_sense_gets_one_sentence(stage: Stage, arguments: tuple[str, ...], said: str) -> None:
    write_unit(stage, "User=ali")
    done = stage.explain(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_filter_that_is_to_go_is_no_part_of_the_command_that_is_printed_with_it(stage: Stage) -> None:
    stage.run("mkdir -m 700 /srv/closed; serve -- /srv/closed/s mode=0666")
    write_unit(stage, "User=ali\nRestrictAddressFamilies=AF_INET")
    told = stage.explain("/srv/closed/s", "--unit", "app-x").stdout
    commands = re.findall(r"^  (?:fix|or )    (.*?)  # and run ali without that filter", told, re.MULTILINE)
    assert commands[0] == "setfacl -m u:ali:x /srv/closed", told
    with trying(stage, "ali", "true") as attempt:
        assert attempt("connect /srv/closed/s") == "EACCES"
        stage.run(commands[0])
        assert attempt("connect /srv/closed/s") == "ok"


STARTED = {
    "made": ("", "RuntimeDirectory=app", "mkdir /run/app; chown ali:ali /run/app", "bind /run/app/s"),
    "closed to itself": (
        "",
        "RuntimeDirectory=app\nRuntimeDirectoryMode=0500",
        "mkdir -m 500 /run/app; chown ali:ali /run/app",
        "bind /run/app/s",
    ),
    "below a parent": (
        "ln -sfn /run /srv/run",
        "RuntimeDirectory=app/inner",
        "mkdir -p /run/app/inner; chown ali:ali /run/app/inner",
        "bind /srv/run/app/inner/s",
    ),
    "in the parent": (
        "",
        "RuntimeDirectory=app/inner",
        "mkdir -p /run/app/inner; chown ali:ali /run/app/inner",
        "bind /run/app/s",
    ),
    "with nothing in it": (
        "",
        "RuntimeDirectory=app",
        "mkdir /run/app; chown ali:ali /run/app",
        "bind /run/app/no/s",
    ),
    "of another owner before": (
        "mkdir -m 700 /run/app",
        "RuntimeDirectory=app",
        "chmod 755 /run/app; chown -R ali:ali /run/app",
        "bind /run/app/s",
    ),
}
"""What is there, a service's options, what systemd makes of them when it is started, and what is tried then."""


@pytest.mark.parametrize("name", STARTED)
def test_a_service_that_does_not_run_is_judged_with_the_directories_that_it_gets(stage: Stage, name: str) -> None:
    before, options, systemd, words = STARTED[name]
    stage.run(before or "true")
    write_unit(stage, f"User=ali\n{options}")
    operation, path = words.split()
    said = stage.explain(path, "--unit", "app-x", "--operation", operation).stdout
    assert f"{options.splitlines()[0]}" in next(line for line in said.splitlines() if line.startswith("  unit "))
    stage.run(systemd)
    with trying(stage, "ali", "true") as attempt:
        assert re.split(" at |$", said.splitlines()[0].rpartition(": ")[2])[0] == attempt(words), said
    if name == "closed to itself":
        fix = "systemctl edit app-x.service  # RuntimeDirectoryMode=0700 in [Service]; and restart it"
        assert re.findall(r"^  (?:fix|or )    (.*)$", said, re.MULTILINE) == [fix]
    if name == "made":
        told = "systemd makes /run/app when app-x.service is started (RuntimeDirectory=): 0755, ali:ali; it is judged"
        assert told in said


def test_a_change_of_a_directory_that_a_service_is_given_at_its_start_is_called_one_that_is_lost(stage: Stage) -> None:
    stage.run("mkdir /run/app; chown bob /run/app")
    with running_service(stage) as (name, _):
        write_unit(stage, "User=ali\nRuntimeDirectory=app\nRuntimeDirectoryMode=0711", name)
        said = stage.explain("/run/app/s", "--unit", name, "--operation", "bind")
    assert "  fix    setfacl -m u:ali:wx /run/app" in said.stdout, said.stdout + said.stderr
    assert (
        f"a change of /run/app is lost when {name} is started again (RuntimeDirectory=); what lasts: "
        f"RuntimeDirectoryMode= by systemctl edit {name}"
    ) in said.stdout
