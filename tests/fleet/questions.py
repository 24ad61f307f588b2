"""What a test asks a cluster; run where the cluster can be reached. Prints its answer as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from nats.js.api import StorageType, StreamConfig

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


async def make(jetstream: JetStreamContext, stream: str, subjects: str, replicas: str) -> bool:
    await jetstream.add_stream(
        StreamConfig(name=stream, subjects=[subjects], num_replicas=int(replicas), storage=StorageType.FILE)
    )
    return True


async def seconds(jetstream: JetStreamContext, stream: str) -> float:
    """From the first message to the last, by the stream's own clock."""
    info = await jetstream.stream_info(stream)
    times = []
    for number in (info.state.first_seq, info.state.last_seq):
        answer = await jetstream._api_request(f"$JS.API.STREAM.MSG.GET.{stream}", json.dumps({"seq": number}).encode())
        times.append(answer["message"]["time"])
    return float(_nanoseconds(times[1]) - _nanoseconds(times[0])) / 1e9


def _nanoseconds(text: str) -> int:
    from datetime import datetime

    whole, _, part = text.rstrip("Z").partition(".")
    return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * 10**9 + int(part.ljust(9, "0")[:9] or 0)


QUESTIONS: dict[str, Callable[..., Awaitable[Any]]] = {"state": state, "make": make, "seconds": seconds}


def main() -> None:
    url, question, *arguments = sys.argv[1:]
    work = QUESTIONS[question]
    print(json.dumps(asyncio.run(attempt(url, lambda jetstream: work(jetstream, *arguments)))))


if __name__ == "__main__":
    main()
