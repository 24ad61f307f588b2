"""The beginning of every program that runs in a place: it takes the program's modules from outside and calls `main`.

Its text stands in the command (`python3 -c`) and is followed by one call: of `receive`, where the modules come on
standard input, or of `begin` with all of them, where standard input is not to be had. `delivery` has the other end.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
"""As in `typing`, which takes longer to import than all else here; so does `json`, and not every program needs it."""

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import CodeType, ModuleType
    from typing import Any, Union

    from harness.inside.messages import Order

NAME = "harness.inside.loader"


class SentModules:
    """Finds and loads modules whose text was sent, or what the same interpreter made of it. The base classes for such
    take as long as all the rest.
    """

    def __init__(self) -> None:
        self.sources: dict[str, Union[str, CodeType]] = {}
        self.packages: set[str] = set()

    def add(self, sources: Mapping[str, Union[str, CodeType]]) -> None:
        """Have these modules too, and the packages around them."""
        self.sources.update(sources)
        for name in sources:
            while "." in name:
                name = name.rpartition(".")[0]  # noqa: PLW2901 - one package after the other, outwards
                self.packages.add(name)

    def text(self, name: str) -> str:
        """The text of a module that was sent as that."""
        found = self.sources[name]
        assert isinstance(found, str)
        return found

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for what was sent, and for the packages around it."""
        package = fullname in self.packages
        if package or fullname in self.sources:
            loader: Any = self
            return ModuleSpec(fullname, loader, is_package=package)
        return None

    def create_module(self, spec: ModuleSpec) -> None:
        """A module of the usual kind will do."""

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        source = self.sources.get(module.__name__, "")
        code = compile(source, module.__name__, "exec") if isinstance(source, str) else source
        exec(code, module.__dict__)  # noqa: S102 - that is its work


sent = SentModules()


def receive() -> None:
    """Begin with what comes on standard input, and read nothing beyond it: the rest is the program's."""
    import zlib  # noqa: PLC0415 - see above

    data = zlib.decompress(bytes.fromhex(_read(int(_read(8))).decode()))
    if not data.startswith(b"{"):  # no JSON: `delivery.compiled` made it
        import marshal  # noqa: PLC0415

        begin(marshal.loads(data)[0])  # noqa: S302 - the sender may have run here what it likes anyway
        return
    import json  # noqa: PLC0415

    sources = json.loads(data)
    line = b""
    while not line.endswith(b"\n"):
        line += _read(1)
    order: Order = json.loads(line)
    begin({**order, "sources": sources})


def begin(order: Order) -> None:
    """Make the modules importable and call the program."""
    if sent not in sys.meta_path:
        finder: Any = sent
        sys.meta_path.insert(0, finder)
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
