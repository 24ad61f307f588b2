"""The sentences with which the commands refuse or fail, read from the code that raises them.

A sentence is written with `…` for each part that varies. `docs/troubleshooting.md` has a heading for each that needs
more than it says; `docs/generate.py` lists the others in `docs/messages.md`.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = {
    "observatory": {"ObservatoryError", "_unavailable", "SourceError", "NatsConnectionError", "MalformedError"},
    "harness": {
        *("ActorError", "CheckError", "DescriptionError", "MergeError", "OutputError", "PlaceError", "ProbeError"),
        *("ProcessError", "StartError", "TraceError", "TrialError", "WorldError", "WriteError"),
    },
}
"""By package, what is raised for a user to read; `argparse.ArgumentTypeError` is so everywhere."""
EVERYWHERE = {"argparse.ArgumentTypeError"}
PART = "…"


def messages(root: Path, package: str) -> tuple[str, ...]:
    """Each sentence of a package that says something of itself, once, in the order of the alphabet."""
    shown = SHOWN[package] | EVERYWHERE
    found = set()
    for path in (root / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func) in shown:
                arguments = node.exc.args
            elif isinstance(node, ast.Call) and _prints_an_error(node):
                arguments = node.args
            else:
                continue
            found |= {_plain(text) for argument in arguments if (text := _text(argument)) is not None}
    return tuple(sorted((text for text in found if re.search(r"[a-z]{2}", text)), key=str.casefold))


def headings(document: str) -> tuple[str, ...]:
    """The sentences that a document explains: its headings that are code."""
    return tuple(re.findall(r"^### `(.*)`$", document, re.MULTILINE))


def _text(node: ast.expr) -> str | None:
    """A text as it is written in the code, or nothing if it is made elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else PART for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = (_text(node.left), _text(node.right))
        return None if sides == (None, None) else "".join(PART if side is None else side for side in sides)
    return None


def _prints_an_error(call: ast.Call) -> bool:
    return ast.unparse(call.func) == "print" and any(
        keyword.arg == "file" and ast.unparse(keyword.value) == "sys.stderr" for keyword in call.keywords
    )


def _plain(text: str) -> str:
    """Without the name of the command, which comes before every sentence, and as it can stand between backquotes."""
    return re.sub(rf"^(?:harness|observatory)(?: [\w{PART}]+)?: ", "", text).replace("`", "'")
