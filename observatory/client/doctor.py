"""Does it work, for this user, on this machine? Each question is answered by trying, or by looking at the files.

Every diagnosis is one line: that something is as it should be, or what is wrong and what to do.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import secrets
import shlex
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from observatory.address import private_socket
from observatory.client.client import Client
from observatory.client.diagnosis import Diagnosis
from observatory.client.installed_hooks import look, trial_command
from observatory.errors import ExitStatus, ObservatoryError
from observatory.hooks.command import Recipient, hook_command
from observatory.hooks.program import client_version
from observatory.identity import known_uid
from observatory.identity.names import group_name, user_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TRIAL: Final = "ObservatoryDoctor"
"""The name of the event that is sent to see whether one arrives."""

SHELLS: Final = frozenset({"sh", "bash", "zsh"})
"""Shells by which the client runs hooks."""

HOOK_SECONDS: Final = 1.0
"""A hook that takes longer holds up its session."""


def examine(socket: str, server_uids: frozenset[int], settings: Sequence[Path]) -> Iterator[Diagnosis]:
    """Look at everything between a hook and the store. `settings` are the `.claude` directories of the user and of the
    project.
    """
    trusted = server_uids | {0, os.geteuid()}
    path = Path(socket).absolute()
    yield from _socket(path, trusted)
    yield from _directories(path, trusted)
    client = Client(socket, server_uids)
    server = _server(client, path)
    yield server
    yield _curl()
    hooks, running = look(str(path), settings, client_version(), server_uids)
    yield hooks
    if server.error is None:
        command = trial_command(str(path), running, TRIAL)
        environment = {} if running is None else dict(running.environment)
        default = hook_command(TRIAL, Recipient(str(path), tuple(sorted(server_uids))))
        yield _trial(client, str(path), command or default, environment)


def _socket(path: Path, trusted: frozenset[int]) -> Iterator[Diagnosis]:
    try:
        found = path.lstat()
    except FileNotFoundError:
        yield Diagnosis("socket", False, f"there is no {path}; start a server with `observatory serve`")
        return
    except OSError as error:
        yield Diagnosis("socket", False, f"{path} can't be looked at: {error.strerror}")
        return
    if stat.S_ISLNK(found.st_mode):
        yield Diagnosis(
            "socket",
            False,
            f"{path} is a symbolic link, which its owner could point elsewhere at any time, so hooks don't follow it; "
            f"name the socket itself: {path.resolve()}",
        )
        return
    if not stat.S_ISSOCK(found.st_mode):
        yield Diagnosis(
            "socket", False, f"{path} is not a socket; name a server's by --socket, or move it away and start a server"
        )
        return
    if _is_unmapped(found.st_uid):
        yield Diagnosis("socket", False, f"{path} {_UNMAPPED}, so hooks send nothing there")
        return
    owner, group, mode = user_name(found.st_uid), group_name(found.st_gid), stat.S_IMODE(found.st_mode)
    if found.st_uid not in trusted:
        yield Diagnosis(
            "socket",
            False,
            f"{path} was made by {owner}, not by you or root, so hooks send nothing there; if you trust {owner}, say "
            f"--server-user {owner} here and to install-hooks",
        )
        return
    yield Diagnosis("socket", True, f"{path} is a socket with mode {mode:04o}, owner {owner}, group {group}")
    who = _reach(path, found)
    if _may(path, os.W_OK):
        yield Diagnosis("reach", True, who)
    else:
        yield Diagnosis("reach", False, f"{who}; but not you, {user_name(os.geteuid())}: see below, at `server`")


_UNMAPPED: Final = (
    "belongs to a user who has no number in this user namespace, as any of several may (`nobody` stands for all of "
    "them and can't be trusted); run this, and the sessions, outside of the container, or map the owner's uid into it"
)


def _is_unmapped(uid: int) -> bool:
    """Whether a file's owner may be anybody without a number here."""
    return known_uid(uid) is None


