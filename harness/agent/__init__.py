"""What runs inside a place, and how the harness speaks with it."""

from __future__ import annotations

from importlib import resources


def source(name: str = "agent/agent.py") -> bytes:
    """The text of a program of this package, to be run by a place's own Python."""
    return resources.files("harness.inside").joinpath(name).read_bytes()


BOOT = (
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
    """What `BOOT` must read first: the length as eight digits, and the program."""
    return b"%08d" % len(program) + program
