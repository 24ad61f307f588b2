"""Rules of an SELinux domain, as a world says them: what stands behind the domain's name in an `allow` of its policy.

`TYPE:CLASS PERMISSION ...`, such as `run_t:dir search write`: what a node of that type (its `label`) may have done to
it, or a socket whose maker was of that type (its `domain`); `self` is the domain itself, of whose type its own sockets
are. `permissive`: what is not allowed is recorded and not refused. Whatever no node gives a type is open to all.
"""

from __future__ import annotations

import functools
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.world.model import SocketType

PERMISSIVE: Final = "permissive"
OF_FILES: Final = ("read", "write", "getattr", "setattr", "rename")
OF_SOCKETS: Final = ("create", "connect", "bind")
CLASSES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "dir": (*OF_FILES, "search", "add_name", "remove_name", "reparent", "rmdir", "create"),
        "sock_file": (*OF_FILES, "unlink", "create"),
        "file": (*OF_FILES, "unlink", "create", "execute", "execute_no_trans"),
        "fifo_file": (*OF_FILES, "unlink"),
        "lnk_file": ("read", "unlink", "rename"),
        "unix_stream_socket": (*OF_SOCKETS, "connectto"),
        "unix_dgram_socket": (*OF_SOCKETS, "sendto"),
    }
)
"""The classes of which a world says something, with the permissions that it knows: all others are always given."""
SOCKETS: Final[Mapping[SocketType, str]] = MappingProxyType(
    {"stream": "unix_stream_socket", "seqpacket": "unix_stream_socket", "dgram": "unix_dgram_socket"}
)
"""The class of a socket of each type (`socket_type_to_security_class` in security/selinux/hooks.c)."""
TYPE: Final = re.compile(r"(?!harness_)[a-z][a-z0-9_]{0,60}_t")
"""What a type's name looks like."""


def _of_classes(names: Iterable[str]) -> str:
    return "|".join(f"{name}(?: (?:{'|'.join(CLASSES[name])}))+" for name in names)


RULE: Final = re.compile(
    rf"{PERMISSIVE}|self:(?:{_of_classes(dict.fromkeys(SOCKETS.values()))})|{TYPE.pattern}:(?:{_of_classes(CLASSES)})"
)
"""What a rule looks like."""


def missing(rules: tuple[str, ...], target: str, kind: str, permissions: Iterable[str]) -> tuple[str, ...]:
    """Those permissions that a domain is refused: to a type, as one of a class."""
    allowed, permissive = _read(rules)
    if permissive:
        return ()
    given = allowed.get((target, kind), frozenset())
    return tuple(name for name in permissions if name in CLASSES[kind] and name not in given)


@functools.lru_cache
def _read(rules: tuple[str, ...]) -> tuple[Mapping[tuple[str, str], frozenset[str]], bool]:
    """What is allowed, by type and class; and whether the domain is permissive."""
    allowed: dict[tuple[str, str], frozenset[str]] = {}
    for rule in rules:
        if rule != PERMISSIVE:
            target, _, rest = rule.partition(":")
            kind, *permissions = rest.split(" ")
            allowed[target, kind] = allowed.get((target, kind), frozenset()).union(permissions)
    return allowed, PERMISSIVE in rules
