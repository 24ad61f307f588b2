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


def order(probe: str, arguments: dict[str, object]) -> str:
    """The first line of a probe's standard input."""
    message = {"sources": _sources(), "probe": f"{PACKAGE}.{probe}", "arguments": arguments}
    return json.dumps(message) + "\n"
