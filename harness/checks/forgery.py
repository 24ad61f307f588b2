"""forgery: nothing that a client says about itself changes whom the server takes it for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, Finding, broken, held, not_applicable
from harness.checks.identity import compare
from harness.inside.dialects import dialect_name

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = (
    "Whatever a client claims in its payload, its headers, its query or with SCM_CREDENTIALS, the server "
    "goes by the kernel."
)
IDENTITY_HEADERS = {
    "X-Peer-Uid": "0",
    "X-Peer-Gid": "0",
    "X-Peer-Pid": "1",
    "X-Uid": "0",
    "X-User": "root",
    "X-Remote-User": "root",
    "X-Forwarded-User": "root",
    "Remote-User": "root",
    "Authorization": "Basic cm9vdDo=",
}
LIES: list[dict[str, Any]] = [
    {
        "label": "payload",
        "body": {
            "_peer_pid": 1,
            "_peer_uid": 0,
            "_peer_gid": 0,
            "_peer_groups": [0],
            "_peer": {"pid": 1, "uid": 0, "gid": 0},
            "peer_uid": 0,
            "uid": 0,
            "user": "root",
        },
    },
    {"label": "headers", "headers": IDENTITY_HEADERS},
    {"label": "query", "query": "_peer_pid=1&_peer_uid=0&_peer_gid=0&peer_uid=0&uid=0&user=root"},
    {"label": "SCM_CREDENTIALS", "ids": [1, 0, 0]},
]


def attack(testbed: Testbed) -> Finding:
    """Lie in every way as a stranger; then as root, whom the kernel lets send any credentials."""
    if testbed.tells is None:
        return not_applicable(
            f"nothing in what it speaks ({dialect_name(testbed.subject.speaks)}) says whom the server saw"
        )
    testbed.lay()
    faults: list[str] = []
    told: dict[str, Any] = {}
    with testbed.serve() as running:
        testbed.open_to_all(running)
        liar = "stranger" if testbed.admits("stranger") else "member"
        for who in (liar, "root"):
            lies = [{"label": "the name of another", "user": testbed.owner}] if testbed.tells == "answer" else LIES
            if who == "root":
                lies = [{"label": "SCM_CREDENTIALS", "ids": [0, *_ids(testbed, liar)]}]
            lines = testbed.probe_lines(
                "claim",
                testbed.principal(who),
                endpoint=running.endpoint,
                speaks=testbed.subject.speaks,
                who=who,
                lies=lies,
                seconds=10.0,
            )
            for said in lines:
                way = f"{who} by {said['label']}"
                seen = testbed.seen(running, said) if said["kind"] == "accepted" else None
                told[way] = {"sendmsg": said["sendmsg"], "kind": said["kind"], "seen": seen}
                if said["kind"] == "accepted":
                    known = None if seen is None else {key: value for key, value in seen.items() if value is not None}
                    faults += compare(way, said["process"], known)
    if faults:
        return broken("; ".join(faults), **told)
    if all(each["seen"] is None and each["kind"] != "refused" for each in told.values()):
        return broken("none of the lies was answered at all", **told)
    return held(f"these changed nothing: {', '.join(told)}", **told)


def _ids(testbed: Testbed, name: str) -> list[int]:
    person = testbed.person(name)
    return [person["uid"], person["gid"]]


CHECK = Check("forgery", HOLDS, attack)
