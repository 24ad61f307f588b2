"""How a probe gets into a place: as text on its standard input, with a small start on the command line."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

PROBES = Path(__file__).with_name("probes")
PACKAGE = "harness.checks.probes"
BOOT = ["python3", "-I", "-S", "-c", (PROBES / "boot.py").read_text(encoding="utf-8")]
"""The command of every probe."""


@cache
def _sources() -> dict[str, str]:
    """Every module of the package by its name."""
    found = {}
    for file in sorted(PROBES.rglob("*.py")):
        parts = file.relative_to(PROBES).with_suffix("").parts
        name = ".".join((PACKAGE, *(part for part in parts if part != "__init__")))
        found[name] = file.read_text(encoding="utf-8")
    return found


def once(probe: str, arguments: dict[str, object]) -> str:
    """Standard input for one probe in a process of its own; what follows is the probe's own input."""
    return json.dumps({"sources": _sources(), "probe": probe, "arguments": arguments}) + "\n"


def attend() -> str:
    """Standard input for a process that carries out orders."""
    return json.dumps({"sources": _sources()}) + "\n"


def order(probe: str, arguments: dict[str, object], person: dict[str, object] | None) -> str:
    """One order for such a process: `person` is who the probe is to be, `None` the one whom it is started as."""
    return json.dumps({"probe": probe, "arguments": arguments, "person": person}) + "\n"
