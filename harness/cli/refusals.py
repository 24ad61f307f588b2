"""Failed calls as they come, each like another told once; and a table of them at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from harness.live.refused_call import RefusedCall
    from harness.report.text import Line

PATIENCE = 1.0
"""Seconds for which the reason of a failure counts for others like it, at least."""
REST = 9
"""And for this many times as long as it took to find it: of a program that fails all the time a tenth goes to that."""


class Refusals:
    """What is printed of failed calls. The model is imported when the first has come: most commands have none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows: list[_Row] = []
        self.any = False

    def came(self, kind: tuple[object, ...], standing: tuple[object, ...], explain: Callable[[], RefusedCall]) -> None:
        """Print a call with its reason, unless one like it has been.

        Its reason is looked for anew after a while, and where what decides is not what it was (`standing`).
        """
        from harness.report.refused_calls import refused_call, usual

        now = time.monotonic()
        alike = [row for row in self._rows if row.kind == kind]
        for row in alike:
            if row.standing == standing and now < row.counts_until:
                row.times += 1
                return
        refused = explain()
        found = time.monotonic()
        counts_until = found + max(PATIENCE, REST * (found - now))
        for row in alike:
            if row.refused.reason == refused.reason:
                row.times, row.counts_until, row.standing = row.times + 1, counts_until, standing
                return
        self._rows.append(_Row(kind, standing, refused, counts_until))
        if not usual(refused.call.path, refused.call.outcome):
            self.any = True
            self._print(refused_call(refused))

    def ended(self, shorn: Mapping[str, str]) -> None:
        """Print the table. `shorn` are programs that ran without rights that their files give, and why."""
        from harness.report.refused_calls import table

        self._print(table([(row.refused, row.times) for row in self._rows], shorn))

    def _print(self, lines: list[Line]) -> None:
        from harness.report.text import coloured, plain, wants_colour

        self._stream.write(coloured(lines) if wants_colour(self._stream) else plain(lines))
        self._stream.flush()


@dataclass(slots=True)
class _Row:
    """Calls that failed alike: what they have in common, what decided on it when its reason was last looked for, the
    first one's explanation, and the time until which that counts.
    """

    kind: tuple[object, ...]
    standing: tuple[object, ...]
    refused: RefusedCall
    counts_until: float
    times: int = 1
