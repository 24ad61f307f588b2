"""Situations from public reports and from our own issues, as they are rebuilt: data only.

Each has what the kernel does and what `harness explain` says first; `test_cases.py` holds both against the machine, and
`docs/explain-cases.md` is the same as a table.
"""

from __future__ import annotations

from dataclasses import dataclass

FUSE = ("bindfs", "sshfs")


@dataclass(frozen=True)
class Case:
    """`setup` is shell, with the functions of `stage.py`; each `NAME=value` that it prints is put for `{NAME}`.

    `who` are the arguments that name the asker, and `being` the command by which the kernel is asked as them. `answer`
    is what explain says, `fix` its first fix, `cure` how that is applied where it is no command, `then` the command by
    which they ask afterwards and `there` the path, if these are others. `note` is a part of what is said beside it.
    """

    name: str
    situation: str
    source: str
    setup: str
    path: str
    who: tuple[str, ...]
    being: str
    kernel: str
    answer: str
    fix: str = ""
    cure: str = ""
    then: str = ""
    there: str = ""
    note: str = ""
    operation: str = "connect"
    needs: tuple[str, ...] = ()
    after: str = "ok"


def user(name: str) -> tuple[tuple[str, ...], str]:
    return ("--user", name), f"setpriv --reuid {name} --regid {name} --init-groups"


WWW = user("www-data")
ALI, BOB, APP, NGINX, ROOT = user("ali"), user("bob"), user("app"), user("nginx"), user("root")

GITHUB = "https://github.com/"

