"""Programs that fail at a socket, each for a reason of its own, told by `harness explain -- PROGRAM`."""

from __future__ import annotations

import os
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.integration.explain.stage import staged

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.integration.explain.stage import Stage

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="other users and mounts take root on Linux"
)

NGINX = """
pid /run/nginx.pid; error_log /dev/null; user www-data; worker_processes 1; events {}
http { access_log off; server { listen unix:/run/front.sock; location / { proxy_pass http://unix:/run/app.sock:; } } }
"""


@dataclass(frozen=True)
class Case:
    """A program, the package that has it, what is there, the user, the command, and how its first failure is told.

    `unreadable`: to its own user too.
    """

    program: str
    package: str
    there: str
    user: str
    command: str
    told: str
    unreadable: bool = False


UNREADABLE = (
    "bind (a path that can't be read): EROFS: the process may not be dumped (PR_SET_DUMPABLE), so only root can read "
    "what it asks for: follow it as root"
)
"""What a user is told of a process that has made itself unreadable to its user."""
CASES = (
    Case(
        "psql",
        "postgresql-client",
        "mkdir /run/pg; serve -- /run/pg/.s.PGSQL.5432 mode=0777; chmod 0700 /run/pg",
        "ali",
        "psql -h /run/pg -c 'select 1'",
        "connect /run/pg/.s.PGSQL.5432: EACCES: ali lacks x on /run/pg",
    ),
    Case(
        "docker",
        "docker.io",
        "serve -- /run/docker.sock mode=0660 group=docker",
        "ali",
        "docker -H unix:///run/docker.sock ps",
        "connect /run/docker.sock: EACCES: ali lacks w on /run/docker.sock",
    ),
    Case(
        "redis-cli",
        "redis-tools",
        "dead /run/redis.sock mode=0777",
        "root",
        "redis-cli -s /run/redis.sock ping",
        "connect /run/redis.sock: ECONNREFUSED: /run/redis.sock is stale: the socket that was bound to it is closed",
    ),
    Case(
        "mariadb",
        "mariadb-client",
        "mkdir /run/mysqld",
        "ali",
        "mariadb --socket=/run/mysqld/mysqld.sock",
        "connect /run/mysqld/mysqld.sock: ENOENT: There is nothing named mysqld.sock in /run/mysqld",
    ),
    Case(
        "ssh-add",
        "openssh-client",
        "touch /run/agent; chmod 0666 /run/agent",
        "ali",
        "env SSH_AUTH_SOCK=/run/agent ssh-add -l",
        "connect /run/agent: ECONNREFUSED: /run/agent is a file, not a socket",
    ),
    Case(
        "curl",
        "curl",
        "serve -- /run/full.sock mode=0777 backlog=0 waiting=1",
        "ali",
        "curl -s --max-time 1 --unix-socket /run/full.sock http://localhost/",
        "connect /run/full.sock: EAGAIN: the queue of /run/full.sock is full: 1 wait where 0 may, so a client that "
        "does not block is told EAGAIN, and one that does hangs until the server accepts",
    ),
    Case(
        "nginx",
        "nginx-light",
        f"serve -- /run/app.sock mode=0600; cat >/run/nginx.conf <<'END'\n{NGINX}END\n",
        "root",
        "sh -c 'nginx -c /run/nginx.conf; curl -s --unix-socket /run/front.sock http://localhost/ >/dev/null; "
        "nginx -c /run/nginx.conf -s stop'",
        "connect /run/app.sock: EACCES: www-data lacks w on /run/app.sock",
    ),
    Case(
        "gpg-agent",
        "gpg-agent",
        "mkdir -m 0700 /home/g; chown ali /home/g; mount -t tmpfs -o mode=700,uid=1000 none /home/g; "
        "mount -o remount,ro /home/g",
        "ali",
        "gpg-agent --homedir /home/g --daemon true",
        "bind /home/g/S.gpg-agent: EROFS: /home/g is mounted read-only",
        unreadable=True,
    ),
    Case(
        "gpg",
        "gpg",
        "mkdir -m 0700 /home/g; mkdir /home/g/S.gpg-agent; chown -R ali /home/g",
        "ali",
        "gpg -q --homedir /home/g --no-autostart --card-status",
        "connect /home/g/S.gpg-agent: ECONNREFUSED: /home/g/S.gpg-agent is a directory, not a socket",
    ),
    Case(
        "tmux",
        "tmux",
        "ln -s loop /run/loop",
        "ali",
        "tmux -S /run/loop list-sessions",
        "connect /run/loop: ELOOP: This is one symlink more than the 40 that are followed",
    ),
    Case(
        "dbus-send",
        "dbus-bin",
        "serve -- /run/bus mode=0777 type=dgram",
        "ali",
        "dbus-send --bus=unix:path=/run/bus /a a.b.c",
        "connect /run/bus: EPROTOTYPE: A stream socket can't be connected to the dgram socket /run/bus",
    ),
    Case(
        "socat",
        "socat",
        "true",
        "ali",
        "socat - ABSTRACT-CONNECT:nobody-has-this-name",
        "connect @nobody-has-this-name: ECONNREFUSED: No stream socket has the abstract name @nobody-has-this-name",
    ),
)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


