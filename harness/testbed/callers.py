"""The users of a world as processes that send HTTP requests and say who they are.

Each request is a process of its own.
A user who is to have certain capabilities, or is confined, is a Python that the place itself starts, and stays alive.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.engines import bundle
from harness.engines.encoding import decode_credentials
from harness.testbed.probing import ProbeError, carry_out

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from harness.engines.protocol import Credentials, Place, Process
    from harness.inside.messages import CallOrder, CallReport
    from harness.world import Principal, World

PROGRAM = "harness.inside.caller"
SECONDS = 10.0
"""For one request."""


@dataclass(frozen=True, slots=True)
class Call:
    """What became of one request: `outcome` is `ok` or connect's errno name; the rest only when connected.

    `status` is the HTTP status, `process` what the kernel of the place says of the process that called.
    """

    outcome: str
    status: int | None = None
    process: Credentials | None = None


class Callers:
    """The users of the world of a place. What they need is started when first needed. A context manager."""

    def __init__(self, place: Place, world: World) -> None:
        self._place = place
        self._world = world
        self._living: dict[str, Process] = {}

    def call(
        self, user: str, to: str | tuple[str, int], body: Mapping[str, Any], target: str = "/hook?event=Probe"
    ) -> Call:
        """Let a user POST a JSON object to a socket's path or to a host and port."""
        order: CallOrder = {"to": to if isinstance(to, str) else list(to), "target": target, "body": dict(body)}
        who = self._world.principal(user)
        forked = who.capabilities is None and who.confined is None
        report: CallReport = json.loads(self._forked(who, order) if forked else self._said(user, who, order))
        return Call(report["outcome"], report["status"], decode_credentials(report["process"]))

    def _forked(self, who: Principal, order: CallOrder) -> str:
        done = carry_out(self._place, PROGRAM, who, SECONDS, order=order)
        if done.status != 0:
            raise ProbeError(f"a request could not be made: {done.stderr}")
        return done.stdout

    def _said(self, user: str, who: Principal, order: CallOrder) -> str:
        if user not in self._living:
            self._living[user] = self._place.start(bundle.COMMAND, who)
            self._living[user].send(bundle.delivery(PROGRAM))
        process = self._living[user]
        process.send(json.dumps(order) + "\n")
        return process.read_line(timeout=SECONDS)

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
