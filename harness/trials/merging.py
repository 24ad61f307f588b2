"""What several machines found, each in its part, put together: is it the whole, and what went wrong in it?

Parts are JUnit files of pytest with `--harness-shard`, and what `harness sweep --shard --json` wrote.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from harness.trials.shards import Shard, parse_shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

UNIT = {"tests": "tests", "sweep": "attempts"}


class MergeError(Exception):
    """A file is no part, or the parts are no whole; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that went wrong: its name, and all that was said of it."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """What one machine found. `whole` names what it is a part of: parts with the same go together.

    `tried` counts tests or attempts, `skipped` those that were not tried; `failures` are those that were kept in the
    file, of `failed` in all. `seconds` is the time that this part took.
    """

    file: str
    kind: str
    whole: str
    shard: Shard
    tried: int
    failed: int
    skipped: int
    seconds: float
    failures: tuple[Failure, ...]


def read_parts(files: Sequence[Path]) -> tuple[Part, ...]:
    """Read the files, and see that they are all parts of each whole, each once. Raises MergeError."""
    parts = tuple(part for file in files for part in _read(file))
    _complete(parts)
    return tuple(sorted(parts, key=lambda part: (part.kind, part.whole, part.shard.part)))


def _read(file: Path) -> list[Part]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise MergeError(f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MergeError(f"{file} is not UTF-8 text") from None
    try:
        parts = list(_tests(str(file), text)) if text.lstrip().startswith("<") else [_sweep(str(file), text)]
        if not parts:
            raise ValueError(f"{file} has no test suite")
        return parts
    except (ElementTree.ParseError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise MergeError(
            f"{file} is neither a JUnit file of `pytest --harness-shard` nor what `harness sweep --json` wrote "
            "to its end"
        ) from None


def _sweep(file: str, text: str) -> Part:
    *lines, last = (json.loads(line) for line in text.splitlines())
    return Part(
        file=file,
        kind="sweep",
        whole=f"sweep with seed {int(last['seed'])} in {last['engine']}",
        shard=parse_shard(last["shard"]),
        tried=int(last["attempts"]),
        failed=int(last["disagreements"]),
        skipped=0,
        seconds=float(last["seconds"]),
        failures=tuple(
            Failure(line["differences"][0], "\n".join([*line["differences"], line["toml"]])) for line in lines
        ),
    )


def _tests(file: str, text: str) -> Iterator[Part]:
    for suite in ElementTree.fromstring(text).iter("testsuite"):  # noqa: S314 - a file of one's own CI
        properties = {one.get("name"): one.get("value", "") for one in suite.iterfind("properties/property")}
        failures = []
        skipped = 0
        for case in suite.iterfind("testcase"):
            skipped += case.find("skipped") is not None
            wrong = [one for one in case if one.tag in {"failure", "error"}]
            if wrong:
                said = "\n".join(one.text or one.get("message") or "" for one in wrong)
                failures.append(Failure(f"{case.get('classname')}::{case.get('name')}", said))
        yield Part(
            file=file,
            kind="tests",
            whole=f"tests in {properties['engine']}",
            shard=parse_shard(properties["shard"]),
            tried=len(suite.findall("testcase")) - skipped,
            failed=len(failures),
            skipped=skipped,
            seconds=float(suite.get("time", "0")),
            failures=tuple(failures),
        )


def _complete(parts: Sequence[Part]) -> None:
    wholes: Mapping[str, list[Part]] = defaultdict(list)
    for part in parts:
        wholes[part.whole].append(part)
    for whole, members in wholes.items():
        sizes = {member.shard.parts for member in members}
        if len(sizes) > 1:
            shards = ", ".join(f"{member.file} is {member.shard}" for member in members)
            raise MergeError(f"the parts of the {whole} are of different wholes: {shards}")
        seen = Counter(member.shard.part for member in members)
        for number, times in seen.items():
            if times > 1:
                twice = [member.file for member in members if member.shard.part == number]
                raise MergeError(f"part {number} of the {whole} is there more than once: {' and '.join(twice)}")
        (size,) = sizes
        lacking = [str(number) for number in range(1, size + 1) if number not in seen]
        if lacking:
            raise MergeError(f"of the {size} parts of the {whole} these are missing: {', '.join(lacking)}")
