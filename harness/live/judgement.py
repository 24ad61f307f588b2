"""What the oracle says of a scene, and how far that can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.oracle import decide, linux
from harness.world import Attempt, Node

if TYPE_CHECKING:
    from harness.live.actor import Actor
    from harness.live.scene import Scene
    from harness.oracle import Change, Decision, Rules
    from harness.world import World

BY_THE_SOCKET: Final = frozenset({"ok", "EPROTOTYPE", "EADDRINUSE"})
"""Outcomes that are taken from the socket itself, after all permissions: another socket there, or none, turns them."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision on the live machine. `conclusive` is False if it turns on what we may not look at, or can't be told.

    `remedies` come before the decision's own changes: what no change of a file would give. `notes` are sentences.
    """

    decision: Decision
    conclusive: bool
    remedies: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """The decision's changes, without memberships where those that there are only have to be taken up."""
        return tuple(change for change in self.decision.changes if not self.remedies or change.what != "membership")

    @property
    def allowed(self) -> bool:
        """Whether the attempt is known to succeed."""
        return self.conclusive and self.decision.outcome == "ok"


def find(actor: Actor, scene: Scene) -> Judgement:
    """Judge a scene by this kernel's rules and settings."""
    rules = linux(scene.world.sysctls)
    decision = _decide(actor, scene, rules)
    seen = {"/", *(node.path for node in scene.world.nodes)}
    conclusive = scene.hidden is None or (decision.outcome != "ok" and decision.at in seen)
    notes = list(scene.doubts)
    if scene.unknown is not None and decision.outcome in BY_THE_SOCKET:
        conclusive = False
        notes.append(scene.unknown)
    elif not conclusive:
        notes.append(
            f"this process may not look at {scene.hidden}, so what is there and beyond is not known: run this as root"
        )
    elif scene.hidden is not None and not decision.changes:
        notes.append(f"this process may not look at {scene.hidden}: run this as root to be told what would help")
    if decision.at in scene.unmapped and decision.outcome != "ok":
        notes.append(
            f"the owner or the group of {decision.at} has no number in {actor.name}'s user namespace: "
            "nobody there is its owner, and no capability counts for it"
        )
    remedies: list[str] = []
    fresh = _after_login(actor)
    if fresh is not None:
        now = {*actor.principal.groups, actor.principal.gid}
        lacking = ", ".join(f"{actor.accounts.group(gid) or 'gid'} ({gid})" for gid in fresh if gid not in now)
        who = f"process {actor.process.pid} ({actor.process.name})" if actor.process else "this process"
        notes.append(f"{who} does not have all the groups that the user database gives {actor.name}: {lacking}")
        if decision.outcome != "ok" and _decide(actor, _with_groups(scene, fresh), rules).outcome == "ok":
            remedies.append(f"log in again, or restart it: with the group {lacking} the answer is ok")
    if decision.outcome == "ok":
        notes += _other_powers()
    return Judgement(decision, conclusive, tuple(remedies), tuple(notes))


def _decide(actor: Actor, scene: Scene, rules: Rules) -> Decision:
    at_root = _root_decision(scene, rules)
    if at_root is not None:
        return at_root
    decision = decide(scene.world, scene.attempt, rules)
    if not scene.unmapped or actor.principal.capabilities == frozenset():
        return decision
    # Capabilities count only where owner and group are mapped (privileged_wrt_inode_uidgid): without them, open what
    # they would have opened, until something unmapped refuses.
    bare = _without_capabilities(scene)
    for _ in range(len(scene.world.nodes) + 1):
        strict = decide(bare, scene.attempt, rules)
        if strict.outcome == "ok" or not strict.needs:
            return decision
        if strict.at in scene.unmapped:
            return strict
        if strict.at == decision.at and decision.outcome != "ok":
            return decision
        bare = replace(
            bare,
            nodes=tuple(replace(node, mode=0o777, acl=()) if node.path == strict.at else node for node in bare.nodes),
        )
    return decision


def _root_decision(scene: Scene, rules: Rules) -> Decision | None:
    """The root directory's own refusal. No world can make that directory, so another one is asked in its stead."""
    if scene.root is None or scene.attempt.path.startswith("@") or scene.root.status.st_mode & 0o111 == 0o111:
        return None
    status = scene.root.status
    stand_in = Node("/root-directory", "directory", status.st_uid, status.st_gid, status.st_mode & 0o7777)
    world = replace(scene.world, nodes=(stand_in, Node("/root-directory/name", "file")))
    decision = decide(world, Attempt(scene.attempt.user, "stat", "/root-directory/name"), rules)
    if decision.outcome == "ok":
        return None
    return replace(decision, at="/", why=decision.why.replace("/root-directory", "/"), changes=())


def _without_capabilities(scene: Scene) -> World:
    users = tuple(
        replace(user, capabilities=frozenset[str]()) if user.name == scene.attempt.user else user
        for user in scene.world.users
    )
    return replace(scene.world, users=users)


def _after_login(actor: Actor) -> tuple[int, ...] | None:
    """The groups that a new login would have, if the running process lacks any of them."""
    if actor.database is None or actor.principal.uid == 0:
        return None
    fresh = {*actor.database.groups, actor.database.gid}
    now = {*actor.principal.groups, actor.principal.gid}
    return tuple(sorted(fresh | now - {actor.principal.gid})) if fresh - now else None


def _with_groups(scene: Scene, groups: tuple[int, ...]) -> Scene:
    users = tuple(
        replace(user, groups=groups) if user.name == scene.attempt.user else user for user in scene.world.users
    )
    return replace(scene, world=replace(scene.world, users=users))


def _other_powers() -> list[str]:
    """Security modules that may refuse what permissions allow."""
    powers = []
    for name, path, active in (
        ("SELinux", "/sys/fs/selinux/enforce", "1"),
        ("AppArmor", "/sys/module/apparmor/parameters/enabled", "Y"),
    ):
        try:
            on = Path(path).read_text("ascii").strip() == active
        except OSError:
            continue
        if on:
            powers.append(f"{name} is active on this machine and may still refuse what permissions allow")
    return powers
