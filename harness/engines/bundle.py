"""How programs of `harness.inside` get into a place: as text on standard input, by a small start in the command."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

INSIDE = Path(__file__).parents[1] / "inside"
PACKAGE = "harness.inside"
PARTS = ("dialects", "peers", "probes")
"""What is sent along with every probe."""
BOOT = ["python3", "-I", "-S", "-c", (INSIDE / "loader.py").read_text(encoding="utf-8")]
"""The command of every probe."""


@cache
def _sources() -> dict[str, str]:
    """Every module of the package by its name."""
    found = {}
    for file in sorted(file for part in PARTS for file in (INSIDE / part).rglob("*.py")):
        parts = file.relative_to(INSIDE).with_suffix("").parts
        name = ".".join((PACKAGE, *(part for part in parts if part != "__init__")))
        found[name] = file.read_text(encoding="utf-8")
    return found


def once(program: str, arguments: dict[str, object]) -> str:
    """Standard input for one program of `harness.inside` (`probes.ready`) in a process of its own, which reads on."""
    return json.dumps({"sources": _sources(), "probe": program, "arguments": arguments}) + "\n"


def attend() -> str:
    """Standard input for a process that carries out orders."""
    return json.dumps({"sources": _sources()}) + "\n"


def order(program: str, arguments: dict[str, object], person: dict[str, object] | None) -> str:
    """One order for such a process: `person` is who the probe is to be, `None` the one whom it is started as."""
    return json.dumps({"probe": program, "arguments": arguments, "person": person}) + "\n"


def source(name: str = "agent/agent.py") -> bytes:
    """The text of a program of `harness.inside`, to be run by a place's own Python."""
    return (INSIDE / name).read_bytes()


AGENT_BOOT = (
    "import os,sys\n"
    "def read(n):\n"
    " text=b''\n"
    " while len(text)<n:\n"
    "  piece=os.read(0,n-len(text))\n"
    "  if not piece: sys.exit(1)\n"
    "  text+=piece\n"
    " return text\n"
    "exec(compile(read(int(read(8))),'agent','exec'))\n"
)
"""A program for `python3 -c` that reads another one from its standard input and becomes that: see `delivery`."""


def delivery(program: bytes) -> bytes:
    """What `AGENT_BOOT` must read first: the length as eight digits, and the program."""
    return b"%08d" % len(program) + program
