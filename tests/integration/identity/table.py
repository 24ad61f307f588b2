"""The table of what a kernel answers in each case, and what observatory makes of it: docs/identity-table.md.

`python -m tests.integration.identity.table --engine docker,namespace` writes it, if all those engines answer alike.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.engines.registry import choose
from harness.inside.peers.cases import CASES
from tests.helpers.installation import ROOT, libraries, mounts
from tests.integration.identity.conftest import BARE, OBSERVATORY, staged

if TYPE_CHECKING:
    from tests.integration.identity.conftest import Sent, Stage

DOCUMENT = ROOT / "docs" / "identity-table.md"


@dataclass(frozen=True)
class Row:
    """One case by its name in `harness.inside.peers.cases`, and what the server is confined to."""

    name: str
    confinement: str | None = None


ROWS = (
    *map(Row, ("fork", "execute", "change-user", "moment", "helper", "thread", "passed", "shared", "living")),
    *map(Row, ("dead", "reused", "early")),
    *map(Row, ("large-ids", "many-groups", "changed-groups", "claimed", "forged", "nobody", "inner-pid", "inner-root")),
    Row("remapped"),
    Row("sibling", "pid"),
    Row("from-outside", "user"),
    Row("rootless", "rootless"),
)

HEAD = """# What the kernel says in each case

Made by playing each case to a bare listener, which passes on what the kernel says, and to observatory. The cases are
those of `harness/inside/peers`; each process keeps its own record, with which the answers are compared.
*As recorded* means that process id, effective user, effective group and supplementary groups are all those of the
process that connected; where a process and its ancestors are recorded too, that these are the same. Where the second
column has a number, it is what the kernel gives for *unknown*, and no id.

"""


def rows(stage: Stage) -> list[str]:
    """The table's lines for this place."""
    lines = ["| what happens | the kernel says | observatory says |", "|---|---|---|"]
    for row in ROWS:
        servers = (stage.server(command, row.confinement) for command in ((*BARE, "overflow"), OBSERVATORY))
        raw, told = (cell(stage.play(row.name, server).sent) for server in servers)
        lines.append(f"| {CASES[row.name].__doc__} | {raw} | {told} |")
    return lines


def cell(sent: list[Sent]) -> str:
    """What was said of each event, where it is not the connector's own record; events that are alike only once."""
    said: dict[str, list[str]] = {}
    for event in sorted(sent, key=lambda event: event.token):
        said.setdefault(differences(event), []).append(event.token)
    if len(said) == 1:
        return next(iter(said))
    return "; ".join(f"{', '.join(tokens)}: {words}" for words, tokens in said.items())


def differences(event: Sent) -> str:
    """One event's answer in words."""
    own, seen = event.sides()
    parts = []
    for name, value in seen.items():
        if name == "groups" and value == own[name] and isinstance(value, int):
            parts.append("as recorded, of the groups their number")
        elif value is None and name != "process":
            parts.append(f"{name} unknown")
        elif value != own[name]:
            parts.append(f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return ", ".join(parts) or "as recorded"


def main(engines: list[str]) -> None:
    """Write the document. Raises AssertionError if two engines answer differently."""
    made: dict[str, list[str]] = {}
    for name in engines:
        with ExitStack() as stack:
            engine = choose(name)
            place = stack.enter_context(engine.open(mounts=mounts(libraries(engine))))
            stage = stack.enter_context(staged(place))
            made[f"{name} ({place.facts.kernel.split('-')[0]})"] = rows(stage)
    first, *others = made.values()
    assert all(other == first for other in others)
    seen = f"Seen alike with the engines and Linux kernels {' and '.join(made)}."
    DOCUMENT.write_text(f"{HEAD}{seen}\n\n" + "\n".join(first) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[sys.argv.index("--engine") + 1].split(","))
