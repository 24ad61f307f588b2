"""How programs get into a place: as text, by `harness.inside.loader`, each with the modules that it needs. Where the
interpreter there is this very one, they may come compiled.

A program is a module with `main(**arguments)`, of `harness.inside` or of another package, that imports nothing but the
standard library and modules of `harness.inside`; those alone are sent along.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.inside import loader
from harness.inside.delivery import OPTIONS, call, compiled, packed, starting, whole

if TYPE_CHECKING:
    from types import CodeType

    from harness.inside.messages import Order

INSIDE = Path(loader.__file__).parent
PACKAGE = "harness.inside"
START = starting(Path(loader.__file__).read_text(encoding="utf-8"))
"""What `python3 -c` runs, to go on with what `delivery` made."""
COMMAND = ("python3", *OPTIONS, START)
"""The command of every program that needs the standard library alone."""

_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?:[ \t]+.*\n|\n)*", re.MULTILINE)
_IMPORT = re.compile(rf"^[ \t]*from ({re.escape(PACKAGE)}[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)


def delivery(program: str, **arguments: Any) -> str:
    """What a program that runs `COMMAND` or `START` reads on its standard input; the rest of that is its own."""
    return _packed(program) + call(program, arguments)


def compiled_delivery(program: str, **arguments: Any) -> str:
    """As `delivery`, for a `START` that is run by this very interpreter."""
    order: Order = {"sources": _compiled(program), "program": program, "arguments": arguments}
    return compiled(order)


def self_contained(program: str, **arguments: Any) -> str:
    """The program for `python3 -c` where standard input is not to be had."""
    order: Order = {"sources": sources(program), "program": program, "arguments": arguments}
    return whole(Path(loader.__file__).read_text(encoding="utf-8"), order)


@cache
def sources(program: str) -> dict[str, str]:
    """The modules that a program needs, itself among them, by name. Raises ModuleNotFoundError if there is none."""
    found: dict[str, str] = {}
    ahead = [program]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found[name] = _text(name)
            ahead += _imports(found[name])
            package = name.rpartition(".")[0]
            if package.startswith(PACKAGE):
                ahead.append(package)
    return found


@cache
def _compiled(program: str) -> dict[str, str | CodeType]:
    """The modules that a program needs, as what Python keeps of them beside their text; the loader, which some of them
    send on, as text.
    """
    found: dict[str, str | CodeType] = {}
    for name, text in sources(program).items():
        file = _file(name)
        code = None if file is None or name == loader.NAME else SourceFileLoader(name, str(file)).get_code(name)
        found[name] = code or text
    return found


@cache
def _packed(program: str) -> str:
    return packed(sources(program))


def _imports(text: str) -> list[str]:
    """The modules of `harness.inside` that a module's text imports when it runs.

    By patterns: to parse the text would take longer than all else that the start of a place takes on this side.
    """
    found = []
    for package, names in _IMPORT.findall(_TYPES.sub("", text)):
        modules = [f"{package}.{name}" for name in re.findall(r"[\w]+", re.sub(r"#.*| as \w+", "", names))]
        found += [package, *(module for module in modules if _file(module) is not None)]
    return found


def _text(name: str) -> str:
    file = _file(name) if name.startswith(PACKAGE) else _found(name)
    if file is None:
        raise ModuleNotFoundError(f"there is no program {name}", name=name)
    return file.read_text(encoding="utf-8")


def _file(name: str) -> Path | None:
    """Where a module of `harness.inside` is."""
    path = INSIDE.joinpath(*name.split(".")[2:])
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    return None


def _found(name: str) -> Path | None:
    """Where any other module is."""
    spec = importlib.util.find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin)
