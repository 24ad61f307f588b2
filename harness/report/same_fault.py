"""When two runs say the same fault: without what differs from run to run, and with all that says how bad it is.

Only numbers that are known to differ are left out, each by the words beside it. A mode, an id, an errno, a port or a
number in a name may be what has become worse, so any other number counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DIFFERS = re.compile(
    r"""
      \b\d+(?:\.\d+)?(?=\ s\b)                                          # seconds
    | (?<=\bat\ stop\ )\d+ | (?<=\bduring\ start\ )\d+                  # of a start
    | (?<=\band\ its\ name\ still\ )\S+                                 # a name for the time of a start
    | \b\d+(?=\ (?:descriptors,|half\ requests\b|connections\b|sockets,|bytes\b))
    | (?<=\ connections\ )\d+ | (?<=,\ after\ )\d+\ \d+            # the counts of descriptor-leak
    | \ \(then\ (?:no\ more\ within\ \d+\ s|\d+\ s\ were\ over)\)       # how fast a flood was
    | (?<=\bhas\ pid\ )\d+(?:,\ the\ server\ says\ \d+)?
    | (?<='s\ pid\ has\ no\ translation\ in\ the\ server's\ namespaces,\ and\ it\ says\ )\d+
    | (?<='pid':\ )\d+ | (?<=\(pid\ )\d+ | (?<=\bserver\ describes\ process\ )\d+
    | (?<=\bnameless-)\d+ | (?<=;\ and\ )\d+(?=\ more)               # any of the strangers without a name
    | (?<=\bas\ descriptor\ )\d+ | (?:(?<=\bgot\ )|(?<=;\ ))\d+(?=\ \() | (?<=:\[)\d+(?=\])  # and inodes of sockets
    """,
    re.VERBOSE,
)
SAID = re.compile(r"(?<=\bsaid: ).*", re.DOTALL)
"""Words of the server's own, which stand last."""
IN_WORDS = re.compile(r"(?P<kept>(?<![\d.:-])0[0-7]{3}\b|\b(?:[ug]id|errno|status)\W{1,2}\d+)|\d+", re.IGNORECASE)
"""In these, where any number may be a time or a pid: what is no such number."""
UNTRIED = "no time was left for "


def without_what_differs(why: str) -> str:
    """What was said of a fault, the same for each run that finds it."""
    ours, words = (why, "") if (said := SAID.search(why)) is None else (why[: said.start()], said[0])
    return DIFFERS.sub("#", ours) + IN_WORDS.sub(lambda number: number["kept"] or "#", words)


def faults(why: str, evidence: Mapping[str, object]) -> set[str]:
    """Each part of what was said of a fault, and all of them where the evidence has more than were said."""
    listed = evidence.get("faults")
    said = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
    parts = (part.strip() for each in said or [why] for part in without_what_differs(each).split("; "))
    return {part for part in parts if not part.startswith(UNTRIED)}
