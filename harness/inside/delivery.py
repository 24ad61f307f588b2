"""What `loader` reads, made on the harness's side by `harness.engines.bundle`, and by programs that go on as others."""

from __future__ import annotations

import marshal
import zlib

TYPE_CHECKING = False
"""As in `typing`, which each start of a place would wait for."""

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from harness.inside.messages import Order

OPTIONS = ("-I", "-S", "-c")
"""Of the interpreter, before one of the texts: no program needs more than the standard library."""


def starting(loader: str) -> str:
    """The program for `python3 -c` that goes on with what comes on standard input; `loader` is that module's text."""
    return f"{loader}\nreceive()\n"


def whole(loader: str, order: Order) -> str:
    """The program for `python3 -c` that has everything in it."""
    return f"{loader}\nbegin({order!r})\n"


def packed(sources: Mapping[str, object]) -> str:
    """Modules, the first that is read from standard input: eight digits, and as many hexadecimal ones.

    Small, for a pipe holds 64 KiB, and more has to wait until the interpreter is there. And with no path in it: on the
    way to a place, paths may become other paths (`harness.engines.host`), and these have been counted.
    """
    return _counted(_json(sources).encode())


def compiled(order: Order) -> str:
    """All that is read, for a reader that is the interpreter by which it was compiled: it saves a quarter of what the
    start of a place takes.
    """
    data: Any = (order,)  # marshal may begin a dictionary as JSON does
    return _counted(marshal.dumps(data))


def _counted(data: bytes) -> str:
    text = zlib.compress(data, 1).hex()
    return f"{len(text):08d}{text}"


def call(program: str, arguments: dict[str, Any]) -> str:
    """What is read next: the line that says what to call."""
    return _json({"program": program, "arguments": arguments}) + "\n"


def _json(value: object) -> str:
    import json  # noqa: PLC0415 - it takes as long as an interpreter to start, and what is compiled needs none

    return json.dumps(value)
