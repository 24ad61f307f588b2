"""What SELinux's policy allows the domain of a process, by the rules of `harness.world.policy`.

That a directory may be searched, a symlink read and something written to is asked where permission for it is
(`Lookup.allow`). Here is the rest: security/selinux/hooks.c, unless another source is given.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.oracle.steps.trial import size_of, step
from harness.world.policy import SOCKETS, missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.oracle.lookup import Ending
    from harness.oracle.steps.trial import Trial
    from harness.world import Operation

ADDRESS = 126
"""Bytes of a path that sockaddr_storage takes: longer ones are refused first (net/socket.c, `move_addr_to_kernel`)."""


def may_have_sockets(trial: Trial) -> bool:
    """Whether no policy takes the making of Unix sockets away."""
    held = trial.principal.confined
    return held is None or held.selinux is None or not missing(held.selinux, "self", _kind(trial), ("create",))


def _kind(trial: Trial) -> str:
    return SOCKETS[trial.attempt.type]


def _expect_of_its_own(trial: Trial, permission: str) -> None:
    trial.at = trial.attempt.path
    trial.lookup.ask("self", _kind(trial), (permission,), trial.at, "a socket of its own")


@step
def policy_makes_sockets(trial: Trial) -> None:
    """A socket of this class may be made (`selinux_socket_create`)."""
    _expect_of_its_own(trial, "create")


@step
def policy_lets_call(trial: Trial) -> None:
    """The socket may connect or bind, wherever to (`selinux_socket_connect`, `selinux_socket_bind`)."""
    if size_of(trial.attempt.path) <= ADDRESS:
        _expect_of_its_own(trial, trial.attempt.operation)


@step
def policy_connects(trial: Trial) -> None:
    """Whoever made the other socket may be connected to (`selinux_socket_unix_stream_connect`, `.._may_send`)."""
    attempt = trial.attempt
    name = (attempt.path, attempt.type, attempt.network)
    domain = trial.system.domains.get(name) if trial.found is None else trial.inode.domain
    permission = "sendto" if attempt.type == "dgram" else "connectto"
    trial.lookup.ask(domain, _kind(trial), (permission,), trial.at, f"the socket of {trial.at}")


@step
def policy_makes(trial: Trial) -> None:
    """The directory may get a name, and what is made, which has its type, may be made (`may_create`)."""
    trial.lookup.allow(trial.last.directory, "add_name", "search")
    _expect_of_new(trial, _MADE[trial.attempt.operation], "create")


_MADE: Final[Mapping[Operation, str]] = MappingProxyType({"bind": "sock_file", "create": "file", "mkdir": "dir"})


def _expect_of_new(trial: Trial, kind: str, permission: str) -> None:
    trial.lookup.ask(trial.directory(trial.last).label, kind, (permission,), trial.last.path)


@step
def policy_opens_new(trial: Trial) -> None:
    """What was made may be written to: it stays where that is refused (`selinux_file_open`)."""
    _expect_of_new(trial, "file", "write")


@step
def policy_executes(trial: Trial) -> None:
    """The program may be opened for reading, and run in the same domain (`selinux_bprm_creds_for_exec`)."""
    trial.lookup.allow(trial.spot, "read")
    trial.lookup.allow(trial.spot, "execute_no_trans")


@step
def policy_takes(trial: Trial) -> None:
    """The directory may lose a name, and the thing may be unlinked (`may_link`)."""
    trial.lookup.allow(trial.last.directory, "remove_name", "search")
    trial.lookup.allow(trial.place(trial.last), "unlink")


@step
def policy_moves(trial: Trial) -> None:
    """Both directories and both things are asked about (`may_rename`)."""
    here, there = trial.last, trial.target
    moved = trial.place(here)
    trial.lookup.allow(here.directory, "remove_name", "search")
    trial.lookup.allow(moved, "rename")
    if _is_directory(trial, here) and here.directory.inode != there.directory.inode:
        trial.lookup.allow(moved, "reparent")
    replaces = trial.entry(there) is not None
    trial.lookup.allow(there.directory, "add_name", "search", *(("remove_name",) if replaces else ()))
    if replaces:
        trial.lookup.allow(trial.place(there), "rmdir" if _is_directory(trial, there) else "unlink")


def _is_directory(trial: Trial, ending: Ending) -> bool:
    return trial.victim(ending)[1].kind == "directory"


@step
def policy_changes(trial: Trial) -> None:
    """Its mode or owner may be changed (`selinux_inode_setattr`, before it counts whose it is)."""
    trial.lookup.allow(trial.spot, "setattr")


@step
def policy_shows(trial: Trial) -> None:
    """It may be looked at (`selinux_inode_getattr`), as opendir(3) does with what it has opened."""
    trial.lookup.allow(trial.spot, "getattr")


@step
def policy_reads_link(trial: Trial) -> None:
    """The symlink may be read (`selinux_inode_readlink`)."""
    trial.lookup.allow(trial.spot, "read")
