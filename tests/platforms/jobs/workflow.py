"""The commands of the workflow's Linux jobs, as a runner would be given them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORKFLOW = Path(__file__).parents[3] / ".github" / "workflows" / "ci.yml"


@dataclass(frozen=True, slots=True)
class Job:
    """One job with one choice of its matrix: `commands` are those of its `run` steps, in order."""

    name: str
    choice: Mapping[str, str]
    environment: Mapping[str, str]
    commands: tuple[str, ...]

    @property
    def title(self) -> str:
        """Its name, and the choice."""
        return "-".join((self.name, *self.choice.values()))


def jobs(text: str) -> list[Job]:
    """The jobs of a workflow that run commands on Linux x86-64, one for each choice of their matrix.

    What they take from the outcome of other jobs (`needs`) is no command of theirs.
    """
    workflow: dict[str, Any] = yaml.safe_load(text)
    return [
        job
        for name, described in workflow["jobs"].items()
        if "needs" not in described
        for job in _choices(name, described)
        if job.commands
    ]


def _choices(name: str, described: Mapping[str, Any]) -> Iterator[Job]:
    matrix: dict[str, Any] = dict(described.get("strategy", {}).get("matrix", {}))
    more: list[dict[str, str]] = matrix.pop("include", [])
    combined = [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]
    for choice in [*combined, *more]:
        if not re.fullmatch(r"ubuntu-[\d.]+", _filled(described["runs-on"], choice)):
            continue
        environment = {key: _filled(str(value), choice) for key, value in described.get("env", {}).items()}
        commands = tuple(_filled(step["run"], choice) for step in described["steps"] if "run" in step)
        yield Job(name, choice, environment, commands)


def _filled(text: str, choice: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: choice[found[1]], text)
