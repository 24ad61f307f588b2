"""The users of a world as living processes that send HTTP requests and say who they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.engines import bundle
from harness.engines.encoding import decode_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from harness.engines.protocol import Credentials, Place, Process
    from harness.inside.messages import CallOrder, CallReport
    from harness.world import World


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
            self._living[user] = self._place.start(bundle.COMMAND, self._world.principal(user))
            self._living[user].send(bundle.delivery("harness.inside.caller"))
        process = self._living[user]
        order: CallOrder = {"to": to if isinstance(to, str) else list(to), "target": target, "body": dict(body)}
        process.send(json.dumps(order) + "\n")
        report: CallReport = json.loads(process.read_line())
        return Call(report["outcome"], report["status"], decode_credentials(report["process"]))

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
