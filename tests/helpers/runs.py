"""Runs that never happened: verdicts written by hand, so that a report is tested without engine and oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.engines.protocol import Credentials, Facts, Observation
from harness.oracle.decision import Change, Decision
from harness.trials.run import Run
from harness.trials.verdict import Verdict, judge
from harness.world import AclEntry, Attempt, Node, User, World

if TYPE_CHECKING:
    from harness.scenarios import Story

WORLD = World(
    "home",
    "A server in a home directory.",
    groups={"root": 0, "web": 1200, "ali": 1000, "nginx": 33},
    users=(User("root", 0, 0), User("ali", 1000, 1000), User("nginx", 33, 33, ("web",))),
    nodes=(
        Node("/home/ali", "directory", "ali", 1000, 0o750, acl=(AclEntry("user", 1500, 1),)),
        Node("/home/ali/app/app.sock", "socket", "ali", "web", 0o660),
        Node("/run/app", "symlink", target="/home/ali/app"),
    ),
)


def refused(user: str = "nginx", path: str = "/run/app/app.sock", observed: str = "EACCES") -> Verdict:
    """Somebody whom /home/ali does not let through; `observed` is what the kernel did."""
    attempt = Attempt(user, "connect", path)
    decision = Decision(
        "EACCES",
        "/home/ali",
        "other",
        "uid 33 is not the owner 1000",
        "x",
        "",
        f"{user} lacks x on /home/ali: uid 33 is not the owner 1000.",
        (
            Change("acl", "/home/ali", "setfacl -m u:nginx:--x /home/ali", 0),
            Change("chmod", "/home/ali", "chmod o+x /home/ali", 2),
        ),
    )
    return judge(attempt, decision, Observation(observed, "/home/ali" if observed != "ok" else None))


def admitted(user: str = "ali", path: str = "/run/app/app.sock", expect: str | None = None) -> Verdict:
    """Somebody who gets in, and is seen; `expect` is what the world says of it."""
    seen = Credentials(7, 1000, 1000, (1000,))
    decision = Decision(
        "ok",
        "/home/ali/app/app.sock",
        "owner",
        "uid 1000 is the owner",
        "w",
        "rw",
        f"{user} may connect /home/ali/app/app.sock: uid 1000 is the owner.",
    )
    return judge(Attempt(user, "connect", path, expect=expect), decision, Observation("ok", None, seen, seen))


def run_of(*verdicts: Verdict, world: World = WORLD, story: Story | None = None) -> Run:
    facts = Facts("namespace", "6.18.0", "x86_64", "3.11", {"fs.protected_symlinks": 1, "net.core.somaxconn": 4096})
    return Run(world, facts, verdicts, "harness run home.toml --engine namespace", (), story)
