"""Probes: programs that attack a server, or look at it, from inside its place."""

from __future__ import annotations

import contextlib
import json
import signal
from typing import TYPE_CHECKING, Any, Literal, overload

from harness.engines.attached import finished
from harness.engines.protocol import PlaceError
from harness.world import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from harness.engines.protocol import Completed, Place
    from harness.inside.reports import (
        CaseReport,
        ChangeReport,
        ClaimReport,
        CrashReport,
        DescriptorsReport,
        HoldReport,
        ManyReport,
        PersonReport,
        QuestionReport,
        ReadReport,
        ReadyReport,
        ServerReport,
        Sighting,
        StartsReport,
        StatementReport,
        StepsReport,
    )
    from harness.world import Principal

CLOSING = 5.0
"""Seconds for a probe to end when it is told to."""
PROBES = "harness.inside.probes"


class ProbeError(PlaceError):
    """A probe that failed by itself: the check can't say anything."""


def carry_out(place: Place, program: str, who: Principal, timeout: float, /, **arguments: Any) -> Completed:
    """Call a program in a place and wait for its end; a TimeoutError ends it."""
    return finished(place.call(program, who, **arguments), timeout)


class Prober:
    """Runs probes in a place. What each prints is a type of `harness.inside.messages`."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @overload
    def probe(
        self, probe: Literal["ready"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> ReadyReport: ...
    @overload
    def probe(
        self, probe: Literal["server"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> ServerReport: ...
    @overload
    def probe(
        self, probe: Literal["change"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> ChangeReport: ...
    @overload
    def probe(
        self, probe: Literal["crash"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> CrashReport: ...
    @overload
    def probe(
        self, probe: Literal["descriptors"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> DescriptorsReport: ...
    @overload
    def probe(
        self, probe: Literal["listing"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> dict[str, Sighting | None]: ...
    @overload
    def probe(
        self, probe: Literal["question"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> QuestionReport: ...
    @overload
    def probe(
        self, probe: Literal["claim"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> ClaimReport: ...
    @overload
    def probe(
        self, probe: Literal["statement"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> StatementReport: ...
    @overload
    def probe(
        self, probe: Literal["many"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> ManyReport: ...
    @overload
    def probe(
        self, probe: Literal["steps"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> StepsReport: ...
    @overload
    def probe(
        self, probe: Literal["starts"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> StartsReport: ...
    def probe(self, probe: str, who: Principal = ROOT, /, *, timeout: float = 120.0, **arguments: Any) -> Any:
        """Run a probe to its end: the last JSON value that it printed. Raises ProbeError, TimeoutError."""
        return self._run(f"{PROBES}.{probe}", who, timeout, arguments)[-1]

    @overload
    def probe_lines(
        self, probe: Literal["people"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> list[PersonReport]: ...
    @overload
    def probe_lines(
        self, probe: Literal["claim"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> list[ClaimReport]: ...
    @overload
    def probe_lines(
        self, probe: Literal["read"], who: Principal = ..., /, *, timeout: float = ..., **arguments: Any
    ) -> list[ReadReport]: ...
    def probe_lines(self, probe: str, who: Principal = ROOT, /, *, timeout: float = 120.0, **arguments: Any) -> Any:
        """Run a probe to its end: all JSON values that it printed. Raises ProbeError, TimeoutError."""
        return self._run(f"{PROBES}.{probe}", who, timeout, arguments)

    def play(self, case: str, endpoint: str, server: int) -> list[CaseReport]:
        """Play a case of `harness.inside.peers` to a server, whose pid is given. Raises ProbeError, TimeoutError."""
        arguments = {"case": case, "endpoint": endpoint, "server": server}
        return self._run("harness.inside.peers.cases", ROOT, 120.0, arguments)

    @overload
    def holding(
        self, probe: Literal["hold"], who: Principal, /, *, last: dict[str, Any] | None = ..., **arguments: Any
    ) -> AbstractContextManager[HoldReport]: ...
    @overload
    def holding(
        self, probe: Literal["squat"], who: Principal, /, *, last: dict[str, Any] | None = ..., **arguments: Any
    ) -> AbstractContextManager[str]: ...
    def holding(
        self, probe: str, who: Principal, /, *, last: dict[str, Any] | None = None, **arguments: Any
    ) -> AbstractContextManager[Any]:
        """A probe that does something, says so in one line, and keeps it up until the end of the block.

        What it says in the very end goes into `last`.
        """
        return self._holding(probe, who, last, arguments)

    @contextlib.contextmanager
    def _holding(
        self, probe: str, who: Principal, last: dict[str, Any] | None, arguments: dict[str, Any]
    ) -> Iterator[Any]:
        process = self.place.call(f"{PROBES}.{probe}", who, **arguments)
        try:
            try:
                said = json.loads(process.read_line(timeout=120.0))
            except EOFError as error:
                raise ProbeError(f"the probe {probe} failed: {error}") from None
            yield said
        finally:
            process.close_input()
            try:
                done = process.wait(CLOSING)
            except TimeoutError:  # what it holds is let go of by its end
                process.signal(signal.SIGKILL)
                done = process.wait()
            if last is not None and done.stdout:
                last.update(json.loads(done.stdout.splitlines()[-1]))

    def _run(self, program: str, who: Principal, timeout: float, arguments: dict[str, Any]) -> list[Any]:
        done = carry_out(self.place, program, who, timeout, **arguments)
        if done.status != 0 or not done.stdout:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ProbeError(f"the probe {program.rpartition('.')[2]} failed: {said}")
        return [json.loads(line) for line in done.stdout.splitlines()]
