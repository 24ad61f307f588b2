"""The nouns of a check: what must hold, what an attack found, and what came of it for one server. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.inside.reports import AnswerReport
    from harness.testbed.testbed import Testbed

CheckVerdict = Literal["held", "broken", "not applicable", "not known"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What an attack found. `why` is one or a few sentences with what was seen; `evidence` the same as data (JSON)."""

    verdict: CheckVerdict
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any])


def held(why: str, **evidence: Any) -> Finding:
    """What must hold was attacked and held."""
    return Finding("held", why, evidence)


def broken(why: str, **evidence: Any) -> Finding:
    """What must hold did not."""
    return Finding("broken", why, evidence)


def not_applicable(why: str, **evidence: Any) -> Finding:
    """The check does not apply to this server, or can't be made here. It never counts as held."""
    return Finding("not applicable", why, evidence)


def not_known(why: str, **evidence: Any) -> Finding:
    """The attack did not finish, or what it needs was not seen: nothing is said of the server."""
    return Finding("not known", why, evidence)


def told(answer: AnswerReport) -> str:
    """What became of a request, for a sentence: of what kind it was, and what the server said."""
    return " ".join(part for part in (answer["kind"], answer["text"]) if part)


@dataclass(frozen=True, slots=True)
class Check:
    """One property of a server. `holds` is the statement, `attack` tries to break it."""

    name: str
    holds: str
    attack: Callable[[Testbed], Finding]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A finding about one server.

    `reproduce` is the command that makes this very attack again, `seconds` how long it took, `mend` what its author can
    do about what is broken, and `expected` the reason for which that is known and no news.
    """

    check: str
    verdict: CheckVerdict
    why: str
    reproduce: str
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seconds: float = 0.0
    mend: str = ""
    expected: str = ""

    @property
    def fails(self) -> bool:
        """Whether this is news that somebody has to look at: what is broken, or could not be found out."""
        return self.verdict in ("broken", "not known") and not self.expected
