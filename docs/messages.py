"""The sentences that the commands and the server can print, read from the code that says them.

A sentence is written with `…` for each part that varies. `docs/troubleshooting.md` has a heading for each that needs
more than it says; `docs/generate.py` lists the others in `docs/messages.md`, by the part of the product that says them.
What the parsers say of options is in the references, and what argparse itself says in `USAGE_ERRORS`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PART = "…"


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a product: what its sentences are, and the packages and modules that say them."""

    title: str
    about: str
    modules: tuple[str, ...]


SOURCES = {
    "observatory": (
        Source(
            "Errors and notes of the commands",
            "A command that ends with one of these has a status of its own ([exit statuses](commands.md#exit-status)).",
            (
                *("cli", "client", "feed", "forward", "hooks", "identity", "listening", "notify", "questions", "store"),
                *("redaction", "sessions", "transcripts", "address.py", "audience.py", "errors.py", "events.py"),
                *("ownership.py", "reading.py", "shortening.py", "text.py", "__init__.py", "__main__.py"),
            ),
        ),
        Source(
            "The server",
            "Lines of its log on standard error, and the bodies of its answers to requests that it refuses.",
            ("service", "http"),
        ),
        Source(
            "Findings of doctor",
            "`observatory doctor` prints each behind `ok`, or behind `LOOK` with what helps.",
            ("client/doctor.py", "client/installed_hooks.py"),
        ),
        Source("The page and the terminal", "What [`web` and `watch`](web.md) show.", ("web", "watch")),
    ),
    "harness": (
        Source(
            "Errors and notes of the commands",
            "A command that ends with one of these has a status of its own "
            "([exit statuses](harness-commands.md#exit-status)).",
            (
                *("cli", "engines", "subjects", "testbed", "trials", "world", "scenarios", "containers"),
                *("__init__.py", "__main__.py"),
            ),
        ),
        Source(
            "Verdicts of check",
            "What a check attacked and saw, and what the server's author can do. [Checks](checks.md) describes each.",
            ("checks",),
        ),
        Source(
            "Answers of explain and capture",
            "What decides on this machine, what is not known, and what helps. [Explain](explain.md) has more.",
            ("live", "trace", "audit"),
        ),
        Source(
            "Reasons of the oracle",
            "Why an attempt is refused or allowed, in `harness run` and `harness explain`. [The oracle](oracle.md) has "
            "the rules.",
            ("oracle",),
        ),
        Source(
            "From inside a place",
            "What the agent and the probes say of the place that they work in.",
            ("inside",),
        ),
        Source("Reports", "What the reports of runs and checks say of themselves.", ("report",)),
        Source("The pytest plugin", "[The plugin](plugin.md) describes its marks and fixtures.", ("pytest_plugin",)),
    ),
}
"""By package. A module belongs to the source that names it, or else its package."""

NEVER_PRINTED = {
    "observatory/service/invariants.py": "the tests look at it after each turn of a server that they drive",
    "harness/showcase": "sessions of nox that write documents and show the demonstration",
}
"""What no command of the two prints, and why."""

USAGE_ERRORS = (
    "argument …: expected one argument",
    "argument …: invalid choice: … (choose from …)",
    "argument …: invalid … value: …",
    "argument …: not allowed with argument …",
    "ambiguous option: … could match …",
    "one of the arguments … is required",
    "the following arguments are required: …",
    "unrecognized arguments: …",
)
"""What argparse itself says of a command line, behind a summary of the command's options."""

RAISED = {
    "observatory": {"ObservatoryError", "_unavailable", "SourceError", "NatsConnectionError", "MalformedError"},
    "harness": {
        *("ActorError", "CheckError", "DescriptionError", "MergeError", "OutputError", "PlaceError", "ProbeError"),
        *("ProcessError", "StartError", "TraceError", "TrialError", "WorldError", "WriteError"),
    },
}
"""By package, what is raised for a user to read, be it ever so short; `argparse.ArgumentTypeError` is so everywhere."""
EVERYWHERE = {"argparse.ArgumentTypeError"}

