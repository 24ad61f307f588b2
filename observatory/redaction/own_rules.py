"""Rules of one's own: a TOML file in the form that gitleaks has made known, so that its rules can be taken too.

Of a rule its `id`, `regex`, `secretGroup` and `keywords` count. (What else gitleaks has, allow lists, entropy and
paths, is there to spare people false alarms; here something is taken out rather once too often.)
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    from pathlib import Path

_FLAGS_INSIDE: Final = re.compile(r"\((?:\?:)?\(\?i\)|\(\?i\)")
_ONLY_IN_GO: Final = (
    (r"\z", r"\Z"),
    ("[[:alnum:]]", "[0-9A-Za-z]"),
    ("[[:alpha:]]", "[A-Za-z]"),
    ("[[:digit:]]", "[0-9]"),
)


@dataclass(frozen=True, slots=True)
class OwnRule:
    """One rule. It is tried where one of its keywords is, in capitals or not; everywhere if it has none."""

    kind: str
    pattern: re.Pattern[str]
    group: int
    """The group of the pattern that is the secret; 0: the first that matches, or all of it."""
    keywords: tuple[bytes, ...]

    def marked(self, match: re.Match[str]) -> str:
        """A match of the pattern with a mark instead of its secret."""
        group = self.group
        if not group:
            group = next((number for number, text in enumerate(match.groups(), 1) if text), 0)
        secret = match[group]
        if not secret:
            return match[0]
        begin, end = (place - match.start() for place in match.span(group))
        return f"{match[0][:begin]}[redacted: {self.kind}, {len(secret)} characters]{match[0][end:]}"


def own_rules(path: Path) -> list[OwnRule]:
    """The rules of a file. Raises ObservatoryError, with a sentence, for one that can't be read or is invalid."""
    try:
        with path.open("rb") as file:
            said = tomllib.load(file)
    except OSError as error:
        raise _trouble(path, str(error.strerror)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _trouble(path, f"it is not TOML: {error}") from None
    extended = said.get("extend")
    if isinstance(extended, dict) and any(extended.get(key) for key in ("useDefault", "path", "url")):
        raise _trouble(path, "its [extend] names other rules, which are not read; put them all into one file")
    rules = said.get("rules")
    if not isinstance(rules, list) or not rules:
        raise _trouble(path, "it has no [[rules]], each with an id and a regex")
    # Some of gitleaks' rules are about the names of files, and have no regex.
    found = [_rule(path, number, rule) for number, rule in enumerate(rules, 1) if not _is_about_paths(rule)]
    if not found:
        raise _trouble(path, "none of its rules has a regex")
    return found


def _is_about_paths(rule: object) -> bool:
    return isinstance(rule, dict) and "path" in rule and "regex" not in rule


def _rule(path: Path, number: int, rule: Any) -> OwnRule:
    if not isinstance(rule, dict) or not isinstance(rule.get("id"), str) or not isinstance(rule.get("regex"), str):
        raise _trouble(path, f"rule {number} needs an id and a regex, both texts")
    name = f"rule {number} ({rule['id']!r})"
    if not re.fullmatch(r"[\w.-]{1,64}", rule["id"]):
        raise _trouble(path, f"the id of {name} may have letters, digits, '.', '_' and '-', up to 64")
    keywords, group = rule.get("keywords", []), rule.get("secretGroup", 0)
    if not isinstance(keywords, list) or not all(isinstance(each, str) and each for each in keywords):
        raise _trouble(path, f"the keywords of {name} must be a list of texts")
    try:
        pattern = re.compile(_in_python(rule["regex"]))
    except (re.error, RecursionError, OverflowError) as error:
        raise _trouble(path, f"the regex of {name} can't be used: {error}") from None
    if type(group) is not int or not 0 <= group <= pattern.groups:
        raise _trouble(path, f"the secretGroup of {name} is not a group of its regex")
    if pattern.match("") is not None:
        raise _trouble(path, f"the regex of {name} matches a text with nothing in it")
    return OwnRule(rule["id"], pattern, group, tuple(each.lower().encode() for each in keywords))


def _in_python(regex: str) -> str:
    """A regular expression as Python has it: in Go, a flag may stand in the middle, and counts from there on."""
    for go, python in _ONLY_IN_GO:
        regex = regex.replace(go, python)
    while (place := regex.find("(?i)", 1)) > 0:
        end = _end_of_group(regex, place)
        regex = f"{regex[:place]}(?i:{regex[place + 4 : end]}){regex[end:]}"
    return regex


def _end_of_group(regex: str, place: int) -> int:
    """Where the group ends in which this place is."""
    depth, at, in_class = 0, place, False
    while at < len(regex):
        sign = regex[at]
        if sign == "\\":
            at += 1
        elif in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
            at += (regex[at + 1 : at + 3] == "^]" and 2) or regex[at + 1 : at + 2] == "]"
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
            if depth < 0:
                return at
        at += 1
    return len(regex)


def _trouble(path: Path, what: str) -> ObservatoryError:
    return ObservatoryError(f"--redact-with {path}: {what}", ExitStatus.USAGE)
