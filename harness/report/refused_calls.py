"""The failed calls of a command that was followed: each as it happens, and a table of all."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final

from harness.report.explanation import explain
from harness.report.text import Line, Span, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.live.refused_call import RefusedCall

HEADINGS: Final = ("path", "who", "call", "times", "answer", "reason")
USUAL: Final = ("/var/run/nscd/socket", "/run/nscd/socket", "/run/systemd/userdb/", "/dev/log", "/run/systemd/journal/")
"""Sockets that libraries try in every program, and do without where nobody has made them."""
_UNREADABLE: Final = "(a path that can't be read)"
_ABSENT: Final = frozenset({"ENOENT", "ECONNREFUSED"})


def usual(path: str | None, outcome: str) -> bool:
    """Whether a library tries that socket and does without it, so that it is no failure of the program's."""
    return path is not None and path.startswith(USUAL) and outcome in _ABSENT


def refused_call(refused: RefusedCall) -> list[Line]:
    """What was called, who refused it and why; then the path, as `explain PATH` draws it."""
    call = refused.call
    who = f"{refused.program} ({call.thread}) {_words(refused)}"
    lines: list[Line] = [
        (
            Span("harness: ", "dim"),
            Span(f"{visible(who)}: ", "strong"),
            Span(call.outcome, "refused"),
            Span(f": {visible(refused.reason if refused.seen is None else _first_sentence(refused.reason))}"),
        )
    ]
    if refused.seen is not None:
        lines += explain(*refused.seen, tabled=refused.model != call.outcome)
        if refused.model is not None and refused.model != call.outcome:
            lines.append(
                (Span("  BUT    ", "refused"), Span(f"the kernel said {call.outcome} to {call.name}", "warning"))
            )
    return lines


def table(refusals: Sequence[tuple[RefusedCall, int]], shorn: Mapping[str, str]) -> list[Line]:
    """Each path, who was refused it, how often, the kernel's answer and the reason; then what following changed."""
    lines: list[Line] = []
    if not refusals:
        lines.append((Span("harness: ", "dim"), Span("no call on a Unix socket failed")))
    else:
        rows = [HEADINGS, *(_row(refused, times) for refused, times in refusals)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        for number, row in enumerate(rows):
            cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)]
            lines.append((Span("  ".join(cells), "plain" if number else "dim"),))
    for program, why in shorn.items():
        text = f"{program} ran without the rights that its file gives, since it was followed ({why}): ask as root"
        lines.append((Span("  note   ", "dim"), Span(visible(text), "warning")))
    return lines


def _words(refused: RefusedCall) -> str:
    call = refused.call
    words = [call.name]
    words += [_UNREADABLE if call.unreadable else "(a Unix socket)" if call.path is None else call.path or "(no name)"]
    words += [] if call.to is None else ["->", call.to]
    words += [] if call.base is None else [f"(in {call.base})"]
    return " ".join(words)


def _row(refused: RefusedCall, times: int) -> tuple[str, ...]:
    call = refused.call
    path = "-" if call.path is None else call.path
    if call.base is not None:
        path = posixpath.join(call.base, path.removeprefix("./"))
    who = f"{refused.who} ({refused.program})"
    reason = "optional: libraries do without it" if usual(call.path, call.outcome) else _first_sentence(refused.reason)
    return visible(path), visible(who), call.name, str(times), call.outcome, visible(reason)


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".")
