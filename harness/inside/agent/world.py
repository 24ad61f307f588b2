"""Building a world, and taking it away again."""

from __future__ import annotations

import errno
import functools
import os
import stat
from typing import TYPE_CHECKING

from harness.inside.agent import acl, mounts, policies
from harness.inside.agent.accounts import AccountFiles
from harness.inside.agent.errors import RefusalError
from harness.inside.agent.flags import InodeFlags
from harness.inside.agent.fuse import FuseMounts
from harness.inside.agent.networks import Networks
from harness.inside.agent.outside import Outside
from harness.inside.agent.scratch import KEPT, NOTHING_THERE, OF_THE_IMAGE, SCRATCH, remove
from harness.inside.agent.sockets import hold
from harness.inside.agent.standing import below, by_the_ids_of, in_network
from harness.inside.libc import MS_BIND, mount, unmount
from harness.inside.rows import AclRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inside.agent.sockets import HeldSocket
    from harness.inside.messages import EncodedNode, EncodedWorld


class Builder:
    """Makes a world and takes it away again. `sockets` are those that it holds, in the order of the nodes."""

    def __init__(self) -> None:
        self.sockets: list[HeldSocket] = []
        self._undo: list[Callable[[], None]] = []
        self._mounted = frozenset(mounts.mounted())
        self._has_mounts = False
        self._original = {path: _entries(path) for path in ("/", *OF_THE_IMAGE, *SCRATCH)}
        self._give_back_root = _giving_back("/")
        self._accounts = AccountFiles()
        self._fuse = FuseMounts()
        self._flags = InodeFlags()
        self._inherited: list[tuple[int, bytes]] = []
        self.networks = Networks()

    def build(self, world: EncodedWorld) -> None:
        """Make users, groups, nodes in order, then what mounts were asked to be (read-only, ...).

        Raises RefusalError.
        """
        self.clean()
        policies.hold(world)
        for path, mode in world["directories"].items():
            if not os.path.isdir(path) or os.path.islink(path):  # an image without it, or a world that moved it away
                remove(path)
                os.mkdir(path)
            for name in (acl.ACCESS, acl.DEFAULT):
                acl.give(path, None, name)  # a user of the world before may have moved another directory here
            policies.give(path, None)
            os.chown(path, 0, 0)
            os.chmod(path, mode)
        for path, target in world["links"].items():
            if not os.path.lexists(path):
                os.symlink(target, path)
        self._accounts.write(world)
        self.networks.show(world["networks"])
        self._links = world["links"]
        self._has_mounts = any(node["kind"] == "mount" for node in world["nodes"])
        for node in world["nodes"]:
            try:
                with by_the_ids_of(self._fuse.ids(node["path"])):
                    self._make(node)
            except OSError as error:
                where = "" if error.filename in (None, node["path"]) else f" at {error.filename}"
                raise RefusalError(
                    f"the {node['kind']} {node['path']} cannot be made here: {error.strerror or error}{where}"
                ) from None
        self._let_inherit()
        self._flags.set_all()
        for node in world["nodes"]:
            wanted = mounts.flags(node["options"]) if node["kind"] == "mount" else 0
            try:
                if wanted:
                    mounts.restrict(node["path"], wanted)
            except OSError as error:
                raise RefusalError(f"the mount {node['path']} cannot get its options: {error.strerror}") from None

    def clean(self) -> None:
        """Take away what the world made and what its users made of it; give back what was there before."""
        self._flags.clear_all()
        for each in self.sockets:
            each.close()
        self.sockets.clear()
        for number, path in reversed(mounts.mounted().items()):  # wherever a user of the world has moved them
            if number not in self._mounted:
                unmount(path)
        self._fuse.end()
        while self._undo:
            try:
                self._undo.pop()()
            except OSError as error:
                if error.errno not in NOTHING_THERE:  # else a user of the world was there first
                    raise
        self._take_away_what_is_left()

    def _take_away_what_is_left(self) -> None:
        """What nobody expected: a user may have moved a symlink, and another made something where it led then."""
        new = [
            os.path.join(path, name)
            for path, original in self._original.items()
            for name in _entries(path) - original  # of a directory that was new itself, nothing is left by then
            if os.path.join(path, name) != KEPT
        ]
        brought = tuple(f"{at}/" for at in mounts.mounted().values()) if new else ()
        for path in new:
            if not any(at.startswith(f"{path}/") for at in brought):
                remove(path)
        self._give_back_root()

    def _let_inherit(self) -> None:
        """Give directories their default ACLs, wherever they are by now. The nodes have inherited nothing of them."""
        while self._inherited:
            descriptor, inherited = self._inherited.pop()
            try:
                acl.give(descriptor, inherited, acl.DEFAULT)
            finally:
                os.close(descriptor)

    def let_go(self) -> None:
        """Take away what would keep others from taking the world away."""
        self._flags.clear_all()

    def expect_new(self, path: str, root: str | None) -> None:
        """A user is about to make something here: it goes away with the world, unless it was there before."""
        above, name = os.path.split(path.rstrip("/"))
        if name not in ("", ".", ".."):  # else nothing can come of it
            self._forget_later(os.path.join(_real(above or "/", root), name))

    def expect_file(self, path: str, root: str | None) -> None:
        """A user is about to make a file here, or where a symlink here leads: likewise."""
        self._forget_later(_real(path, root))

    def expect_change(self, path: str, root: str | None) -> None:
        """A user is about to change this one's mode or owner: give it back with the world."""
        real = _real(path, root)
        if os.path.exists(real):
            self._restore_later(real)

    def _forget_later(self, path: str) -> None:
        if not os.path.lexists(path) and not self._is_on_own_mount(path):
            self._undo.append(lambda: remove(path))

    def _restore_later(self, path: str) -> None:
        if not self._is_on_own_mount(path):
            self._undo.append(_giving_back(path))

    def _is_on_own_mount(self, path: str) -> bool:
        """Whether a mount of the world's shows it. That goes first, and what is there by this name then is another."""
        return self._has_mounts and mounts.shown_by(path)[0] not in self._mounted

    def _make_parents(self, path: str) -> None:
        parts = [part for part in path.split("/")[:-1] if part]
        here = ""
        for part in parts:
            here += "/" + part
            if not os.path.lexists(here):
                self._forget_later(here)
                os.mkdir(here)
                policies.give(here, None)
                os.chown(here, 0, 0)
                os.chmod(here, 0o755)

    def _make(self, node: EncodedNode) -> None:
        path, kind = node["path"], node["kind"]
        if path.startswith("@"):
            self._hold(node, "\0" + path[1:])
            return
        if kind == "absent":
            remove(path)
            return
        _expect_mapped("uid", node["owner"])
        _expect_mapped("gid", node["group"])
        self._make_parents(path)
        if kind == "mount":
            self._mount(node)
            if node["fs"] != "tmpfs":
                return
        elif kind == "directory" and os.path.isdir(path) and not os.path.islink(path):
            self._restore_later(path)
        else:
            if os.path.islink(path) and os.readlink(path) == self._links.get(path):
                os.unlink(path)  # the node stands in its place
            if os.path.lexists(path):
                raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            self._forget_later(path)
            if kind == "symlink":
                os.symlink(node["target"] or "", path)
                policies.give(path, node["label"])
                os.lchown(path, node["owner"], node["group"])
                return
            if kind == "directory":
                os.mkdir(path)
            elif kind == "fifo":
                os.mkfifo(path, 0o600)
            elif kind == "file":
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            else:
                self._hold(node, path)
        os.chown(path, node["owner"], node["group"])
        os.chmod(path, node["mode"])
        if node["acl"]:
            acl.give(path, acl.encoded(map(AclRow._make, node["acl"])))
        if node["default_acl"]:
            inherited = acl.encoded(map(AclRow._make, node["default_acl"]))
            self._inherited.append((os.open(path, os.O_RDONLY | os.O_CLOEXEC), inherited))
        policies.give(path, node["label"])
        self._flags.expect(path, node["flags"])

    def _mount(self, node: EncodedNode) -> None:
        path = node["path"]
        source = mounts.source(path, node["options"])
        if node["fs"] != "tmpfs":
            self._expect_own(path, source)
        if not os.path.lexists(path):
            self._forget_later(path)
            if node["fs"] == "tmpfs" or os.path.isdir(source):
                os.mkdir(path, 0o755)
            else:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
            policies.give(path, None)
            os.chown(path, 0, 0)
            os.chmod(path, 0o755 if os.path.isdir(path) else 0o644)  # what it is in may be setgid
        if node["fs"] == "fuse":
            ids = node["owner"], node["group"]
            self._fuse.mount(source, path, ids, allow_other="allow_other" in node["options"])
        elif node["fs"] == "bind":
            mount(source, path, None, MS_BIND)
        else:
            mount("tmpfs", path, "tmpfs", 0)

    def _expect_own(self, path: str, source: str) -> None:
        """Raises RefusalError for a source that was brought into the place: a world binds what a world has made."""
        number, at = mounts.shown_by(source)
        if number in self._mounted and at != "/":
            raise RefusalError(
                f"the mount {path} cannot be made here: its source {source} was brought into the place at {at}; bind "
                "what a node has made"
            )

    def _hold(self, node: EncodedNode, path: str) -> None:
        root = node["root"]
        if root is not None:
            path = path[len(root) :]
        network = None if node["network"] is None else self.networks.descriptor(node["network"])
        with policies.sockets_of(node["domain"]), in_network(self.networks.own, network), below(root):
            held = hold(path, node["type"], node["state"], f".{len(self.sockets)}")
        if held is not None:
            self.sockets.append(held)


