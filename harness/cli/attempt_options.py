"""The options by which `explain` and `capture` are told who wants to do what."""

from __future__ import annotations

import argparse
import posixpath
import sys
from typing import TYPE_CHECKING, get_args

from harness.engines.error import PlaceError
from harness.report.text import visible
from harness.world import OPERATIONS, Operation, SocketType

if TYPE_CHECKING:
    from harness.live.actor import Actor
    from harness.live.scene import Scene, Wanted


PATH_MEANS = "the path, or @NAME for an abstract socket"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Who, and what; the path is an argument of the command itself."""
    who = parser.add_argument_group("who (default: this process itself)")
    one = who.add_mutually_exclusive_group()
    who.add_argument(
        "--user",
        metavar="NAME",
        help="a user of this machine, as after a new login; with --as-container of that",
    )
    one.add_argument("--uid", metavar="N", type=int, help="a uid; with --gid and --groups")
    one.add_argument(
        "--unit", metavar="NAME", help="a systemd service: its main process, or while it does not run, as its files say"
    )
    one.add_argument("--pid", metavar="PID", type=int, help="a running process, with the groups it has now")
    one.add_argument(
        "--as-container", metavar="NAME", help="the first process of a running container; with --user, its docker exec"
    )
    who.add_argument("--gid", metavar="N", type=int, help="the gid that goes with --uid")
    who.add_argument("--groups", metavar="GROUP", nargs="+", help="supplementary groups that go with --uid")
    what = parser.add_argument_group("what")
    what.add_argument("--operation", choices=get_args(Operation), default="connect", help="default: connect")
    what.add_argument("--to", metavar="PATH", help="rename's second path")
    what.add_argument("--mode", metavar="MODE", type=_mode, help="the mode of chmod, create and mkdir, octal")
    what.add_argument(
        "--owner", metavar="[UID][:GID]", type=_owner, help="the owner, the group or both to which chown gives it"
    )
    what.add_argument(
        "--type", choices=get_args(SocketType), help="the type of the socket that connects (default: the listener's)"
    )


def _owner(text: str) -> tuple[int | None, int | None]:
    """Uid and gid, as chown(1) takes them by number."""
    uid, _, gid = text.partition(":")
    if not (uid or gid) or not all(part.isdecimal() for part in (uid, gid) if part):
        raise argparse.ArgumentTypeError(f"{text!r} is neither UID, :GID nor UID:GID")
    return int(uid) if uid else None, int(gid) if gid else None


def _actor(options: argparse.Namespace) -> Actor:
    """Who is meant. Raises ActorError or ProcessError."""
    from harness.live import actor
    from harness.live.actor import ActorError

    if options.uid is None and (options.gid is not None or options.groups):
        raise ActorError("--gid and --groups go with --uid")
    given = [name for name in ("uid", "pid", "unit") if getattr(options, name) is not None]
    if options.user is not None and given:
        raise ActorError(f"--user does not go with --{given[0]}")
    if options.unit is not None:
        from harness.live.unit import unit

        return unit(options.unit)
    if options.as_container is not None:
        from harness.live.container import in_container

        return in_container(options.as_container, options.user)
    if options.user is not None:
        return actor.user(options.user)
    if options.uid is not None:
        groups = [group for part in options.groups or () for group in part.split(",") if group]
        return actor.numbers(options.uid, options.gid, groups)
    if options.pid is not None:
        return actor.process(options.pid)
    return actor.myself()


def _wanted(options: argparse.Namespace, who: Actor) -> Wanted:
    """What is wanted. A relative path begins where a process stands; for anybody else it is made absolute.

    Raises ActorError if the options do not go together.
    """
    from harness.live.actor import ActorError, working_directory
    from harness.live.scene import Wanted

    if (options.to is None) == (options.operation == "rename"):
        raise ActorError("rename, and rename alone, has a second path: --to PATH")
    shape = OPERATIONS[options.operation]
    if options.mode is None and "mode" in shape.needs:
        raise ActorError(f"{options.operation} needs a mode: --mode MODE")
    if options.mode is not None and "mode" not in shape.keys:
        raise ActorError(f"{options.operation} has no mode: --mode goes with chmod, create and mkdir")
    if (options.owner is None) == (options.operation == "chown"):
        raise ActorError("chown, and chown alone, gives something to somebody: --owner UID, --owner :GID or both")
    paths = [options.path] if options.to is None else [options.path, options.to]
    if not all(paths):
        raise ActorError("an empty path names nothing")
    cwd = None
    if any(not path.startswith(("/", "@")) for path in paths):
        if who.stopped_unit is not None:
            raise ActorError("what does not run stands nowhere: give an absolute path")
        cwd = working_directory(who)
        if who.process is None:
            # Nobody of that name stands here: the whole way down to this directory is theirs to go.
            paths, cwd = [posixpath.join(cwd, path) for path in paths], None
    to = paths[1] if len(paths) > 1 else None
    owner, group = options.owner or (None, None)
    return Wanted(options.operation, paths[0], to, options.mode, options.type, cwd, owner, group)


def looked_up(options: argparse.Namespace) -> tuple[Actor, Scene] | None:
    """Who is meant, and what decides over what they want; `None`, and why on standard error, if that can't be told.

    Raises PlaceError on a system whose kernel does not tell as Linux does.
    """
    if sys.platform != "linux":
        import platform

        raise PlaceError(
            f"{options.command} reads what Linux tells of mounts and processes, and this is {platform.system()}: write "
            "a world, and `harness run` it"
        )
    from harness.live.actor import ActorError
    from harness.live.process import ProcessError
    from harness.live.scene import scene

    try:
        actor = _actor(options)
        return actor, scene(actor, _wanted(options, actor))
    except (ActorError, ProcessError) as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
    except OSError as error:
        print(f"harness: {visible(str(error.filename))} can't be looked at: {error.strerror}", file=sys.stderr)
    return None


def _mode(text: str) -> int:
    if not 1 <= len(text) <= 4 or set(text) - set("01234567"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a mode: write one to four octal digits")
    return int(text, 8)
