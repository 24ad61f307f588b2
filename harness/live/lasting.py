"""What outlasts a server's next bind: its own options for the mode and the group of its socket, or systemd's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.live.process import unit_of
from harness.oracle import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.live.listener import Holder

OPTIONS: Final[Mapping[str, str]] = {
    "containerd": "gid in the section [grpc] of its config.toml",
    "dockerd": "its option --group, or group in daemon.json",
    "gunicorn": "its option --umask, and --group",
    "haproxy": "mode, user and group after the path in its bind line",
    "memcached": "its option -a (mode)",
    "observatory": "its options --mode and --group",
    "php-fpm": "listen.mode, listen.owner and listen.group of its pool, or listen.acl_users",
    "postgres": "unix_socket_permissions and unix_socket_group in postgresql.conf",
    "redis-server": "unixsocketperm in redis.conf",
    "supervisord": "chmod and chown in its section [unix_http_server]",
    "uwsgi": "its options chmod-socket and chown-socket",
}
"""By the name of the program, from its manual. MySQL's and nginx's sockets are always open to all."""


def lasting(held: Sequence[Holder], directory: str, user: str, *, lists: bool) -> str:
    """What to change so that the server's next socket lets somebody in too, as half a sentence."""
    ways: list[str] = []
    for one in held:
        option = next((text for name, text in OPTIONS.items() if one.name.startswith(name)), None)
        if option is not None:
            ways.append(f"{option} (of {one.name})")
            break
    units = {unit for one in held if (unit := unit_of(one.pid)) is not None}
    if any(one.pid == 1 and one.name == "systemd" for one in held):
        ways.append("SocketMode= and SocketGroup= by systemctl edit of its .socket unit")
    elif units:
        ways.append(f"UMask= and Group= by systemctl edit {quoted(min(units))}")
    if not ways and lists:
        rule = f"setfacl -d -m u:{user}:rw {quoted(directory)}"
        ways.append(f"a umask of the server that leaves the group's bits (0007), and {rule} for what is made there")
    if not ways:
        ways.append(f"the umask and the group that its server has, or the group and setgid of {quoted(directory)}")
    return ", or ".join(ways)
