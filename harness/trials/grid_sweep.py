"""The grid: every mode of a socket under every mode of its directory, tried by everyone, compared with the oracle."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.oracle import rules_of
from harness.oracle.grid import grid
from harness.world import Attempt, Node, User, World, complete

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.engines.protocol import Place
    from harness.oracle import Rules

DIRECTORY = "/srv/grid"
MODES = range(0o1000)
WHO = ("owner", "member", "supplementary", "stranger", "root", "powerless")
ATTEMPTS = len(MODES) * len(MODES) * len(WHO)
"""1,572,864."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One combination on which the kernel and the oracle differ."""

    user: str
    directory_mode: int
    socket_mode: int
    observed: str
    expected: str

    @property
    def sentence(self) -> str:
        """What differs, for a person."""
        return (
            f"{self.user}, directory {self.directory_mode:04o}, socket {self.socket_mode:04o}: the kernel did "
            f"{self.observed}, the oracle says {self.expected}"
        )

    @property
    def world(self) -> World:
        """The smallest world that shows it."""
        names = {"root", "owner", self.user}
        whole = world()
        directory = replace(whole.nodes[0], mode=self.directory_mode)
        socket = whole.nodes[1 + self.socket_mode]
        return replace(
            whole,
            name=f"grid-{self.user}-{self.directory_mode:03o}-{self.socket_mode:03o}",
            about=self.sentence,
            users=tuple(user for user in whole.users if user.name in names),
            nodes=(directory, socket),
            attempts=(Attempt(self.user, "connect", socket.path),),
        )


def world() -> World:
    """The grid as a world: a directory with 512 sockets, one for each mode, and six users."""
    return complete(
        World(
            "grid",
            groups={"team": 3000, "others": 3001},
            users=(
                User("root", 0, 0),
                User("owner", 3100, "team"),
                User("member", 3101, "team"),
                User("supplementary", 3102, "others", ("team",)),
                User("stranger", 3103, "others"),
                User("powerless", 0, 0, (), frozenset()),
            ),
            nodes=(
                Node(DIRECTORY, "directory", "owner", "team", 0o755),
                *(Node(f"{DIRECTORY}/{mode:03o}", "socket", "owner", "team", mode) for mode in MODES),
            ),
        )
    )


def expectations(rules: Rules) -> dict[str, list[bytes]]:
    """What the oracle says: by user, by mode of the directory, an errno (or 0) for each mode of a socket."""
    whole = world()
    directory, socket = whole.nodes[0].path, whole.nodes[1].path
    found: dict[str, list[bytes]] = {}
    for user in WHO:
        decided = grid(whole, Attempt(user, "connect", socket), rules, directory, socket)
        numbers = bytes(0 if outcome == "ok" else getattr(errno, outcome) for outcome, _ in decided.outcomes)
        cells = decided.cells.translate(numbers.ljust(256, b"\0"))
        found[user] = [cells[start : start + len(MODES)] for start in range(0, len(cells), len(MODES))]
    return found


def sweep_grid(
    place: Place, modes: Sequence[int] = MODES, rules: Rules | None = None
) -> Iterator[tuple[int, list[Disagreement]]]:
    """Try the grid's part with these modes of the directory.

    After each mode: the number of attempts that it took, and the disagreements. `rules` are the oracle's, in
    place of those of the place's kernel.
    """
    whole = world()
    place.build(whole)
    should = expectations(rules or rules_of(place.facts))
    principals = [whole.principal(user) for user in WHO]
    for mode, found in zip(modes, place.grid(DIRECTORY, modes, principals), strict=True):
        differing: list[Disagreement] = []
        for user, observed in zip(WHO, found, strict=True):
            if observed != should[user][mode]:
                differing += _differing(user, mode, observed, should[user][mode])
        yield sum(map(len, found)), differing


def _differing(user: str, mode: int, observed: bytes, should: bytes) -> Iterator[Disagreement]:
    for socket_mode, (did, says) in enumerate(zip(observed, should, strict=True)):
        if did != says:
            yield Disagreement(user, mode, socket_mode, _outcome(did), _outcome(says))


def _outcome(number: int) -> str:
    return "ok" if number == 0 else errno.errorcode[number]
