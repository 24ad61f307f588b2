"""A path drawn as a tree, the component that refuses marked in it, and the reason in words."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from harness.report.text import Line, Span, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.oracle.decision import Change, Decision
    from harness.report.trail import Step, Trails
    from harness.trials.verdict import Verdict
    from harness.world import AclEntry, Attempt, Node, NodeKind, SocketState, World

DRAWN = 24
"""Components of a longer path are left out in its middle, never the ones beside the refusal."""

_TYPE_BITS: Mapping[NodeKind, int] = {
    "directory": stat.S_IFDIR,
    "mount": stat.S_IFDIR,
    "socket": stat.S_IFSOCK,
    "file": stat.S_IFREG,
    "symlink": stat.S_IFLNK,
}

_PERMISSIONS = {"r": "read", "w": "write", "x": "search"}
_OF_FILES: Mapping[str, str] = {**_PERMISSIONS, "x": "execute"}


def mode_string(node: Node) -> str:
    """A node's type and mode bits as `ls -l` writes them, with `+` where it has an access control list."""
    mode = 0o777 if node.kind == "symlink" else node.mode
    return stat.filemode(_TYPE_BITS[node.kind] | mode) + ("+" if node.acl else " ")


def owner_of(world: World, node: Node) -> str:
    """The name of a node's owner as the world knows it, else its uid."""
    return _named({user.uid: user.name for user in reversed(world.users)} | {0: "root"}, node.owner)


def group_of(world: World, node: Node) -> str:
    """The name of a node's group as the world knows it, else its gid."""
    names = {user.gid: user.name for user in world.users if isinstance(user.gid, int)}
    return _named(names | {gid: name for name, gid in world.groups.items()} | {0: "root"}, node.group)


def _named(names: Mapping[int, str], who: str | int) -> str:
    return visible(names.get(who, str(who)) if isinstance(who, int) else who)