def _may(path: Path, mode: int) -> bool:
    """Whether the kernel lets this user do that, by all that it asks but for a security module."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _reach(path: Path, found: os.stat_result) -> str:
    """Who may connect, by the mode bits: that takes write permission on the socket, and search on each directory."""
    if found.st_mode & stat.S_IWOTH:
        who = "everybody on this machine"
    else:
        owner = [f"{user_name(found.st_uid)} (its owner)"] if found.st_mode & stat.S_IWUSR else []
        group = [_group(found.st_gid)] if found.st_mode & stat.S_IWGRP else []
        who = ", ".join(dict.fromkeys(["root", *owner, *group]))
    text = f"may connect: {who}"
    closed = [directory for directory in _above(path) if not directory.stat().st_mode & stat.S_IXOTH]
    if closed:
        text += "".join(
            f"; of those, {directory} lets through {', '.join(_searchers(directory.stat()))}" for directory in closed
        )
    if sys.platform == "linux" and any("posix_acl" in name for name in os.listxattr(path)):
        text += "; its access control list says more: see getfacl"
    return text


def _above(path: Path) -> tuple[Path, ...]:
    """The directories that lead to a socket, nearest first, where they really are."""
    parent = Path(os.path.realpath(path.parent))
    return parent, *parent.parents


def _searchers(found: os.stat_result) -> list[str]:
    owner = [user_name(found.st_uid)] if found.st_mode & stat.S_IXUSR else []
    group = [_group(found.st_gid)] if found.st_mode & stat.S_IXGRP else []
    return list(dict.fromkeys(["root", *owner, *group]))


def _group(gid: int) -> str:
    return f"group {group_name(gid)} ({', '.join(sorted(_members(gid))) or 'nobody is in it'})"


def _members(gid: int) -> set[str]:
    """Those who are in a group: named there, or having it as their own."""
    try:
        named = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        named = set()
    return named | {user.pw_name for user in pwd.getpwall() if user.pw_gid == gid}


def _directories(path: Path, trusted: frozenset[int]) -> Iterator[Diagnosis]:
    """Can every directory above be searched, and may nobody else change what is in it?"""
    for directory in reversed(_above(path)):
        try:
            found = directory.stat()
        except FileNotFoundError:
            yield Diagnosis("directories", False, f"there is no directory {directory}")
            return
        except PermissionError:
            yield Diagnosis(
                "directories", False, f"{directory} can't be seen: a directory above it can't be searched by you"
            )
            return
        if not _may(directory, os.X_OK):
            yield Diagnosis("directories", False, _closed(directory, found))
            return
        if _is_unmapped(found.st_uid):
            yield Diagnosis("directories", False, f"{directory} {_UNMAPPED}, who can put another socket at {path}")
            return
        if found.st_uid not in trusted:
            yield Diagnosis(
                "directories",
                False,
                f"{directory} belongs to {user_name(found.st_uid)}, who can put another socket at {path}; choose a "
                f"directory of root's or your own",
            )
            return
        if not found.st_mode & stat.S_ISVTX and (who := _writers(found, trusted)):
            yield Diagnosis(
                "directories",
                False,
                f"{directory} can be written by {who} and has no sticky bit, so another socket can be put at {path}; "
                f"`chmod +t {directory}`, or choose another directory",
            )
            return
    how = "and nobody else can replace it"
    if (who := _binders(path.parent, trusted)) is not None:
        private = Path(private_socket(str(path))).parent
        how = f"and hooks send by way of {private}, since {who} may make sockets in {path.parent}"
        if not _is_private(private, trusted):
            yield Diagnosis(
                "directories",
                False,
                f"{who} may make sockets in {path.parent}, and while no server runs the name of this one is free, so "
                f"hooks send only by way of {private}, which is not there or not its server's alone; start the server "
                f"again, see what it says of that, or choose another directory",
            )
            return
    yield Diagnosis("directories", True, f"you can search every directory above {path}, {how}")


def _closed(directory: Path, found: os.stat_result) -> str:
    return (
        f"{directory} ({_mode_and_owners(found)}) can't be searched by you, so nothing below it can be reached; its "
        f"owner can change that with chmod or chgrp"
    )


def _mode_and_owners(found: os.stat_result) -> str:
    return f"mode {stat.S_IMODE(found.st_mode):04o}, {user_name(found.st_uid)}:{group_name(found.st_gid)}"


def _binders(directory: Path, trusted: frozenset[int]) -> str | None:
    """Who may make sockets in a directory and should not be able to."""
    found = directory.stat()
    if (who := _writers(found, trusted)) is not None:
        return who
    # The group of a directory that is not one's own counts in any case: the hook doesn't ask who is in it.
    return _group(found.st_gid) if found.st_mode & stat.S_IWGRP and found.st_uid != os.geteuid() else None


def _is_private(directory: Path, trusted: frozenset[int]) -> bool:
    try:
        found = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid in trusted and _binders(directory, trusted) is None


def _writers(found: os.stat_result, trusted: frozenset[int]) -> str | None:
    """Who may write in a directory and should not be able to."""
    if found.st_mode & stat.S_IWOTH:
        return "everybody"
    if found.st_mode & stat.S_IWGRP and _members(found.st_gid) - {user_name(uid) for uid in trusted}:
        return _group(found.st_gid)
    return None


def _server(client: Client, path: Path) -> Diagnosis:
    """Is it there, does it answer, and does it see who asks?"""
    try:
        uid = client.whoami().get("uid")
    except ObservatoryError as error:
        refused = isinstance(error.__cause__, PermissionError)
        sentence = f"you may not connect to {path}: {_in_the_way(path)}" if refused else str(error)
        return Diagnosis("server", False, sentence, error)
    own = os.geteuid()
    if uid == own:
        return Diagnosis("server", True, f"it answers, and sees you as {user_name(own)} (uid {own})")
    seen = "unknown" if uid is None else f"uid {uid}"
    return Diagnosis(
        "server",
        False,
        f"it answers, but sees you as {seen} where you are uid {own}: it runs in another user namespace; run it "
        f"outside of the container",
    )


def _in_the_way(path: Path) -> str:
    """What keeps this user from a socket, and what to do about it."""
    socket = Path(os.path.realpath(path))
    for directory in reversed(socket.parents):
        if not _may(directory, os.X_OK):
            return _closed(directory, directory.stat())
    if not _may(socket, os.W_OK):
        found = socket.stat()
        what = f"its permissions ({_mode_and_owners(found)}) don't let you, {user_name(os.geteuid())}, write to it"
        return f"{what}; {_admission(socket, found)}"
    return (
        f"its mode and the directories above it would let you, so a security module such as SELinux or AppArmor does "
        f"not; the system's audit log has its refusals, and `harness explain {shlex.quote(str(path))}` what it knows"
    )


def _admission(path: Path, found: os.stat_result) -> str:
    """How this user could come to write to a socket, given that its permissions do not allow it."""
    uid = os.geteuid()
    owner, group, user = user_name(found.st_uid), group_name(found.st_gid), user_name(uid)
    if found.st_uid == uid:
        return f"it is your own: `chmod u+w {shlex.quote(str(path))}`"
    if not found.st_mode & stat.S_IWGRP:
        return f"{owner} can start the server with --mode 0660 and a --group that you are in (`id -Gn` lists yours)"
    if found.st_gid in {os.getegid(), *os.getgroups()}:
        return f"you are in {group}, so it is an access control list that keeps you out, which {owner} can change"
    if user in _members(found.st_gid):
        return f"{group} has you in it, and not yet what you run: log in again, or begin a shell by `newgrp {group}`"
    join = f"; or root can add you to {group} (log in again then)" if found.st_gid else ""
    return f"{owner} can start the server with a --group that you are in (`id -Gn` lists yours){join}"


def _curl() -> Diagnosis:
    path = shutil.which("curl")
    if path is None:
        install = "macOS has one in /usr/bin" if sys.platform == "darwin" else "Debian: `apt install curl`"
        return Diagnosis("curl", False, f"there is no curl, by which hooks send; install it ({install})")
    said = subprocess.run([path, "-q", "--version"], capture_output=True, text=True, check=False).stdout
    if "UnixSockets" not in said:
        return Diagnosis("curl", False, f"{path} can't speak to a Unix socket; install a curl that can (7.40 or newer)")
    return Diagnosis("curl", True, f"{path} speaks to Unix sockets ({said.split(' (')[0]})")


def _shell() -> str:
    """The shell by which the client runs hooks: the user's, if it is one that it knows."""
    shell = os.environ.get("SHELL", "")
    return shell if os.path.basename(shell) in SHELLS and os.access(shell, os.X_OK) else "sh"


