"""What several machines found, each in its part, put together: is it the whole, and what went wrong in it?

Parts are JUnit files of pytest with `--harness-shard`, and what `harness sweep --shard --json` wrote.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from harness.trials.shards import Shard, parse_shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

UNIT = {"tests": "tests", "sweep": "attempts"}
LARGEST = 2**63 - 1
"""What no count comes near."""


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
    except (ElementTree.ParseError, ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
        raise MergeError(
            f"{file} is neither a JUnit file of `pytest --harness-shard` nor what `harness sweep --json` wrote "
            "to its end"
        ) from None


def _sweep(file: str, text: str) -> Part:
    *lines, last = (json.loads(line) for line in text.splitlines())
    failures = tuple(_disagreement(line["differences"], line["toml"]) for line in lines)
    tried, failed = _count(last["attempts"]), _count(last["disagreements"])
    # Of many only the first are in the file.
    if failed < len(failures) or (failed and not failures):
        raise _contradiction(file, f"{failed} disagreements, and has {len(failures)}")
    if failed > tried:
        raise _contradiction(file, f"{failed} disagreements in {tried} attempts")
    return Part(
        file=file,
        kind="sweep",
        whole=f"sweep with seed {_count(last['seed'])} in {_words(last['engine'])}",
        shard=parse_shard(_words(last["shard"])),
        tried=tried,
        failed=failed,
        skipped=0,
        seconds=_seconds(last["seconds"]),
        failures=failures,
    )


def _disagreement(differences: object, toml: object) -> Failure:
    if not isinstance(differences, list):
        raise TypeError
    said = [*map(_words, differences)]
    return Failure(said[0], "\n".join([*said, _words(toml)]))


def _tests(file: str, text: str) -> Iterator[Part]:
    for suite in ElementTree.fromstring(text).iter("testsuite"):  # noqa: S314 - a file of one's own CI
        properties = {one.get("name"): one.get("value", "") for one in suite.iterfind("properties/property")}
        cases = suite.findall("testcase")
        failures = []
        skipped = 0
        for case in cases:
            wrong = [one for one in case if one.tag in {"failure", "error"}]
            if wrong:
                said = "\n".join(one.text or one.get("message") or "" for one in wrong)
                failures.append(Failure(f"{case.get('classname')}::{case.get('name')}", said))
            else:
                skipped += case.find("skipped") is not None
        _agree(file, suite)
        yield Part(
            file=file,
            kind="tests",
            whole=f"tests in {properties['engine']}",
            shard=parse_shard(properties["shard"]),
            tried=len(cases) - skipped,
            failed=len(failures),
            skipped=skipped,
            seconds=_seconds(float(suite.get("time", "0"))),
            failures=tuple(failures),
        )


def _agree(file: str, suite: ElementTree.Element) -> None:
    """See that a suite has what it counts. Raises MergeError, and ValueError where it counts by no number."""
    for counted, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        there = len(suite.findall(f"testcase/{tag}"))
        if _count(int(suite.get(counted, there))) != there:
            raise _contradiction(file, f"{suite.get(counted)} {counted}, and has {there}")
    # With subtests, and with errors in a teardown, pytest counts more than it has testcases.
    if _count(int(suite.get("tests", 0))) and suite.find("testcase") is None:
        raise _contradiction(file, f"{suite.get('tests')} tests, and has none")


def _contradiction(file: str, counted: str) -> MergeError:
    return MergeError(f"{file} contradicts itself, so it is not used: it counts {counted}; make this part anew")


def _count(value: object) -> int:
    """A count as it is written. Raises ValueError."""
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise ValueError
    return value


def _seconds(value: object) -> float:
    """Seconds as they are written. Raises ValueError or OverflowError."""
    if not isinstance(value, int | float) or not 0 <= float(value) < math.inf:
        raise ValueError
    return float(value)


def _words(value: object) -> str:
    """Text as it is written. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError
    return value


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
