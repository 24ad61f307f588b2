"""The users and groups of a world in /etc/passwd and /etc/group, beside those that the place has by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.inside.agent.errors import RefusalError

if TYPE_CHECKING:
    from harness.inside.messages import EncodedWorld

PASSWD, GROUP = "/etc/passwd", "/etc/group"


class Accounts:
    """Both files, as they were in the beginning and as a world wants them."""

    def __init__(self) -> None:
        self._original = {path: _read(path) for path in (PASSWD, GROUP)}

    def write(self, world: EncodedWorld) -> None:
        """Have the world's users and groups, and those of other names that were there. Raises RefusalError."""
        users = [
            f"{user['name']}:x:{user['uid']}:{user['gid']}::"
            f"{'/root' if user['uid'] == 0 else '/home/' + user['name']}:/bin/sh"
            for user in world["users"]
        ]
        groups = [
            f"{name}:x:{gid}:" + ",".join(user["name"] for user in world["users"] if gid in user["groups"])
            for name, gid in world["groups"].items()
        ]
        self._write(PASSWD, users, {user["name"] for user in world["users"]})
        self._write(GROUP, groups, set(world["groups"]))

    def _write(self, path: str, lines: list[str], taken: set[str]) -> None:
        kept = [line for line in self._original[path].splitlines() if line.split(":")[0] not in taken]
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join([*kept, *lines]) + "\n")
        except OSError as error:
            raise RefusalError(f"{path} cannot be written in this place: {error.strerror}") from None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
