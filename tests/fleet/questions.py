"""What a test asks a cluster; run where the cluster can be reached. Prints its answer as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from tests.fleet.cluster import attempt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.js.client import JetStreamContext


async def state(jetstream: JetStreamContext, stream: str) -> dict[str, Any]:
    """How many messages there are, the number of the leader's node, and the nodes that are up to date."""
    info = await jetstream.stream_info(stream)
    cluster = info.cluster
    current = [] if cluster is None else [peer.name for peer in cluster.replicas or () if peer.current]
    leader = None if cluster is None or cluster.leader is None else int(cluster.leader[1:])
    return {"messages": info.state.messages, "leader": leader, "current": len(current)}


QUESTIONS: dict[str, Callable[..., Awaitable[Any]]] = {"state": state}


def main() -> None:
    url, question, *arguments = sys.argv[1:]
    work = QUESTIONS[question]
    print(json.dumps(asyncio.run(attempt(url, lambda jetstream: work(jetstream, *arguments)))))


if __name__ == "__main__":
    main()