CASES = (
    Case(
        "docker-without-group",
        "A user who is not in the group docker",
        GITHUB + "docker/getting-started-todo-app/issues/44",
        "serve -- /run/docker.sock mode=0660 group=docker name=dockerd",
        "/run/docker.sock",
        *ALI,
        "EACCES",
        "EACCES at /run/docker.sock",
        "usermod -aG docker ali  # and log in again; members of docker are as good as root (dockerd)",
        note="dockerd does whatever it is told to: who may connect to it is as good as root",
    ),
    Case(
        "docker-before-login",
        "A process that is older than its user's membership in docker",
        GITHUB + "tomsik68/docker-xampp/issues/63",
        "usermod -aG docker ali; serve -- /run/docker.sock mode=0660 group=docker\n"
        "waiting setpriv --reuid ali --regid ali --clear-groups",
        "/run/docker.sock",
        ("--pid", "{PID}"),
        "setpriv --reuid ali --regid ali --clear-groups",
        "EACCES",
        "EACCES at /run/docker.sock",
        "runuser -u ali -- COMMAND  # with the group docker (999) the answer is ok",
        cure="true",
        then="setpriv --reuid ali --regid ali --init-groups",
        note="does not have all the groups that the user database gives ali: docker (999)",
    ),
    Case(
        "runner-other-gid",
        "A CI runner whose group docker has another number than the socket's",
        GITHUB + "actions/actions-runner-controller/issues/2538",
        "serve -- /run/docker.sock mode=0660 group=docker\nwaiting setpriv --reuid 1500 --regid 1500 --groups 123",
        "/run/docker.sock",
        ("--pid", "{PID}"),
        "setpriv --reuid 1500 --regid 1500 --groups 123",
        "EACCES",
        "EACCES at /run/docker.sock",
        "setpriv --reuid 1500 --regid 1500 --groups 123,999 COMMAND  # members of docker are as good as root (dockerd)",
        cure="true",
        then="setpriv --reuid 1500 --regid 1500 --groups 123,999",
    ),
    Case(
        "directory-of-a-nameless-group",
        "A directory whose group has a number and no name",
        "our issue: groups without a name",
        "mkdir -m 710 /srv/d; chgrp 12345 /srv/d; serve -- /srv/d/s.sock mode=0666",
        "/srv/d/s.sock",
        *WWW,
        "EACCES",
        "EACCES at /srv/d",
        "setfacl -m u:www-data:x /srv/d",
    ),
    Case(
        "php-fpm-0660",
        "php-fpm's socket is root's alone, and nginx runs as www-data",
        "https://console9.com/wiki/articles/nginx/nginx-conf/troubleshooting/connect-php-fpm-sock-failed-upstream/",
        "mkdir /run/php; serve -- /run/php/php-fpm.sock mode=0660",
        "/run/php/php-fpm.sock",
        *WWW,
        "EACCES",
        "EACCES at /run/php/php-fpm.sock",
        "setfacl -m u:www-data:w /run/php/php-fpm.sock",
        note="is lost when its server binds again",
    ),
    Case(
        "gunicorn-0755",
        "gunicorn as www-data, nginx as nginx: the socket is 0755",
        "https://stackengine.dev/nginx-proxy-pass-unix-socket-www-data-permission",
        "mkdir /run/gunicorn; chown www-data /run/gunicorn; serve as www-data -- /run/gunicorn/app.sock",
        "/run/gunicorn/app.sock",
        *NGINX,
        "EACCES",
        "EACCES at /run/gunicorn/app.sock",
        "setfacl -m u:nginx:w /run/gunicorn/app.sock",
    ),
    Case(
        "home-0750",
        "An open socket in a home directory that is closed to others",
        "https://errorfix.dev/errors/nginx-permission-denied.html",
        "mkdir -p /home/ali/app; chown -R ali:ali /home/ali; chmod 0750 /home/ali\n"
        "serve as ali -- /home/ali/app/app.sock mode=0777",
        "/home/ali/app/app.sock",
        *WWW,
        "EACCES",
        "EACCES at /home/ali",
        "usermod -aG ali www-data  # and log in again",
    ),
    Case(
        "mysql-other-path",
        "The client looks in /tmp, the server listens in /var/lib/mysql",
        "https://debugah.com/remember-to-check-the-error-of-no-such-file-or-directory-in-php-mysqli-once-7719/",
        "mkdir /srv/mysql; serve -- /srv/mysql/mysql.sock mode=0777",
        "/tmp/mysql.sock",
        *APP,
        "ENOENT",
        "ENOENT at /tmp/mysql.sock",
    ),
    Case(
        "postgres-not-started",
        "PostgreSQL's directory is there, its server is not",
        "https://postgrespro.com/docs/postgresql/15/server-start",
        "mkdir -m 2775 /run/postgresql",
        "/run/postgresql/.s.PGSQL.5432",
        *APP,
        "ENOENT",
        "ENOENT at /run/postgresql/.s.PGSQL.5432",
    ),
    Case(
        "uwsgi-queue",
        "uWSGI accepts nobody, and its queue is full",
        GITHUB + "unbit/uwsgi/issues/1647",
        "serve -- /run/uwsgi.sock mode=0666 backlog=0 waiting=1; echo SERVER=$SERVER_PID",
        "/run/uwsgi.sock",
        *WWW,
        "EAGAIN",
        "EAGAIN at /run/uwsgi.sock",
        "look why its server accepts nobody, or restart it with a longer backlog",
        cure="kill {SERVER}; rm /run/uwsgi.sock; serve -- /run/uwsgi.sock mode=0666",
        note="1 wait where 0 may",
    ),
    Case(
        "queue-of-another",
        "A full queue of a socket that is closed to the asker anyway",
        GITHUB + "GrahamDumpleton/mod_wsgi/issues/766",
        "serve -- /run/wsgi.sock mode=0600 backlog=0 waiting=1; echo SERVER=$SERVER_PID",
        "/run/wsgi.sock",
        *WWW,
        "EACCES",
        "EACCES at /run/wsgi.sock",
        "setfacl -m u:www-data:w /run/wsgi.sock  # and look why its server accepts nobody, or restart it with a longer "
        "backlog",
        cure="kill {SERVER}; rm /run/wsgi.sock; serve -- /run/wsgi.sock; setfacl -m u:www-data:w /run/wsgi.sock",
        note="behind that, EAGAIN at /run/wsgi.sock",
    ),
    Case(
        "wsgi-path-too-long",
        "A socket's path of more than 108 bytes that is not there yet",
        GITHUB + "GrahamDumpleton/mod_wsgi/issues/35",
        "true",
        "/run/" + "w" * 120,
        *ROOT,
        "EINVAL",
        "EINVAL at /run/" + "w" * 120,
        operation="bind",
        note="(not looked up)",
    ),
    Case(
        "ray-path-too-long",
        "A client's path of more than 108 bytes",
        GITHUB + "verl-project/verl/issues/1120",
        "true",
        "/tmp/" + "ray/" * 30 + "plasma_store",
        *APP,
        "EINVAL",
        "EINVAL at /tmp/" + "ray/" * 30 + "plasma_store",
    ),
    Case(
        "docker-sock-replaced",
        "docker.sock was brought into a place as a file, and dockerd was restarted",
        GITHUB + "moby/moby/issues/21109",
        "serve -- /run/docker.sock mode=0666; touch /srv/docker.sock; mount --bind /run/docker.sock /srv/docker.sock\n"
        "kill $SERVER_PID; wait $SERVER_PID || true; rm /run/docker.sock; serve -- /run/docker.sock mode=0666",
        "/srv/docker.sock",
        *APP,
        "ECONNREFUSED",
        "ECONNREFUSED at /srv/docker.sock",
        "mount /srv/docker.sock again (restart the container), and its directory rather than the file",
        cure="umount /srv/docker.sock; mount --bind /run/docker.sock /srv/docker.sock",
        note="has been deleted or replaced where it was mounted from",
    ),
    Case(
        "directory-mounted",
        "The socket's directory is mounted, and its server was restarted",
        GITHUB + "spacechunks/explorer/pull/324",
        "mkdir /run/p /srv/p; serve -- /run/p/p.sock mode=0666; mount --bind /run/p /srv/p\n"
        "kill $SERVER_PID; wait $SERVER_PID || true; rm /run/p/p.sock; serve -- /run/p/p.sock mode=0666",
        "/srv/p/p.sock",
        *APP,
        "ok",
        "ok",
    ),
    Case(
        "sshfs-bind",
        "A program makes its socket beside its configuration, on sshfs",
        GITHUB + "libfuse/sshfs/issues/236",
        "mkdir -m 777 /srv/far /mnt/near; printf '#!/bin/sh\\nexec /usr/lib/openssh/sftp-server\\n' >$T/sftp\n"
        "chmod 755 $T/sftp; sshfs -o allow_other,ssh_command=$T/sftp h:/srv/far /mnt/near",
        "/mnt/near/app.sock",
        *APP,
        "EPERM",
        "EPERM at /mnt/near",
        "bind in a directory of another file system, such as one below /run",
        cure="mkdir -m 777 /run/app",
        there="/run/app/app.sock",
        operation="bind",
        needs=FUSE,
    ),
    Case(
        "sshfs-0700",
        "A directory 0700 of root's on sshfs, which does not hold anybody to that",
        "our issue: a directory 0700 on sshfs",
        "mkdir -m 777 /srv/far /mnt/near; printf '#!/bin/sh\\nexec /usr/lib/openssh/sftp-server\\n' >$T/sftp\n"
        "chmod 755 $T/sftp; mkdir -m 700 /srv/far/closed; touch /srv/far/closed/file\n"
        "sshfs -o allow_other,ssh_command=$T/sftp h:/srv/far /mnt/near",
        "/mnt/near/closed/file",
        *APP,
        "ECONNREFUSED",
        "ECONNREFUSED at /mnt/near/closed/file",
        needs=FUSE,
        note="the modes below /mnt/near are not the kernel's",
    ),
    Case(
        "fuse-mirror",
        "A socket of a real file system seen through a FUSE mount of it",
        GITHUB + "libfuse/libfuse/issues/1475",
        "mkdir -m 777 /srv/real /mnt/mirror; serve -- /srv/real/s.sock mode=0666; bindfs /srv/real /mnt/mirror",
        "/mnt/mirror/s.sock",
        *ROOT,
        "ECONNREFUSED",
        "ECONNREFUSED at /mnt/mirror/s.sock",
        "connect to /srv/real/s.sock",
        cure="true",
        there="/srv/real/s.sock",
        needs=FUSE,
    ),
    Case(
        "fuse-root",
        "Root and another user's FUSE mount without allow_other",
        GITHUB + "StrumentiResistenti/Tagsistant/issues/18",
        "mkdir -m 777 /srv/real /mnt/own; chown bob /mnt/own\n"
        "setpriv --reuid bob --regid bob --clear-groups bindfs --no-allow-other /srv/real /mnt/own\n"
        "serve as bob -- /mnt/own/s.sock mode=0666; echo SERVER=$SERVER_PID",
        "/mnt/own/s.sock",
        *ROOT,
        "EACCES",
        "EACCES at /mnt/own",
        "unmount it (fusermount3 -u /mnt/own) and mount it again with -o allow_other, which takes root or "
        "user_allow_other in /etc/fuse.conf",
        cure="kill {SERVER}; umount -l /mnt/own; rm /srv/real/s.sock; bindfs -o allow_other /srv/real /mnt/own\n"
        "serve as bob -- /mnt/own/s.sock mode=0666",
        needs=FUSE,
    ),
    Case(
        "fuse-stranger",
        "Another user's FUSE mount without allow_other",
        GITHUB + "yandex-cloud/geesefs/issues/33",
        "mkdir -m 777 /srv/real /mnt/own; chown bob /mnt/own\n"
        "setpriv --reuid bob --regid bob --clear-groups bindfs --no-allow-other /srv/real /mnt/own\n"
        "serve as bob -- /mnt/own/s.sock mode=0666",
        "/mnt/own/s.sock",
        *ALI,
        "EACCES",
        "EACCES at /mnt/own",
        "unmount it (fusermount3 -u /mnt/own) and mount it again with -o allow_other, which takes root or "
        "user_allow_other in /etc/fuse.conf",
        cure="umount -l /mnt/own; rm /srv/real/s.sock; bindfs -o allow_other /srv/real /mnt/own\n"
        "serve as bob -- /mnt/own/s.sock mode=0666",
        needs=FUSE,
    ),
    Case(
        "fuse-own",
        "Who mounted it, and a socket that was bound there",
        "our issue: bindfs --no-allow-other as bob",
        "mkdir -m 777 /srv/real /mnt/own; chown bob /mnt/own\n"
        "setpriv --reuid bob --regid bob --clear-groups bindfs --no-allow-other /srv/real /mnt/own\n"
        "serve as bob -- /mnt/own/s.sock mode=0666",
        "/mnt/own/s.sock",
        *BOB,
        "ok",
        "ok",
        needs=FUSE,
    ),
    Case(
        "fuse-dead",
        "A FUSE mount whose server has died",
        "our issue: file systems that are dead",
        "mkdir -m 777 /srv/real /mnt/dead; serve -- /srv/real/s.sock mode=0666\n"
        "bindfs -f -o allow_other /srv/real /mnt/dead & B=$!\n"
        "while ! grep -q /mnt/dead /proc/self/mountinfo; do sleep .02; done; kill -9 $B; wait $B || true",
        "/mnt/dead/s.sock",
        *APP,
        "ENOTCONN",
        "ENOTCONN at /mnt/dead",
        "umount -l /mnt/dead  # and mount it again",
        cure="umount -l /mnt/dead; mount --bind /srv/real /mnt/dead",
        needs=FUSE,
    ),
    Case(
        "agent-inject-0755",
        "An SSH agent's socket of root's, 0755, for a user of a container",
        GITHUB + "ensody/ssh-agent-inject/issues/5",
        "serve -- /tmp/.ssh-auth-sock",
        "/tmp/.ssh-auth-sock",
        *ALI,
        "EACCES",
        "EACCES at /tmp/.ssh-auth-sock",
        "setfacl -m u:ali:w /tmp/.ssh-auth-sock",
    ),
    Case(
        "buildkit-ssh-0600",
        "RUN --mount=type=ssh: the agent's socket is 0600 of root's",
        GITHUB + "moby/buildkit/issues/760",
        "mkdir /run/buildkit; serve -- /run/buildkit/ssh_agent.0 mode=0600",
        "/run/buildkit/ssh_agent.0",
        *APP,
        "EACCES",
        "EACCES at /run/buildkit/ssh_agent.0",
        "setfacl -m u:app:w /run/buildkit/ssh_agent.0",
        note="setfacl -d -m u:app:rw /run/buildkit",
    ),
    Case(
        "agent-cannot-bind",
        "An agent is to bind in a directory of root's",
        GITHUB + "whilp/ssh-agent/issues/15",
        "mkdir -p /srv/ssh/auth",
        "/srv/ssh/auth/sock",
        *ALI,
        "EACCES",
        "EACCES at /srv/ssh/auth",
        "setfacl -m u:ali:wx /srv/ssh/auth",
        operation="bind",
    ),
    Case(
        "tmux-foreign-directory",
        "/tmp/tmux-1000 belongs to an earlier user of that uid",
        GITHUB + "tmux/tmux/issues/1215",
        "mkdir -m 700 /tmp/tmux-1000; chown bob /tmp/tmux-1000",
        "/tmp/tmux-1000/default",
        *ALI,
        "EACCES",
        "EACCES at /tmp/tmux-1000",
        "setfacl -m u:ali:wx /tmp/tmux-1000",
        operation="bind",
    ),
    Case(
        "tmux-no-server",
        "No tmux server was ever started",
        GITHUB + "tmux/tmux/issues/2377",
        "true",
        "/tmp/tmux-1000/default",
        *ALI,
        "ENOENT",
        "ENOENT at /tmp/tmux-1000",
    ),
    Case(
        "tmux-read-only",
        "The old socket is still there, on a file system that has become read-only",
        GITHUB + "tmux/tmux/issues/3966",
        "mkdir -m 700 /tmp/tmux-0; dead /tmp/tmux-0/default; mount --bind /tmp/tmux-0 /tmp/tmux-0\n"
        "mount -o remount,bind,ro /tmp/tmux-0",
        "/tmp/tmux-0/default",
        *ROOT,
        "EADDRINUSE",
        "EADDRINUSE at /tmp/tmux-0/default",
        "mount -o remount,bind,rw /tmp/tmux-0 && rm /tmp/tmux-0/default",
        operation="bind",
    ),
    Case(
        "x11-abstract",
        "A sandbox without the network asks for the abstract name of the X server",
        GITHUB + "lxc/lxc/issues/1198",
        "serve -- @/tmp/.X11-unix/X7\nwaiting unshare --net setpriv --reuid ali --regid ali --init-groups",
        "@/tmp/.X11-unix/X7",
        ("--pid", "{PID}"),
        "nsenter --target {PID} --net setpriv --reuid ali --regid ali --init-groups",
        "ECONNREFUSED",
        "ECONNREFUSED at @/tmp/.X11-unix/X7",
        note="is held in another network namespace, by process",
    ),
    Case(
        "x11-sandbox-tmp",
        "A sandbox has an empty /tmp of its own, and the X server's socket is in the other one",
        GITHUB + "Kicksecure/sandbox-app-launcher/pull/8",
        "mkdir -m 1777 /tmp/.X11-unix; serve -- /tmp/.X11-unix/X0 mode=0777\n"
        "waiting unshare --mount sh -c 'mount -t tmpfs t /tmp; exec \"$@\"' sh",
        "/tmp/.X11-unix/X0",
        ("--pid", "{PID}"),
        "nsenter --target {PID} --mount",
        "ENOENT",
        "ENOENT at /tmp/.X11-unix",
        note="has a mount of its own over /tmp: outside of it, /tmp/.X11-unix exists",
    ),
    Case(
        "private-tmp",
        "A service with PrivateTmp=yes makes its socket in /tmp",
        "https://linux-audit.com/systemd/settings/units/privatetmp/",
        "printf '#!/bin/sh\\nmount -t tmpfs -o mode=1777 t /tmp; exec \"$@\"\\n' >$T/unit; chmod 755 $T/unit\n"
        "serve unshare --mount $T/unit -- /tmp/app.sock mode=0777",
        "/tmp/app.sock",
        *ALI,
        "ENOENT",
        "ENOENT at /tmp/app.sock",
        note="in mounts or a root directory of its own: from here it is /proc/",
    ),
    Case(
        "podman-leaked-runtime-directory",
        "After su, XDG_RUNTIME_DIR is still root's",
        GITHUB + "podman-container-tools/podman/issues/8052",
        "mkdir -p /run/user; mkdir -m 700 /run/user/0; mkdir /run/user/0/podman\n"
        "serve -- /run/user/0/podman/podman.sock mode=0666",
        "/run/user/0/podman/podman.sock",
        *ALI,
        "EACCES",
        "EACCES at /run/user/0",
        "setfacl -m u:ali:x /run/user/0",
    ),
    Case(
        "user-bus-as-root",
        "Root connects to a user's bus, which then refuses by itself",
        GITHUB + "systemd/systemd/issues/6249",
        "mkdir -p /run/user; mkdir -m 700 /run/user/1000; chown ali /run/user/1000\n"
        "serve as ali -- /run/user/1000/bus mode=0666 name=dbus-daemon",
        "/run/user/1000/bus",
        *ROOT,
        "ok",
        "ok",
        note="dbus-daemon looks at who connects, and may refuse by itself whom the kernel lets in",
    ),
    Case(
        "tmux-own-check",
        "A tmux server behind an open mode, which asks for the uid itself",
        "our issue: tmux's and others' own check behind an open mode",
        "mkdir /tmp/tmux-1000; chown ali /tmp/tmux-1000\n"
        "serve as ali -- /tmp/tmux-1000/default mode=0666 'name=tmux: server'",
        "/tmp/tmux-1000/default",
        *BOB,
        "ok",
        "ok",
        note="tmux: server looks at who connects, and may refuse by itself",
    ),
    Case(
        "user-bus-of-another",
        "Another user's bus",
        GITHUB + "emersion/mako/issues/238",
        "mkdir -p /run/user; mkdir -m 700 /run/user/1000; chown ali:ali /run/user/1000\n"
        "serve as ali -- /run/user/1000/bus mode=0666",
        "/run/user/1000/bus",
        *BOB,
        "EACCES",
        "EACCES at /run/user/1000",
        "setfacl -m u:bob:x /run/user/1000",
    ),
    Case(
        "containerd-root-only",
        "containerd.sock is root:root 0660",
        GITHUB + "kubernetes-sigs/cri-tools/issues/1049",
        "mkdir -m 711 /run/containerd; serve -- /run/containerd/containerd.sock mode=0660",
        "/run/containerd/containerd.sock",
        *ALI,
        "EACCES",
        "EACCES at /run/containerd/containerd.sock",
        "setfacl -m u:ali:w /run/containerd/containerd.sock",
    ),
    Case(
        "supervisor-stale",
        "supervisord has ended and left its socket",
        GITHUB + "Supervisor/supervisor/issues/654",
        "dead /run/supervisor.sock mode=0777",
        "/run/supervisor.sock",
        *ALI,
        "ECONNREFUSED",
        "ECONNREFUSED at /run/supervisor.sock",
        "start the server that listens on /run/supervisor.sock",
        cure="rm /run/supervisor.sock; serve -- /run/supervisor.sock mode=0777",
    ),
    Case(
        "supervisor-touched",
        "The socket was made by touch and chmod",
        GITHUB + "Supervisor/supervisor/issues/1409",
        "touch /run/supervisor.sock; chmod 777 /run/supervisor.sock",
        "/run/supervisor.sock",
        *ALI,
        "ECONNREFUSED",
        "ECONNREFUSED at /run/supervisor.sock",
    ),
    Case(
        "docker-sock-directory",
        "docker.sock is a directory that a mount has made",
        GITHUB + "moby/moby/issues/30348",
        "mkdir /run/docker.sock",
        "/run/docker.sock",
        *ROOT,
        "ECONNREFUSED",
        "ECONNREFUSED at /run/docker.sock",
    ),
    Case(
        "redis-0755",
        "unixsocketperm 755: to connect takes write permission",
        GITHUB + "redis/node-redis/issues/204",
        "mkdir /run/redis; chown redis /run/redis; serve as redis -- /run/redis/redis.sock mode=0755",
        "/run/redis/redis.sock",
        *APP,
        "EACCES",
        "EACCES at /run/redis/redis.sock",
        "setfacl -m u:app:w /run/redis/redis.sock",
    ),
    Case(
        "redis-group",
        "unixsocketperm 770, and the client is not in the group redis",
        GITHUB + "ar51an/unbound-redis/issues/14",
        "mkdir /run/redis; chown redis /run/redis\nserve as redis -- /run/redis/redis.sock mode=0770 name=redis-server",
        "/run/redis/redis.sock",
        *APP,
        "EACCES",
        "EACCES at /run/redis/redis.sock",
        "usermod -aG redis app  # and log in again",
    ),
    Case(
        "snapd-not-there",
        "snapd does not run",
        GITHUB + "canonical/snapcraft.io/issues/3610",
        "true",
        "/run/snapd.socket",
        *ALI,
        "ENOENT",
        "ENOENT at /run/snapd.socket",
    ),
    Case(
        "lxd-group",
        "LXD's socket is for its group",
        GITHUB + "conjure-up/conjure-up/issues/956",
        "mkdir -p /srv/lxd; serve -- /srv/lxd/unix.socket mode=0660 group=lxd",
        "/srv/lxd/unix.socket",
        *ALI,
        "EACCES",
        "EACCES at /srv/lxd/unix.socket",
        "usermod -aG lxd ali  # and log in again; members of lxd are as good as root (lxd)",
    ),
    Case(
        "ssh-linked",
        "A server binds a name of its own and links it to the one that is known, as ssh and supervisord do",
        GITHUB + "rpodgorny/unionfs-fuse/issues/46",
        "serve -- /run/s.sock.4711 mode=0666; ln /run/s.sock.4711 /run/s.sock; rm /run/s.sock.4711",
        "/run/s.sock",
        *ALI,
        "ok",
        "ok",
    ),
    *(
        Case(
            f"other-network-{how}",
            f"A server in another network namespace, by a {how} name",
            "our issue: who listens, exactly",
            setup,
            "/srv/d/s.sock",
            *ALI,
            "ok",
            "ok",
        )
        for how, setup in {
            "plain": "mkdir /srv/d; serve unshare --net -- /srv/d/s.sock mode=0666",
            "relative": "mkdir /srv/d; cd /srv/d; serve unshare --net -- s.sock mode=0666",
            "renamed": "mkdir /srv/d; serve unshare --net -- /srv/d/t mode=0666; mv /srv/d/t /srv/d/s.sock",
            "linked": "mkdir /srv/d; serve unshare --net -- /srv/d/t mode=0666; ln /srv/d/t /srv/d/s.sock; rm /srv/d/t",
            "pod's": "mkdir /srv/d; waiting unshare --net >$T/first; . $T/first\n"
            "printf '#!/bin/sh\\nmkdir -p /mnt/csi; mount --bind /srv/d /mnt/csi\\n"
            'exec "$@"\\n\' >$T/pod; chmod 755 $T/pod\n'
            "serve nsenter --target $PID --net unshare --mount $T/pod -- /mnt/csi/s.sock mode=0666",
        }.items()
    ),
    Case(
        "unit-read-only",
        "A unit sees its directory read-only (ProtectSystem=)",
        "our issue: a mount read-only by a unit",
        "mkdir -m 777 /srv/app; printf '#!/bin/sh\\nmount --bind /srv/app /srv/app\\n"
        'mount -o remount,bind,ro /srv/app; exec "$@"\\n\' >$T/unit; chmod 755 $T/unit\n'
        "waiting unshare --mount $T/unit setpriv --reuid app --regid app --init-groups",
        "/srv/app/app.sock",
        ("--pid", "{PID}"),
        "nsenter --target {PID} --mount setpriv --reuid app --regid app --init-groups",
        "EROFS",
        "EROFS at /srv/app",
        "nsenter --target {PID} --mount mount -o remount,bind,rw /srv/app",
        operation="bind",
    ),
    Case(
        "protect-home",
        "A unit with ProtectHome=tmpfs has an empty /run/user",
        "our issue: ProtectHome over /run/user",
        "mkdir -p /run/user/1000; serve -- /run/user/1000/bus mode=0666\n"
        "printf '#!/bin/sh\\nmount -t tmpfs t /run/user; exec \"$@\"\\n' >$T/unit; chmod 755 $T/unit\n"
        "waiting unshare --mount $T/unit",
        "/run/user/1000/bus",
        ("--pid", "{PID}"),
        "nsenter --target {PID} --mount",
        "ENOENT",
        "ENOENT at /run/user/1000",
        note="has a mount of its own over /run/user: outside of it, /run/user/1000 exists",
    ),
    Case(
        "umask-027",
        "The server's umask is 027",
        "our issue: umask 027 of the server",
        "mkdir /run/app; chown app /run/app; serve as app -- /run/app/app.sock umask=027",
        "/run/app/app.sock",
        *WWW,
        "EACCES",
        "EACCES at /run/app/app.sock",
        "setfacl -m u:www-data:w /run/app/app.sock",
    ),
    Case(
        "masked",
        "An ACL whose mask is empty: whom it had masked gets in by the fix too",
        "our issue: the mask",
        "serve -- /run/m.sock mode=0700; setfacl -n -m u:bob:rwx,m::--- /run/m.sock",
        "/run/m.sock",
        *WWW,
        "EACCES",
        "EACCES at /run/m.sock",
        "setfacl -m u:www-data:w /run/m.sock  (lets in bob too)",
    ),
    Case(
        "chroot-server",
        "A server in a chroot has its socket in its own /var/run",
        "our issue: a server in a chroot",
        "mkdir -p /srv/jail/var/run; serve -- /var/run/app.sock mode=0666 chroot=/srv/jail",
        "/var/run/app.sock",
        *ALI,
        "ENOENT",
        "ENOENT at /run/app.sock",
        note="in mounts or a root directory of its own: from here it is /proc/",
    ),
    Case(
        "process-root",
        "A path through the root directory of a process with other mounts",
        "our issue: /proc/PID/root",
        "printf '#!/bin/sh\\nmount -t tmpfs t /mnt; exec \"$@\"\\n' >$T/own; chmod 755 $T/own\n"
        "serve unshare --mount $T/own -- /mnt/s.sock; echo PID=$SERVER_PID",
        "/proc/{PID}/root/mnt/s.sock",
        *ROOT,
        "ok",
        "ok",
    ),
    Case(
        "process-root-of-more-power",
        "The same of a process with equal ids and a capability more",
        "our issue: sockets through /proc/PID/root with equal uid and more capabilities",
        "serve -- /srv/s.sock mode=0666\n"
        "waiting setpriv --reuid ali --regid ali --clear-groups --inh-caps=-all,+chown --ambient-caps=-all,+chown",
        "/proc/{PID}/root/srv/s.sock",
        *ALI,
        "EACCES",
        "EACCES at /proc/{PID}/root",
        "ask as root, who has CAP_SYS_PTRACE",
        cure="true",
        then="setpriv --reuid root",
        note="it has capabilities that the other lacks",
    ),
    Case(
        "process-root-of-equal",
        "The same of a process with equal ids and nothing more",
        "our issue: /proc/PID/root",
        "serve -- /srv/s.sock mode=0666\nwaiting setpriv --reuid ali --regid ali --clear-groups",
        "/proc/{PID}/root/srv/s.sock",
        *ALI,
        "ok",
        "ok",
    ),
)
