"""The nouns of a check: what must hold, and what came of it for one server. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.finding import CheckVerdict, Finding
    from harness.testbed.testbed import Testbed


@dataclass(frozen=True, slots=True)
class Check:
    """One property of a server. `holds` is the statement, `attack` tries to break it."""

    name: str
    holds: str
    attack: Callable[[Testbed], Finding]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A finding about one server. `reproduce` is the command that makes this very attack again."""

    check: str
    verdict: CheckVerdict
    why: str
    reproduce: str
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any])
