"""The first thing that runs of a probe: takes the probes' sources from standard input and calls them.

Sent as `python3 -c`. The first line on standard input is `{"sources": {module: text}}`. With `"probe"` and
`"arguments"` in it, that probe is called once, and the rest of standard input is the probe's. Without, every
further line is an order `{"probe", "arguments", "person"}`: a child becomes that person (`null`: stays who we are)
and calls the probe, and a line `{"status", "output", "error"}` answers. So a probe costs a fork and not the start
of an interpreter.
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

WARM = (
    *("probes.listing", "probes.question", "probes.ready", "probes.change", "probes.descriptors", "probes.person"),
    "dialects.hooks",
)
"""What is imported before the first order."""


class Sent:
    """Finds and loads modules whose text was sent along. The base classes for such take as long as all the rest."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for what was sent, and for the packages around it."""
        package = any(name.startswith(fullname + ".") for name in self.sources)
        return (
            ModuleSpec(fullname, cast("Loader", self), is_package=package)
            if package or fullname in self.sources
            else None
        )

    def create_module(self, spec: ModuleSpec) -> None:
        """A module of the usual kind will do."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the text."""
        text = self.sources.get(module.__name__, "")
        exec(compile(text, module.__name__, "exec"), module.__dict__)  # noqa: S102 - that is its work


def load(name: str) -> Any:
    """A probe's module."""
    return importlib.import_module("harness.inside." + name)


def attend() -> None:
    """Carry out orders until there are no more."""
    for name in WARM:
        load(name)
    for line in sys.stdin:
        order = json.loads(line)
        load(order["probe"])  # here, so that it is imported once
        hear, say = os.pipe()
        complain, complaint = os.pipe()
        pid = os.fork()
        if pid == 0:
            _carry_out(order, say, complaint)
        os.close(say)
        os.close(complaint)
        with os.fdopen(hear) as output, os.fdopen(complain) as error:
            answer = {"output": output.read(), "error": error.read()}
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"status": status, **answer}), flush=True)


def _carry_out(order: dict[str, Any], output: int, error: int) -> None:
    status = 1
    try:
        nowhere = os.open("/dev/null", os.O_RDONLY)
        for number, descriptor in enumerate((nowhere, output, error)):
            os.dup2(descriptor, number)
        os.closerange(3, 64)
        if order["person"] is not None:
            load("probes.person").become(order["person"])
        load(order["probe"]).main(**order["arguments"])
        sys.stdout.flush()
        status = 0
    except BaseException as failure:
        os.write(2, f"{type(failure).__name__}: {failure}".encode())
    finally:
        os._exit(status)


def main() -> None:
    """Make the modules importable and call what is to be called."""
    order = json.loads(sys.stdin.readline())
    sys.meta_path.insert(0, Sent(order["sources"]))
    if "probe" in order:
        load(order["probe"]).main(**order["arguments"])
    else:
        attend()


if __name__ == "__main__":
    main()
