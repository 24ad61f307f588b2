"""What the oracle says of a scene, and how far that can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from harness.live import sandbox
from harness.live.advice import Advice, advise, after_login, lacking, parted, renewals
from harness.live.denials import denials
from harness.live.elsewhere import elsewhere
from harness.live.layers import LOOKED_AT, Stop, ask, layer_states
from harness.oracle import decide, linux, with_words
from harness.world import Attempt, Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.live.actor import Actor
    from harness.live.layer_state import LayerState
    from harness.live.obstacle import Obstacle
    from harness.live.scene import Scene
    from harness.oracle import Change, Decision, Layer, Rules

DEPTH: Final = 3
"""How many refusals behind the first are told of."""
MOST: Final = 32
"""How many are looked for: more than any path has that is not made to have many."""
BY_THE_SOCKET: Final = frozenset({"ok", "EPROTOTYPE", "EADDRINUSE"})
"""Outcomes that are taken from the socket itself, after all permissions: another socket there, or none, turns them."""
_RECORDED: Final[frozenset[Layer]] = frozenset({"SELinux", "AppArmor", "Landlock"})
"""Modules that have denials recorded."""
SIGHT: Final = "run this as root, or with CAP_DAC_READ_SEARCH alone"
"""What shows all paths; the manual says how it is given to one run."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision on the live machine. `conclusive` is False if it turns on what we may not look at, or can't be told.

    `remedies` come before the decision's own changes: what no change of a file would give. `notes` are sentences.
    `advice` is what would help, best first, as it works where it is read. `tellable` is False where something decides
    that no world can say, such as the rules of a file system. `held_elsewhere`: the abstract name has a listener in
    another network namespace. `layers` are all that may refuse, each by itself.
    """

    decision: Decision
    conclusive: bool
    remedies: tuple[str, ...]
    notes: tuple[str, ...]
    advice: Advice = field(default_factory=Advice)
    tellable: bool = True
    held_elsewhere: bool = False
    layers: tuple[LayerState, ...] = ()

    @property
    def left_open(self) -> tuple[LayerState, ...]:
        """The layers that may still refuse what all that was looked at allows."""
        if self.decision.outcome != "ok":
            return ()
        return tuple(one for one in self.layers if one.state == "not looked at" and one.decides)

    @property
    def allowed(self) -> bool:
        """Whether the attempt is known to succeed."""
        return self.conclusive and self.decision.outcome == "ok" and not self.left_open


def find(actor: Actor, scene: Scene) -> Judgement:
    """Judge a scene by this kernel's rules and settings."""
    rules = linux(scene.world.sysctls)
    boxed = sandbox.obstacles(actor, scene)
    answers = ask(actor, scene)
    asked = (obstacle for answer in answers for obstacle in answer.obstacles)
    scene = replace(scene, obstacles=(*scene.obstacles, *boxed, *asked))
    decision, obstacle = _first(actor, scene, rules)
    conclusive = not _turns_on_what_is_hidden(scene, decision, obstacle)
    notes = list(scene.doubts)
    if obstacle is not None and obstacle.outcome is None:
        conclusive = False
        notes.append(obstacle.why)
    elif decision.layer != "seccomp" and (doubt := actor.filtered.doubt(scene.attempt.operation)) is not None:
        # What it refuses, it refuses before all else: another errno is as uncertain as `ok`.
        conclusive = False
        notes.append(doubt)
    elif scene.unknown is not None and decision.outcome in BY_THE_SOCKET and obstacle is None:
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
    passed = [path for path in scene.way if path in scene.modeless and path in scene.titles]
    notes += [
        f"the modes below {path} are not the kernel's: its server is asked instead, and sshfs's does not heed who asks"
        for path in passed
    ]
    refusals, stop = _chain(actor, scene, rules, decision, obstacle)
    states = layer_states(actor, scene, _refused(refusals), stop, answers)
    if conclusive and decision.outcome != "ok":
        waiting = refusals[1 : 1 + DEPTH]
        decision = _with_what_helps_behind(decision, waiting)
        notes += [f"behind that, {refusal.outcome} at {refusal.at}: {refusal.why}" for refusal, _ in waiting]
    remedies: tuple[str, ...] = ()
    held_elsewhere = False
    fresh = after_login(actor)
    if fresh is not None:
        who = f"process {actor.process.pid} ({actor.process.name})" if actor.process else "this process"
        groups = ", ".join(lacking(actor, fresh))
        notes.append(f"{who} does not have all the groups that the user database gives {actor.name}: {groups}")
        renewed = scene.with_subject(lambda user: replace(user, groups=fresh))
        if decision.outcome != "ok" and _first(actor, renewed, rules)[0].outcome == "ok":
            remedies = renewals(actor, fresh)
    if conclusive and decision.outcome != "ok":
        found = list(elsewhere(actor, scene, decision))
        held_elsewhere = bool(found) and scene.attempt.path.startswith("@")
        notes += found
    if actor.process is not None and any(state.active and state.layer in _RECORDED for state in states):
        notes += denials(actor.pid, scene.attempt.path)
    tellable = not scene.modeless and all(one.process is None for one in scene.components.values())
    advice = advise(actor, scene, decision, remedies) if conclusive else Advice()
    return Judgement(
        decision,
        conclusive,
        remedies,
        tuple(dict.fromkeys((*notes, *advice.notes))),
        advice,
        tellable,
        held_elsewhere,
        states,
    )


