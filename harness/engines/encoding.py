"""Worlds and attempts as the agent reads them: every id a number, every ACL whole; and its answers as observations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.engines.protocol import Credentials, Observation
from harness.inside.rows import AclRow, EncodedAttempt
from harness.world.standard import STANDARD_DIRECTORIES, STANDARD_LINKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inside.messages import (
        AttemptRequest,
        EncodedCredentials,
        EncodedNode,
        EncodedPrincipal,
        EncodedUser,
        EncodedWorld,
    )
    from harness.inside.rows import EncodedObservation
    from harness.world import AclEntry, Attempt, Node, Principal, World


def encode_world(world: World) -> EncodedWorld:
    """A world's users, groups and nodes. Raises KeyError with a sentence where a name stands for nothing."""
    groups = {"root": 0, **world.groups}
    users: dict[str, EncodedUser] = {user.name: _user(world, user.name) for user in world.users}
    users.setdefault("root", {"name": "root", "uid": 0, "gid": 0, "groups": []})
    for name, user in users.items():
        if user["gid"] not in groups.values():
            groups.setdefault(name, user["gid"])
    return {
        "directories": {"/": 0o755, **STANDARD_DIRECTORIES},
        "links": dict(STANDARD_LINKS),
        "users": list(users.values()),
        "groups": groups,
        "networks": list(world.networks),
        "domains": [list(rules) for rules in _domains(world)],
        "nodes": [_node(world, node) for node in world.nodes],
    }


def _domains(world: World) -> list[tuple[str, ...]]:
    held = (user.confined.selinux for user in world.users if user.confined is not None)
    return list(dict.fromkeys(rules for rules in held if rules is not None))


def _user(world: World, name: str) -> EncodedUser:
    principal = world.principal(name)
    return {"name": name, "uid": principal.uid, "gid": principal.gid, "groups": list(principal.groups)}


def _node(world: World, node: Node) -> EncodedNode:
    return {
        "path": node.path,
        "kind": node.kind,
        "owner": 0 if node.owner == "root" else world.uid(node.owner),
        "group": world.gid(node.group),
        "mode": node.mode,
        "target": node.target,
        "acl": acl(world, node.mode, node.acl),
        "type": node.type,
        "state": node.state,
        "fs": node.fs,
        "options": list(node.options),
        "network": node.network,
        "root": node.root,
        "default_acl": acl(world, node.mode, node.default_acl),
        "flags": list(node.flags),
        "label": node.label,
        "domain": node.domain,
    }


def acl(world: World, mode: int, given: Sequence[AclEntry]) -> list[AclRow]:
    """The whole ACL of a node that has entries beside its mode: those entries and what the mode bits say.

    The mode is what chmod(1) did last, so its group bits are the mask where the entries name no mask.
    """
    if not given:
        return []
    entries: dict[tuple[str, int | None], int] = {
        ("owner", None): mode >> 6 & 7,
        ("owning group", None): mode >> 3 & 7,
        ("mask", None): mode >> 3 & 7,
        ("other", None): mode & 7,
    }
    for entry in given:
        if entry.tag == "user":
            key = ("owner", None) if entry.who is None else ("user", world.uid(entry.who))
        elif entry.tag == "group":
            key = ("owning group", None) if entry.who is None else ("group", world.gid(entry.who))
        else:
            key = (entry.tag, None)
        entries[key] = entry.permissions
    return [AclRow(tag, who, permissions) for (tag, who), permissions in entries.items()]


def encode_principal(principal: Principal) -> EncodedPrincipal:
    """A principal; its capabilities by name, sorted, or None for what the kernel gives by itself."""
    capabilities, confined = principal.capabilities, principal.confined
    return {
        "uid": principal.uid,
        "gid": principal.gid,
        "groups": list(principal.groups),
        "capabilities": None if capabilities is None else sorted(capabilities),
        "confined": None
        if confined is None
        else {
            "seccomp": {**dict(confined.seccomp)},
            "landlock": sorted(confined.landlock),
            "apparmor": None if confined.apparmor is None else list(confined.apparmor),
            "selinux": None if confined.selinux is None else list(confined.selinux),
        },
    }


def encode_attempts(world: World, attempts: Sequence[Attempt]) -> AttemptRequest:
    """Attempts, each with the numbers of its principal and its paths in lists beside them."""
    users: dict[str, int] = {}
    principals: dict[Principal, int] = {}
    paths: dict[str, int] = {}
    rows = []
    for attempt in attempts:
        if attempt.user not in users:
            users[attempt.user] = principals.setdefault(world.principal(attempt.user), len(principals))
        rows.append(
            EncodedAttempt(
                users[attempt.user],
                attempt.operation,
                attempt.cwd,
                paths.setdefault(attempt.path, len(paths)),
                None if attempt.to is None else paths.setdefault(attempt.to, len(paths)),
                attempt.mode,
                attempt.type,
                attempt.root,
                attempt.network,
                None if attempt.owner is None else world.uid(attempt.owner),
                None if attempt.group is None else world.gid(attempt.group),
            )
        )
    return {
        "do": "attempt",
        "principals": [encode_principal(principal) for principal in principals],
        "paths": list(paths),
        "attempts": rows,
    }


def decode_observation(row: EncodedObservation) -> Observation:
    """An observation from the agent's answer."""
    process = decode_credentials(row.process)
    return Observation(row.outcome, row.at, decode_credentials(row.credentials), process, row.seen)


def decode_credentials(said: EncodedCredentials | None) -> Credentials | None:
    """Credentials from the agent's answer."""
    if said is None:
        return None
    return Credentials(said["pid"], said["uid"], said["gid"], tuple(said["groups"]))
