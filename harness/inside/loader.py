"""The beginning of every program that runs in a place: it takes the program's modules from outside and calls `main`.

Its text stands in the command (`python3 -c`) and is followed by one call: of `receive`, where the modules come on
standard input, or of `begin` with all of them, where standard input is not to be had. What a program needs is found
out by `harness.engines.bundle`, which sends it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from types import ModuleType
    from typing import Any

    from harness.inside.messages import Order

NAME = "harness.inside.loader"
OPTIONS = ("-I", "-S", "-c")
"""Of the interpreter, before a text of `starting`: no program needs more than the standard library."""


class SentModules:
    """Finds and loads modules whose text was sent. The base classes for such take as long as all the rest."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}
        self.packages: set[str] = set()

    def add(self, sources: dict[str, str]) -> None:
        """Have these modules too, and the packages around them."""
        self.sources.update(sources)
        for name in sources:
            while "." in name:
                name = name.rpartition(".")[0]  # noqa: PLW2901 - one package after the other, outwards
                self.packages.add(name)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for what was sent, and for the packages around it."""
        package = fullname in self.packages
        if package or fullname in self.sources:
            return ModuleSpec(fullname, cast("Loader", self), is_package=package)
        return None

    def create_module(self, spec: ModuleSpec) -> None:
        """A module of the usual kind will do."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the text."""
        text = self.sources.get(module.__name__, "")
        exec(compile(text, module.__name__, "exec"), module.__dict__)  # noqa: S102 - that is its work


sent = SentModules()


def starting(text: str) -> str:
    """The program for `python3 -c` that goes on with what comes on standard input; `text` is that of this module."""
    return f"{text}\nreceive()\n"


def whole(text: str, order: Order) -> str:
    """The program for `python3 -c` that has everything in it."""
    return f"{text}\nbegin({order!r})\n"


def delivery(order: Order) -> str:
    """What a program that `starting` made must read first: eight digits, as many characters of modules, and a line.

    On its way, paths in it may become other paths (`harness.engines.host`); so no slash is in what has been counted.
    """
    modules = json.dumps(order["sources"]).replace("/", "\\u002f")  # in ASCII: a character is a byte
    return f"{len(modules):08d}{modules}{json.dumps({**order, 'sources': {}})}\n"


def receive() -> None:
    """Begin with what comes on standard input, and read nothing beyond it: the rest is the program's."""
    sources = json.loads(_read(int(_read(8))))
    line = b""
    while not line.endswith(b"\n"):
        line += _read(1)
    order: Order = json.loads(line)
    begin({**order, "sources": sources})


def begin(order: Order) -> None:
    """Make the modules importable and call the program."""
    if sent not in sys.meta_path:
        sys.meta_path.insert(0, cast("Any", sent))
        sys.modules[NAME] = sys.modules[__name__]  # for programs that make others begin
    sent.add(order["sources"])
    importlib.import_module(order["program"]).main(**order["arguments"])


def _read(size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            sys.exit(1)  # nobody wants anything any more
        data += piece
    return data