def _first(actor: Actor, scene: Scene, rules: Rules) -> tuple[Decision, Obstacle | None]:
    """What refuses first: the permissions, or an obstacle, which comes before those of its own component."""
    decision = _decide(actor, _modeless(scene), rules)
    places = {path: place for place, path in enumerate(scene.way)}
    place = places.get(decision.at, len(places))
    too_long = decision.outcome == "EINVAL" and scene.attempt.operation in {"connect", "bind"}
    if too_long or decision.layer == "seccomp" or len(scene.attempt.path) >= rules.path_max:
        place = -1  # the path itself, before anything is looked up
    for obstacle in scene.obstacles:
        if obstacle.first and decision.layer != "seccomp":
            return _refusal(obstacle, decision), obstacle
    for obstacle in sorted(scene.obstacles, key=lambda one: places.get(one.at, len(places))):
        here = places.get(obstacle.at, len(places))
        earlier = here < place or (here == place and (not obstacle.behind or decision.layer == "socket"))
        if obstacle.behind_search and obstacle.at == decision.at and decision.needs == "x":
            continue
        if decision.outcome == "ok" or (earlier and not obstacle.last):
            return _refusal(obstacle, decision), obstacle
    if decision.outcome == "ok" and decision.at in scene.modeless:
        why = f"{actor.name} may {scene.attempt.operation} {decision.at}: the kernel holds nobody to the modes there."
        return replace(decision, applied=None, because="", needs="", has="", why=why), None
    return decision, None


def _refusal(obstacle: Obstacle, decision: Decision) -> Decision:
    return replace(
        decision,
        outcome=obstacle.outcome or "ok",
        at=obstacle.at,
        applied=None,
        because="",
        needs="",
        has="",
        why=f"{obstacle.why}.",
        changes=obstacle.changes,
        layer=obstacle.layer,
    )


def _modeless(scene: Scene) -> Scene:
    """The scene without the modes that nobody is held to."""
    return _opened(scene, scene.modeless) if scene.modeless else scene


def _opened(scene: Scene, paths: frozenset[str]) -> Scene:
    nodes = tuple(
        replace(node, mode=0o777, acl=()) if node.path in paths and node.kind != "symlink" else node
        for node in scene.world.nodes
    )
    return replace(scene, world=replace(scene.world, nodes=nodes))


def _turns_on_what_is_hidden(scene: Scene, decision: Decision, obstacle: Obstacle | None) -> bool:
    """Whether a decision is about something that could not be looked at."""
    if scene.hidden is None or obstacle is not None:
        return False
    return decision.outcome == "ok" or decision.at not in {"/", *(node.path for node in scene.world.nodes)}


def _chain(
    actor: Actor, scene: Scene, rules: Rules, refusal: Decision, obstacle: Obstacle | None
) -> tuple[list[tuple[Decision, Obstacle | None]], Stop | None]:
    """What would refuse, one after the other, if each refusal before it were taken away; the first is given.

    And why it could not be told what comes behind them, None where that is known.
    """
    found: list[tuple[Decision, Obstacle | None]] = []
    while len(found) < MOST:
        if obstacle is not None and obstacle.outcome is None:
            return found, Stop(obstacle.why, LOOKED_AT)
        if _turns_on_what_is_hidden(scene, refusal, obstacle):
            return found, Stop(f"this process may not look at {scene.hidden}", LOOKED_AT, SIGHT)
        if refusal.outcome == "ok":
            return found, None if scene.unknown is None else Stop(scene.unknown, ("socket",))
        if any((refusal.at, refusal.outcome, refusal.layer) == (one.at, one.outcome, one.layer) for one, _ in found):
            break
        found.append((refusal, obstacle))
        if obstacle is not None:
            scene = replace(scene, obstacles=tuple(one for one in scene.obstacles if one != obstacle))
        elif refusal.layer == "seccomp":
            scene = scene.with_subject(lambda user: replace(user, confined=None))
        elif refusal.needs and refusal.at != "/":
            scene = _opened(scene, frozenset({refusal.at}))
        else:
            break
        refusal, obstacle = _first(actor, scene, rules)
    last = found[-1][0]
    why = f"nothing is reached behind {last.outcome} at {last.at}"
    return found, Stop(why, ("socket",), "mend that, and ask again")


def _refused(refusals: Sequence[tuple[Decision, Obstacle | None]]) -> dict[Layer, str]:
    """Each layer's first refusal."""
    refused: dict[Layer, str] = {}
    for decision, _ in refusals:
        refused.setdefault(decision.layer or "path", f"{decision.outcome} at {decision.at}")
    return refused


def _with_what_helps_behind(decision: Decision, waiting: Sequence[tuple[Decision, Obstacle | None]]) -> Decision:
    """The changes with those that obstacles behind ask for, of which the rules of permission know nothing."""
    after = [obstacle.changes[0].text for _, obstacle in waiting if obstacle is not None and obstacle.changes]
    if not after:
        return decision
    changes: list[Change] = []
    for change in decision.changes:
        told = [parted(text) for text in (change.text, *after)]
        commands = " && ".join(dict.fromkeys(text for text, _ in told if text))
        words = dict.fromkeys(word for _, several in reversed(told) for word in reversed(several))
        changes.append(replace(change, text=with_words(commands, list(reversed(words)))))
    return replace(decision, changes=tuple(changes))


def _decide(actor: Actor, scene: Scene, rules: Rules) -> Decision:
    at_root = _root_decision(scene, rules)
    if at_root is not None:
        return at_root
    decision = decide(scene.world, scene.attempt, rules)
    if not scene.unmapped or actor.principal.capabilities == frozenset():
        return decision
    # Capabilities count only where owner and group are mapped (privileged_wrt_inode_uidgid): without them, open what
    # they would have opened, until something unmapped refuses.
    bare = scene.with_subject(lambda user: replace(user, capabilities=frozenset[str]())).world
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
