"""To an OpenTelemetry collector: events as log records, batch after batch, in their order.

A batch counts as delivered when the collector has taken it, but for the records that it says it has rejected: those are
counted and named. One that was under way when this process was killed is sent again, so that a record can be there
twice; `log.record.uid` is the same in both. A batch that is refused as it is (bad data, or too large) is sent in
halves, and an event that is refused alone is set aside.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from observatory.errors import ObservatoryError
from observatory.forward.backoff import Backoff
from observatory.forward.otlp_exporter import Answer, Exporter, Outcome
from observatory.forward.otlp_record import record, resource_of
from observatory.forward.threads import in_thread
from observatory.forward.troubles import Troubles
from observatory.reading import read_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.forward.backlog import Backlog, Entry
    from observatory.forward.cursor import Cursor
    from observatory.forward.dead_letters import DeadLetters

BATCH: Final = 256
"""Records in one request, at most."""
BATCH_BYTES: Final = 4 * 1024 * 1024
"""The size of their events, at most; a single one may be larger."""
HANGING: Final = 15.0
"""Seconds after which it's said that a request is still not answered."""


class OtlpForwarder:
    """Sends what a backlog gives, one batch after the other. `log` takes sentences."""

    def __init__(
        self,
        endpoint: str,
        host: str,
        cursor: Cursor,
        log: Callable[[str], None],
        ca: str | None,
        dead_letters: DeadLetters,
    ) -> None:
        self._endpoint = endpoint
        self._host = host
        self._cursor = cursor
        self._log = log
        self._resource = resource_of(host)
        self._exporter = Exporter(endpoint, ca)
        self._dead_letters = dead_letters
        self._move = asyncio.Event()
        self._troubles = Troubles(log, "it takes events again")
        self._warned = ""
        self._rejected = 0
        self._set_aside = 0
        self.delivered = 0

    @property
    def remarks(self) -> str:
        """What was rejected and what was set aside."""
        rejected = f"; {self._rejected} rejected by the collector" if self._rejected else ""
        aside = f"; {self._set_aside} set aside in {self._dead_letters.path}" if self._set_aside else ""
        return rejected + aside

    def more(self) -> None:
        """There is something to take from the backlog. For the loop's thread."""
        self._move.set()

    async def run(self, backlog: Backlog, stopping: asyncio.Event) -> None:
        """Send until `stopping` is set."""
        while not stopping.is_set():
            self._move.clear()
            entries = backlog.take(BATCH)
            if not entries:
                await _first(self._move.wait(), stopping.wait())
                continue
            for batch in _batches(entries):
                if not await self._deliver(batch, stopping):
                    return

    async def _deliver(self, batch: list[Entry], stopping: asyncio.Event) -> bool:
        """Send until it's taken or set aside, or `stopping`; whether it is out of the way."""
        backoff = Backoff()
        while not stopping.is_set():
            outcome = await self._send(batch, stopping)
            if outcome is None:
                return False
            if outcome.answer is Answer.TAKEN:
                self._take_note(batch, outcome)
                self._move_on(batch[-1])
                return True
            if outcome.answer is Answer.REFUSED:
                if len(batch) > 1:
                    half = len(batch) // 2
                    return await self._deliver(batch[:half], stopping) and await self._deliver(batch[half:], stopping)
                if self._put_aside(batch[0], outcome.reason):
                    self._move_on(batch[0])
                    return True
            else:
                self._troubles.add(f"{self._endpoint} does not take events just now: {outcome.reason}")
            await _pause(max(outcome.wait, backoff.seconds()), stopping)
        return False

    async def _send(self, batch: list[Entry], stopping: asyncio.Event) -> Outcome | None:
        """What one request came to; `None` if it's told to stop meanwhile."""
        records = [record(read_event(entry.line), self._host, entry.database, self._resource) for entry in batch]
        request = in_thread(lambda: self._exporter.send(records))
        stop = asyncio.ensure_future(stopping.wait())
        try:
            # Not given up, however long it takes: there is never more than one.
            while not request.done() and not stop.done():
                await asyncio.wait((request, stop), timeout=HANGING, return_when=asyncio.FIRST_COMPLETED)
                if not request.done() and not stop.done():
                    self._troubles.add(f"{self._endpoint} has not answered in full for {HANGING:.0f} seconds")
            return request.result() if request.done() else None
        finally:
            stop.cancel()

    def _take_note(self, batch: list[Entry], outcome: Outcome) -> None:
        self._troubles.end()
        self.delivered += len(batch) - outcome.rejected
        self._rejected += outcome.rejected
        if outcome.rejected:
            first, last = batch[0].position.id, batch[-1].position.id
            which = f"event {first}" if first == last else f"{outcome.rejected} of the events {first} to {last}"
            self._log(f"{self._endpoint} has rejected {which}: {outcome.reason or 'no reason given'}")
        elif outcome.reason not in {"", self._warned}:
            self._warned = outcome.reason
            self._log(f"{self._endpoint} warns: {outcome.reason}")

    def _put_aside(self, entry: Entry, reason: str) -> bool:
        try:
            self._dead_letters.add(entry.line, reason)
        except ObservatoryError as error:
            self._troubles.add(f"event {entry.position.id} is refused ({reason}), and {error}")
            return False
        self._set_aside += 1
        self._log(f"event {entry.position.id} is refused, and set aside in {self._dead_letters.path}: {reason}")
        return True

    def _move_on(self, last: Entry) -> None:
        self._cursor.position = last.position
        self._cursor.save()


def _batches(entries: list[Entry]) -> list[list[Entry]]:
    """In order, none larger than BATCH_BYTES, but for one event alone."""
    batches: list[list[Entry]] = []
    size = 0
    for entry in entries:
        if not batches or size + len(entry.line) > BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(entry)
        size += len(entry.line)
    return batches


async def _pause(seconds: float, stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


async def _first(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
