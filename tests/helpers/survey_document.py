"""docs/survey.md, read."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "docs" / "survey.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, its own first row included."""
    _, _, below = TEXT.partition(f"\n## {heading}\n")
    lines = [line for line in below.partition("\n## ")[0].splitlines() if line.startswith("|")]
    rows = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [rows[0], *rows[2:]]


def reproductions() -> list[tuple[str, str, str]]:
    """The server, the check and the command of everything that is broken."""
    _, _, below = TEXT.partition("\n## What is broken, and how to see it\n")
    found = []
    for section in below.partition("\n## ")[0].split("\n### ")[1:]:
        server = section.partition("\n")[0]
        blocks = re.finditer(r"^- \*\*([\w-]+)\*\*: \S.*\n\n  ```sh\n  (.+)\n  ```$", section, re.MULTILINE)
        found += [(server, block[1], block[2]) for block in blocks]
    return found