IN_THE_REFERENCE = {"help", "description", "metavar", "usage", "epilog", "prog"}
"""Arguments of a parser: what they say is in the references of the commands, which are made from the parsers."""
IN_A_PLACE = re.compile(r"(?:execute|executescript|run|start|root|probe|query|compile|search|sub|_sql|Popen)$")
"""Functions that take another language than ours: SQL, the shell's, regular expressions."""
OTHER_LANGUAGES = re.compile(
    r"(?:SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|PRAGMA|local all) |strftime|.*\"\$|.*[({]\?[:!=]"
)
"""The same where it is written elsewhere."""
FEWEST_WORDS = 3
"""So many words in a row of tokens make a sentence, wherever it stands; fewer are one only where they are raised."""
_WORD = re.compile(r"[\"'(]*[A-Za-z][a-z']*[.,:;)!?\"']*")


def messages(root: Path, package: str) -> dict[Source, tuple[str, ...]]:
    """Each sentence of a package, once for each source, in the order of the alphabet. Raises LookupError for a module
    that belongs to no source."""
    found: dict[Source, set[str]] = {source: set() for source in SOURCES[package]}
    for path in (root / package).rglob("*.py"):
        name = path.relative_to(root).as_posix()
        if not any(f"{name}/".startswith(f"{each}/") for each in NEVER_PRINTED):
            found[source_of(name)] |= set(sentences(path.read_text(encoding="utf-8"), package))
    return {source: tuple(sorted(said, key=str.casefold)) for source, said in found.items()}


def source_of(module: str) -> Source:
    """What says the sentences of a module, which is named by its path. Raises LookupError if nothing does."""
    package, _, name = module.partition("/")
    by_name = {each: source for source in SOURCES[package] for each in source.modules}
    for candidate in (name, name.partition("/")[0]):
        if candidate in by_name:
            return by_name[candidate]
    raise LookupError(f"docs/messages.py names no source for {module}")


def sentences(code: str, package: str) -> Iterator[str]:
    """Each sentence in a module's code."""
    for text, at_least in _texts(ast.parse(code), RAISED[package] | EVERYWHERE, FEWEST_WORDS):
        said = _plain(re.sub(r"<[^<>]+>", "", text).strip())
        if "\n" in said or OTHER_LANGUAGES.match(said):
            continue
        if _words(said) >= at_least and re.search(r"[a-z]{2}", said):
            yield said


def in_the_reference(said: str, reference: str) -> bool:
    """Whether the references of the commands, which are Markdown, have these words already."""
    return said in reference.replace("\\", "").replace("`", "'")


def headings(document: str) -> tuple[str, ...]:
    """The sentences that a document explains: its headings that are code."""
    return tuple(re.findall(r"^### `(.*)`$", document, re.MULTILINE))


def _texts(node: ast.AST, raised: set[str], at_least: int) -> Iterator[tuple[str, int]]:
    """Each text below a node, and how many words make it a sentence there."""
    if isinstance(node, ast.expr) and (text := _text(node)) is not None:
        yield text, at_least
        for part in ast.walk(node):
            if isinstance(part, ast.FormattedValue):
                yield from _texts(part.value, raised, FEWEST_WORDS)
        return
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    said = isinstance(node, ast.Call) and (called in raised or _prints_an_error(node, called))
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        if isinstance(child, ast.keyword) and child.arg in IN_THE_REFERENCE:
            continue
        if isinstance(node, ast.Call) and child in node.args and IN_A_PLACE.search(called):
            continue
        yield from _texts(child, raised, 0 if said and child in getattr(node, "args", ()) else FEWEST_WORDS)


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


def _prints_an_error(call: ast.Call, called: str) -> bool:
    return called == "print" and any(
        keyword.arg == "file" and ast.unparse(keyword.value) == "sys.stderr" for keyword in call.keywords
    )


def _words(text: str) -> int:
    return sum(_WORD.fullmatch(token) is not None for token in text.replace(PART, " ").split())


def _plain(text: str) -> str:
    """Without the name of the command, which comes before every sentence, and as it can stand between backquotes."""
    return re.sub(rf"^(?:harness|observatory)(?: [\w{PART}]+)?: |^[,;:.] ", "", text).replace("`", "'")
