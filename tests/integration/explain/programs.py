"""Programs that fail at a socket, each for a reason of its own."""

from __future__ import annotations

from dataclasses import dataclass

NGINX = """
pid /run/nginx.pid; error_log /dev/null; user www-data; worker_processes 1; events {}
http { access_log off; server { listen unix:/run/front.sock; location / { proxy_pass http://unix:/run/app.sock:; } } }
"""


@dataclass(frozen=True)
class Program:
    """A program, the package that has it, what is there, the user, the command, and how its first failure is told.

    `unreadable`: to its own user too.
    """

    name: str
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
PROGRAMS = (
    Program(
        "psql",
        "postgresql-client",
        "mkdir /run/pg; serve -- /run/pg/.s.PGSQL.5432 mode=0777; chmod 0700 /run/pg",
        "ali",
        "psql -h /run/pg -c 'select 1'",
        "connect /run/pg/.s.PGSQL.5432: EACCES: ali lacks x on /run/pg",
    ),
    Program(
        "docker",
        "docker.io",
        "serve -- /run/docker.sock mode=0660 group=docker",
        "ali",
        "docker -H unix:///run/docker.sock ps",
        "connect /run/docker.sock: EACCES: ali lacks w on /run/docker.sock",
    ),
    Program(
        "redis-cli",
        "redis-tools",
        "dead /run/redis.sock mode=0777",
        "root",
        "redis-cli -s /run/redis.sock ping",
        "connect /run/redis.sock: ECONNREFUSED: /run/redis.sock is stale: the socket that was bound to it is closed",
    ),
    Program(
        "mariadb",
        "mariadb-client",
        "mkdir /run/mysqld",
        "ali",
        "mariadb --socket=/run/mysqld/mysqld.sock",
        "connect /run/mysqld/mysqld.sock: ENOENT: There is nothing named mysqld.sock in /run/mysqld",
    ),
    Program(
        "ssh-add",
        "openssh-client",
        "touch /run/agent; chmod 0666 /run/agent",
        "ali",
        "env SSH_AUTH_SOCK=/run/agent ssh-add -l",
        "connect /run/agent: ECONNREFUSED: /run/agent is a file, not a socket",
    ),
    Program(
        "curl",
        "curl",
        "serve -- /run/full.sock mode=0777 backlog=0 waiting=1",
        "ali",
        "curl -s --max-time 1 --unix-socket /run/full.sock http://localhost/",
        "connect /run/full.sock: EAGAIN: the queue of /run/full.sock is full: 1 wait where 0 may, so a client that "
        "does not block is told EAGAIN, and one that does hangs until the server accepts",
    ),
    Program(
        "nginx",
        "nginx-light",
        f"serve -- /run/app.sock mode=0600; cat >/run/nginx.conf <<'END'\n{NGINX}END\n",
        "root",
        "sh -c 'nginx -c /run/nginx.conf; curl -s --unix-socket /run/front.sock http://localhost/ >/dev/null; "
        "nginx -c /run/nginx.conf -s stop'",
        "connect /run/app.sock: EACCES: www-data lacks w on /run/app.sock",
    ),
    Program(
        "gpg-agent",
        "gpg-agent",
        "mkdir -m 0700 /home/g; chown ali /home/g; mount -t tmpfs -o mode=700,uid=1000 none /home/g; "
        "mount -o remount,ro /home/g",
        "ali",
        "gpg-agent --homedir /home/g --daemon true",
        "bind /home/g/S.gpg-agent: EROFS: /home/g is mounted read-only",
        unreadable=True,
    ),
    Program(
        "gpg",
        "gpg",
        "mkdir -m 0700 /home/g; mkdir /home/g/S.gpg-agent; chown -R ali /home/g",
        "ali",
        "gpg -q --homedir /home/g --no-autostart --card-status",
        "connect /home/g/S.gpg-agent: ECONNREFUSED: /home/g/S.gpg-agent is a directory, not a socket",
    ),
    Program(
        "tmux",
        "tmux",
        "ln -s loop /run/loop",
        "ali",
        "tmux -S /run/loop list-sessions",
        "connect /run/loop: ELOOP: This is one symlink more than the 40 that are followed",
    ),
    Program(
        "dbus-send",
        "dbus-bin",
        "serve -- /run/bus mode=0777 type=dgram",
        "ali",
        "dbus-send --bus=unix:path=/run/bus /a a.b.c",
        "connect /run/bus: EPROTOTYPE: A stream socket can't be connected to the dgram socket /run/bus",
    ),
    Program(
        "socat",
        "socat",
        "true",
        "ali",
        "socat - ABSTRACT-CONNECT:nobody-has-this-name",
        "connect @nobody-has-this-name: ECONNREFUSED: No stream socket has the abstract name @nobody-has-this-name",
    ),
)
