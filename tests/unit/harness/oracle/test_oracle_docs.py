from __future__ import annotations

from pathlib import Path

import pytest

from harness.world import loads
from tests.helpers.documents import code_blocks

DOCS = Path(__file__).parents[4] / "docs"


def pieces_of(name: str, language: str) -> list[str]:
    """The pieces of a language in a document."""
    return code_blocks((DOCS / name).read_text(encoding="utf-8"), language)


@pytest.mark.parametrize("name", ["worlds.md", "oracle.md"])
def test_the_python_of_a_document_runs_and_holds(name: str) -> None:
    pieces = pieces_of(name, "python")
    assert pieces
    for piece in pieces:
        exec(compile(piece, name, "exec"), {})


def test_the_world_of_the_document_is_one() -> None:
    (world,) = map(loads, pieces_of("worlds.md", "toml"))
    assert world.attempts[0].expect == "EACCES"


def test_the_mistake_of_the_document_is_told_like_that() -> None:
    (world,) = pieces_of("worlds.md", "toml")
    (said,) = pieces_of("worlds.md", "text")
    with pytest.raises(ValueError, match=r"moed") as caught:
        loads(world.replace("mode = ", "moed = "), "worlds/ci.toml")
    assert str(caught.value) == said.strip()
