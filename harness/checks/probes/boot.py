"""The first thing that runs of a probe: takes the others' sources from standard input and calls `main`.

Sent as `python3 -c`. The first line on standard input is `{"sources": {module: text}, "probe": module, "arguments": {...}}`.
"""

from __future__ import annotations

import importlib
import json
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class Sent(MetaPathFinder, Loader):
    """Imports modules whose text was sent along."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for what was sent, and for the packages around it."""
        if fullname in self.sources or any(name.startswith(fullname + ".") for name in self.sources):
            package = any(name.startswith(fullname + ".") for name in self.sources)
            return ModuleSpec(fullname, self, is_package=package)
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the text."""
        text = self.sources.get(module.__name__, "")
        exec(compile(text, module.__name__, "exec"), module.__dict__)  # noqa: S102 - that is its work


def main() -> None:
    """Take the order, make the modules importable, call the probe."""
    order = json.loads(sys.stdin.readline())
    sys.meta_path.insert(0, Sent(order["sources"]))
    importlib.import_module(order["probe"]).main(**order["arguments"])


if __name__ == "__main__":
    main()
