"""Edits of a JSON text that leave every other byte as it is: what was inserted, and nothing else, is new.

A settings file is its owner's: parsing and writing it anew would change spacing, escapes and the look of
numbers. So only the *places* of members are found here (each value is parsed by `json`), and edits are spans.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class MalformedError(ValueError):
    """The text is not what it should be; the message says what and where, in words for its owner."""


@dataclass(frozen=True, slots=True)
class Item:
    """A member of an object, or an element of an array. `start` is the key's, or the element's own."""

    key: str | None
    value: object
    start: int
    value_start: int
    end: int


@dataclass(frozen=True, slots=True)
class Container:
    """An object or an array in a text: from its opening bracket at `open` to its closing one at `close`."""

    items: tuple[Item, ...]
    open: int
    close: int

    def member(self, key: str) -> Item | None:
        """The member of that key, if there is one. Raises MalformedError if there are several."""
        found = [item for item in self.items if item.key == key]
        if len(found) > 1:
            raise MalformedError(f"it has the key {key!r} twice in one object")
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace what is between `start` and `end` by `text`."""

    start: int
    end: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Formatting:
    """How a text is written: its newline, and what one level of indentation is."""

    newline: str
    unit: str


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_space = re.compile(r"[ \t\r\n]*")


def top(text: str) -> Container:
    """The object that the whole text is. Raises MalformedError for anything else."""
    start = _skip(text, 1 if text.startswith("\ufeff") else 0)
    try:
        value, end = _decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise MalformedError(f"it is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except ValueError as error:
        raise MalformedError(f"it is not JSON: {error}") from error
    except RecursionError:
        raise MalformedError("it is nested too deeply") from None
    end = _skip(text, end)
    if end != len(text):
        line = text.count("\n", 0, end) + 1
        raise MalformedError(f"it is not JSON: something follows the object, at line {line}")
    if not isinstance(value, dict):
        raise MalformedError("it is JSON, but not an object")
    return container(text, start)


def container(text: str, start: int) -> Container:
    """The object or array that begins at `start`, in a text that `top` has accepted."""
    in_object = text[start] == "{"
    items: list[Item] = []
    place = _skip(text, start + 1)
    while text[place] not in "}]":
        first, key = place, None
        if in_object:
            key, place = _decoder.raw_decode(text, place)
            place = _skip(text, _skip(text, place) + 1)  # the colon
        value, end = _decoder.raw_decode(text, place)
        items.append(Item(key, value, first, place, end))
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return Container(tuple(items), start, place)


def _skip(text: str, place: int) -> int:
    found = _space.match(text, place)
    return found.end() if found else place


def formatting(text: str, root: Container) -> Formatting:
    """The text's own formatting; two spaces and a line feed where it doesn't show any."""
    newline = "\r\n" if "\r\n" in text else "\n"
    unit = _own_line(text, root.items[0].start) if root.items else None
    return Formatting(newline, unit or "  ")


def _own_line(text: str, place: int) -> str | None:
    """The white space before `place` if nothing else is before it on its line."""
    line = text.rfind("\n", 0, place) + 1
    before = text[line:place]
    return before if line > 0 and not before.strip(" \t") else None


def append(
    text: str, into: Container, depth: int, values: Sequence[tuple[str | None, object]], how: Formatting
) -> Edit:
    """Add members (key, value) to an object, or elements (`None`, value) to an array, after those it has.

    `depth` is how many containers the container itself is in.
    """
    outside = how.unit * depth
    inside = outside + how.unit
    one_line = bool(into.items) and "\n" not in text[into.open : into.close]
    if into.items and not one_line:
        inside = _own_line(text, into.items[-1].start) or inside
    break_ = " " if one_line else how.newline + inside
    pieces: list[str] = []
    for key, value in values:
        written = json.dumps(value, ensure_ascii=False, indent=None if one_line else how.unit)
        label = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
        pieces.append(label + written.replace("\n", how.newline + inside))
    if into.items:
        place = into.items[-1].end
        return Edit(place, place, "".join(f",{break_}{piece}" for piece in pieces))
    end = "" if "\n" in text[into.open : into.close] else how.newline + outside
    return Edit(into.open + 1, into.open + 1, break_ + f",{break_}".join(pieces) + end)


def remove(from_: Container, unwanted: Iterable[int]) -> list[Edit]:
    """Take out the items of these indices, with the commas and the space that came with them."""
    gone = set(unwanted)
    kept = [index for index in range(len(from_.items)) if index not in gone]
    if not kept:
        return [Edit(from_.open + 1, from_.close)] if gone else []
    edits = [Edit(from_.items[index].start, from_.items[index + 1].start) for index in sorted(gone) if index < kept[-1]]
    if kept[-1] + 1 < len(from_.items):
        edits.append(Edit(from_.items[kept[-1]].end, from_.items[-1].end))
    return edits


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits made, none of which overlaps another."""
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text
