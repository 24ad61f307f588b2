"""What the oracle says of an attempt. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.oracle.rules import Layer

Class = Literal["owner", "group", "other", "acl user", "acl group", "capability"]


@dataclass(frozen=True, slots=True)
class Change:
    """One small change that would turn a refusal into a success.

    `what` names its kind (`chmod`, `chgrp`, `chown`, `acl`, `membership`, `listen`, ...), `path` the node (or
    `None` for a membership), `text` a command or sentence for a person, `widens` how many of the world's other
    principals gain access by it: the smaller, the better. `admits` says who that is: `everybody`, or users by name and
    `all of the group NAME`.
    """

    what: str
    path: str | None
    text: str
    widens: int
    admits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome that a kernel with the given rules gives an attempt, and why.

    `outcome` is `ok` or an errno's name. `at` is the path component that decides (for `ok`, the object itself):
    an absolute path with symlinks resolved up to that component. `applied` is the class whose bits counted there and
    `because` why that class ("uid 1500 is not the owner 0; gid 1001 is not the group 999"). `needs` and `has`
    are permission letters such as `x` or `w`, empty where no permission was at stake. `why` is in sentences. `layer` is
    what refused. `seen` is what a stat that is ok tells: kind and mode as ls(1) writes them, uid and gid.
    """

    outcome: str
    at: str
    applied: Class | None
    because: str
    needs: str
    has: str
    why: str
    changes: tuple[Change, ...] = ()
    layer: Layer | None = None
    seen: str | None = None