def acl_entry(entry: AclEntry) -> str:
    """An entry as setfacl(1) writes it."""
    letters = "".join(letter if entry.permissions & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
    return f"{entry.tag}:{'' if entry.who is None else visible(str(entry.who))}:{letters}"


def operation_and_path(attempt: Attempt) -> str:
    """What is tried, without who tries: `rename /tmp/a -> /tmp/b`, `connect (dgram) /run/log`."""
    words: list[str] = [attempt.operation]
    if attempt.type != "stream":
        words.append(f"({attempt.type})")
    if attempt.mode is not None:
        words.append(f"{attempt.mode:04o}")
    if attempt.owner is not None or attempt.group is not None:
        owner, group = ("" if who is None else str(who) for who in (attempt.owner, attempt.group))
        words.append(f"{owner}:{group}" if group else owner)
    words.append(attempt.path)
    if attempt.to is not None:
        words += ["->", attempt.to]
    if attempt.cwd is not None:
        words.append(f"(in {attempt.cwd})")
    if attempt.root is not None:
        words.append(f"(root directory {attempt.root})")
    if attempt.network is not None:
        words.append(f"(network namespace {attempt.network})")
    return visible(" ".join(words))


def explanation(world: World, trails: Trails, alike: Sequence[Verdict], reproduce: str) -> list[Line]:
    """Verdicts that differ in nothing but their user, explained once."""
    first = alike[0]
    decision, observation = first.decision, first.observation
    users = ", ".join(visible(verdict.attempt.user) for verdict in alike)
    lines: list[Line] = [
        (
            Span(f"{users} {operation_and_path(first.attempt)}: ", "strong"),
            Span(observation.outcome, "allowed" if observation.outcome == "ok" else "refused"),
            *([Span(f" at {visible(observation.at)}")] if observation.at else []),
        ),
        *tree(world, trails.deciding(first.attempt, decision.at), decision),
        *reason(decision),
    ]
    lines += [
        (Span("  expect " if verdict.unexpected else "  BUT    ", "refused"), Span(visible(difference), "warning"))
        for verdict in alike
        for difference in verdict.differences
    ]
    lines.append((Span("  again  ", "dim"), Span(visible(reproduce), "strong")))
    return lines


def tree(
    world: World,
    steps: Sequence[Step],
    decision: Decision,
    *,
    hidden: str | None = None,
    titles: Mapping[str, str] | None = None,
) -> list[Line]:
    """The steps of a path, one a line: mode, owner, group, name; the deciding component is marked.

    `hidden` is the component that could not be looked at, if it is one of them. `titles` say what is mounted upon a
    path where that is known better than a world can say it.
    """
    refused = decision.outcome != "ok"
    deciding = max(
        (index for index, step in enumerate(steps) if step.path == decision.at and step.path != hidden), default=None
    )
    shown = _shown(len(steps), deciding)
    rows = [(index, steps[index]) for index in shown]
    owners = [owner_of(world, step.node) if step.node else "" for _, step in rows]
    groups = [group_of(world, step.node) if step.node else "" for _, step in rows]
    owner_width, group_width = max(map(len, owners)), max(map(len, groups))
    lines: list[Line] = []
    before = -1
    for (index, step), owner, group in zip(rows, owners, groups, strict=True):
        if index != before + 1:
            lines.append((Span(f"    ... {index - before - 1} more components", "dim"),))
        before = index
        here = index == deciding
        mode = mode_string(step.node) if step.node else "-" * 10 + " "
        branch = "" if step.level == 0 else "   " * (min(step.level, DRAWN) - 1) + "└─ "
        lines.append(
            (
                Span("  > " if here and refused else "    ", "refused"),
                Span(f"{mode} {owner:{owner_width}} {group:{group_width}}  "),
                Span(branch, "dim"),
                Span(visible(step.name), "refused" if here and refused else "allowed" if here else "plain"),
                *(
                    [Span("  (may not be looked at)", "warning")]
                    if step.path == hidden
                    else _aside(step, decision, here, (titles or {}).get(step.path))
                ),
            )
        )
        if here and step.node is not None:
            indent = " " * (19 + owner_width + group_width + len(branch))
            lines += [(Span(indent + acl_entry(entry), "dim"),) for entry in step.node.acl]
    if deciding is None and refused and hidden is None:
        lines.append(
            (Span("  > ", "refused"), Span(f"{visible(decision.at)}  <- {_refusal(decision, _PERMISSIONS)}", "refused"))
        )
    return lines


def _shown(count: int, deciding: int | None) -> list[int]:
    if count <= DRAWN:
        return list(range(count))
    if deciding is None:
        deciding = count - 1
    wanted = {*range(4), *range(deciding - 6, deciding + 3), *range(count - 4, count)}
    return sorted(index for index in wanted if 0 <= index < count)


def _aside(step: Step, decision: Decision, here: bool, title: str | None) -> list[Span]:
    """What stands to the right of a component: a symlink's target, a socket's state, a mount, the refusal."""
    aside: list[Span] = []
    node = step.node
    if node is None and title is not None:
        aside.append(Span(f"  ({visible(title)} mounted here)", "dim"))
    elif node is None:
        aside.append(Span(f"  ({_absence(step, decision, here)})", "dim"))
    elif node.kind == "symlink":
        aside.append(Span(f" -> {visible(node.target or '')}", "dim"))
    elif title is not None:
        aside.append(Span(f"  ({visible(title)} mounted here)", "dim"))
    elif node.kind == "mount":
        options = " ".join(visible(option) for option in (node.fs or "", *node.options) if option)
        aside.append(Span(f"  ({options} mounted here)", "dim"))
    elif node.kind == "socket":
        facts = ([] if node.type == "stream" else [node.type]) + (
            [_STATES[node.state]] if node.state in _STATES else []
        )
        if facts:
            aside.append(Span(f"  ({', '.join(facts)})", "dim"))
    if here and decision.outcome != "ok":
        searched = node is None or node.kind in {"directory", "mount"}
        aside.append(Span(f"  <- {_refusal(decision, _PERMISSIONS if searched else _OF_FILES)}", "refused"))
    return aside


_STATES: Mapping[SocketState, str] = {"bound": "nobody listens", "full": "its queue is full", "stale": "stale"}
"""What is said of a socket beside that it is one."""


def _absence(step: Step, decision: Decision, here: bool) -> str:
    if step.path.startswith("@"):
        return "nobody holds this name" if decision.outcome != "ok" else "not there at first"
    if not here:
        return "not there"
    return _ABSENT.get(decision.outcome, "made by an earlier attempt")


_ABSENT: Mapping[str, str] = {
    "EINVAL": "not looked up",
    "ENAMETOOLONG": "not looked up",
    "ENOENT": "does not exist",
    "ok": "not there at first",
}
"""What is said of a component that was not there when the world was built, by what became of the attempt."""


def _refusal(decision: Decision, words: Mapping[str, str]) -> str:
    if not decision.needs:
        return decision.outcome
    has = decision.has.strip("-") or "nothing"
    needs = " and ".join(f"{letter} ({words.get(letter, letter)})" for letter in decision.needs)
    return f"{decision.outcome}: needs {needs}, has {has}"


def reason(decision: Decision) -> list[Line]:
    """Why the component decided so, and the smallest changes that would turn a refusal, best first."""
    lines: list[Line] = [(Span("  why    ", "dim"), Span(visible(decision.why)))]
    if decision.applied and f"The class {decision.applied} applies" not in decision.why:
        because = "" if decision.because in decision.why else f": {visible(decision.because)}"
        lines.append((Span("  class  ", "dim"), Span(decision.applied + because)))
    fixes = [_fix(change) for change in decision.changes]
    lines += [(Span("  or     " if number else "  fix    ", "dim"), *fix) for number, fix in enumerate(fixes)]
    return lines


def _fix(change: Change) -> tuple[Span, ...]:
    """With how many others get in, of those whom a world names."""
    count = {0: "no other user", 1: "one more user"}.get(change.widens, f"{change.widens} more users")
    return Span(visible(change.text), "strong"), Span(f"  (lets in {count} of this world)", "dim")
