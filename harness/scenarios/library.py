"""Scenarios as files: a world's TOML with one more table, `[scenario]`, that tells its story."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.world import WorldError, load

if TYPE_CHECKING:
    from harness.world import World

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Story:
    """What somebody sees, why it is so, and what helps."""

    symptom: str
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """A world and, where its file tells one, its story. `source` is what `harness run` takes to run it."""

    source: str
    world: World
    story: Story | None


def library() -> tuple[Scenario, ...]:
    """Every scenario that comes with the harness, in the order of their names."""
    return tuple(_from_file(path, path.stem) for path in sorted(FOLDER.glob("*.toml")))


def find(source: str) -> Scenario:
    """The scenario or world of a name in the library, else of a file.

    Raises WorldError if there is neither, or if the file is invalid.
    """
    if "/" not in source and not source.endswith(".toml"):
        named = FOLDER / f"{source}.toml"
        if named.is_file():
            return _from_file(named, source)
        if not Path(source).exists():
            near = difflib.get_close_matches(source, [path.stem for path in FOLDER.glob("*.toml")], 1)
            hint = f"did you mean {near[0]}?" if near else "`harness scenarios` lists them"
            raise WorldError(f"{source}: no file, and no scenario of that name; {hint}")
    return read(Path(source))


def read(path: Path) -> Scenario:
    """The scenario or world in a file. Raises WorldError."""
    return _from_file(path, str(path))


def _from_file(path: Path, source: str) -> Scenario:
    world = load(path)
    text = path.read_text(encoding="utf-8")
    # A world may have ten thousand attempts: only what may tell a story is parsed once more for it.
    table = tomllib.loads(text).get("scenario") if "scenario" in text else None
    return Scenario(source, world, None if table is None else _story(path, table))


def _story(path: Path, table: object) -> Story:
    keys = ("symptom", "cause", "remedy")
    if not isinstance(table, dict) or set(table) != set(keys):
        raise WorldError(f"{path}: [scenario] tells {', '.join(keys)}: these three keys and no other")
    texts = [table[key] for key in keys]
    for key, text in zip(keys, texts, strict=True):
        if not isinstance(text, str) or not text.strip():
            raise WorldError(f"{path}: scenario.{key}: must be a text in quotes")
    return Story(*texts)