def becoming(user: str) -> list[str]:
    """The words by which root becomes a user."""
    return [] if user == "root" else ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]


def explained(stage: Stage, case: Case, *, by_root: bool) -> subprocess.CompletedProcess[str]:
    """The program followed by root, or by who runs it."""
    harness = [sys.executable, "-m", "harness", "explain", "--"]
    become = becoming(case.user)
    return stage.enter(*(*harness, *become) if by_root else (*become, *harness), "sh", "-c", f"exec {case.command}")


@pytest.mark.parametrize("by_root", [True, False], ids=["by-root", "by-oneself"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.program)
def test_the_true_cause_is_in_the_first_line(
    stage: Stage, need: Callable[[str, str], str], case: Case, by_root: bool
) -> None:
    need(case.program, case.package)
    stage.run(case.there)
    alone = stage.enter(*becoming(case.user), "sh", "-c", f"exec {case.command}")
    done = explained(stage, case, by_root=by_root)
    first = next((line for line in done.stderr.splitlines() if line.startswith("harness: ")), "")
    told = case.told if by_root or case.user == "root" or not case.unreadable else UNREADABLE
    assert first.partition(") ")[2] == told, done.stderr
    assert (done.returncode, done.stdout) == (alone.returncode, alone.stdout)
    assert "\npath " in done.stderr


MANY = textwrap.dedent("""
    import os, socket, sys, threading
    failures = []
    def connect():
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(sys.argv[1])
            except OSError as error:
                failures.append(error.errno)
    threads = [threading.Thread(target=connect) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = []
    for number in range(1000):
        pid = os.fork()
        if pid == 0:
            connect()
            os._exit(number % 100 + len(failures[200:]))
        statuses.append(os.waitpid(pid, 0)[1])
    print(len(failures), sorted(set(failures)), sum(statuses))
    sys.exit(42)
""")


def test_two_hundred_threads_and_a_thousand_children_end_as_they_would_alone(stage: Stage) -> None:
    program = (sys.executable, "-ISc", MANY, "/run/none.sock")
    alone = stage.enter(*program)
    assert alone.returncode == 42
    done = stage.enter(sys.executable, "-m", "harness", "explain", "--", *program)
    assert (done.returncode, done.stdout) == (alone.returncode, alone.stdout)
    path, who, _, call, times, answer, *_ = done.stderr.splitlines()[-1].split()
    assert (path, who, call, times, answer) == ("/run/none.sock", "root", "connect", "1200", "ENOENT")


def test_a_set_uid_program_that_runs_without_its_rights_is_named(stage: Stage) -> None:
    stage.run("cp /usr/bin/id /run/id; chmod 4755 /run/id")
    alone = stage.enter(*becoming("ali"), "/run/id", "-u")
    assert alone.stdout == "0\n"
    done = stage.enter(*becoming("ali"), sys.executable, "-m", "harness", "explain", "--", "/run/id", "-u")
    assert done.stdout == "1000\n"
    assert "/run/id ran without the rights that its file gives, since it was followed (it is set-uid, of uid 0)" in (
        done.stderr
    )