def _trial(client: Client, socket: str, command: str, environment: Mapping[str, str]) -> Diagnosis:
    """Send an event by a hook's command, as the client runs it, and look whether it has arrived."""
    mark = f"trial-{secrets.token_hex(8)}"
    body = json.dumps({"hook_event_name": TRIAL, "tool_name": mark})
    started = time.monotonic()
    subprocess.run(
        [_shell(), "-c", command],
        input=body,
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        check=False,
    )
    took = time.monotonic() - started
    try:
        arrived = list(client.events({"event": TRIAL, "tool": mark}))
    except ObservatoryError as error:
        return Diagnosis("event", False, str(error), error)
    if len(arrived) != 1 or arrived[0].get("_peer_uid") != os.geteuid():
        return Diagnosis(
            "event", False, f"one that was sent by a hook's command has not arrived at {socket}; see its log"
        )
    if took > HOOK_SECONDS:
        return Diagnosis(
            "event", False, f"one took {took:.1f} s to arrive, which holds up every session; is the machine busy?"
        )
    return Diagnosis(
        "event", True, f"one sent by a hook's command arrived in {took * 1000:.0f} ms, as number {arrived[0]['_id']}"
    )


def exit_status(diagnoses: Sequence[Diagnosis]) -> ExitStatus:
    """How it ends: what stands most in the way decides, and without any trouble it is done."""
    troubles = [diagnosis for diagnosis in diagnoses if not diagnosis.ok]
    if not troubles:
        return ExitStatus.DONE
    statuses = {diagnosis.error.status for diagnosis in troubles if diagnosis.error is not None}
    worst = (status for status in (ExitStatus.NOT_PERMITTED, ExitStatus.UNAVAILABLE) if status in statuses)
    return next(worst, ExitStatus.FAILED)
