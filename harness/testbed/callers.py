"""The users of a world as living processes that send HTTP requests and say who they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engines.protocol import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from harness.engines.protocol import Place, Process
    from harness.world import World

PROBE = Path(__file__).parents[1] / "inside" / "caller.py"


@dataclass(frozen=True, slots=True)
class Call:
    """What became of one request: `outcome` is `ok` or connect's errno name; the rest only when connected.

    `status` is the HTTP status, `process` what the kernel of the place says of the process that called.
    """

    outcome: str
    status: int | None = None
    process: Credentials | None = None


class Callers:
    """One process for each user of a world, started when first needed. A context manager."""

    def __init__(self, place: Place, world: World) -> None:
        self._place = place
        self._world = world
        self._living: dict[str, Process] = {}

    def call(
        self, user: str, to: str | tuple[str, int], body: Mapping[str, Any], target: str = "/hook?event=Probe"
    ) -> Call:
        """Let a user POST a JSON object to a socket's path or to a host and port."""
        if user not in self._living:
            command = ["python3", "-c", PROBE.read_text(encoding="utf-8")]
            self._living[user] = self._place.start(command, self._world.principal(user))
        process = self._living[user]
        process.send(json.dumps({"to": to, "target": target, "body": body}) + "\n")
        answer = json.loads(process.read_line())
        seen = answer.get("process")
        return Call(
            answer["outcome"],
            answer.get("status"),
            Credentials(seen["pid"], seen["uid"], seen["gid"], tuple(seen["groups"])) if seen else None,
        )

    def close(self) -> None:
        """End the processes."""
        while self._living:
            _, process = self._living.popitem()
            process.close_input()
            process.wait()

    def __enter__(self) -> Callers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
