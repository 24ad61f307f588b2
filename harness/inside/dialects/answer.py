"""What is asked with, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Answer(NamedTuple):
    """What came back.

    `kind` is `accepted`, `refused` (the server said no), `starting` (it said not yet), `closed` (it ended the
    connection without a word), `silent` (no answer in time), or the errno name of a connect that failed. `seen` is
    whom the server says that it saw.
    """

    kind: str
    text: str = ""
    seen: dict[str, Any] | None = None

    @property
    def answered(self) -> bool:
        """Whether the server was there for us at all."""
        return self.kind in ("accepted", "refused")


class Claims(NamedTuple):
    """Lies to tell on the way: fields for the payload, headers, a query, a user's name."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    query: str
    user: str | None


NO_CLAIMS = Claims({}, {}, "", None)