def _real(path: str, root: str | None) -> str:
    """What a path leads to for who has that root directory, as it is called outside of it."""
    try:
        with below(root):
            real = os.path.realpath(path)
    except OSError:  # nobody gets in there, so nothing will come of it
        return path
    return real if root is None else os.path.realpath(root).rstrip("/") + real


def _giving_back(path: str) -> Callable[[], None]:
    """What gives the thing at a path the owner, mode and ACLs that it has now, if it is there still. Raises OSError."""
    was = os.stat(path)
    acls = {name: acl.of(path, name) for name in (acl.ACCESS, acl.DEFAULT)}

    def give_back() -> None:
        if not os.path.samestat(os.stat(path), was):
            return  # a user of the world has put something else there
        os.chown(path, was.st_uid, was.st_gid)
        os.chmod(path, stat.S_IMODE(was.st_mode))
        for name, had in acls.items():
            acl.give(path, had, name)

    return give_back


def _entries(path: str) -> frozenset[str]:
    return frozenset(os.listdir(path) if os.path.isdir(path) else ())


def _expect_mapped(kind: str, number: int) -> None:
    """Raises OSError with a sentence for a uid or gid that no file of this place can have."""
    ranges = _mapped(kind)
    if ranges and not any(number in each for each in ranges):
        last = max(each.stop for each in ranges) - 1
        raise OSError(errno.EINVAL, f"{kind} {number} is not one of this place's, which end at {last}")


@functools.cache
def _mapped(kind: str) -> list[range]:
    """The uids or gids that this user namespace has (user_namespaces(7)); nothing where there is no such file."""
    try:
        rows = [line.split() for line in Outside.read(f"/proc/self/{kind}_map").splitlines()]
    except FileNotFoundError:
        return []
    return [range(int(first), int(first) + int(count)) for first, _, count in rows]
