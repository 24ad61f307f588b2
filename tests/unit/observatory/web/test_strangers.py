"""Whoever has just come to the page's port gets a hearing, and nobody stays who is not known."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("uvicorn", reason="the page comes with the extra [web]")

from observatory.web import strangers
from observatory.web.strangers import MOST, Strangers

if TYPE_CHECKING:
    from collections.abc import Callable


class Visitor:
    """What stands for a connection: it says whether it was turned out."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport = self
        self.gone = False

    def abort(self) -> None:
        self.gone = True


def meeting(scene: Callable[[Strangers], Any]) -> None:
    """Run a scene in a loop."""

    async def play() -> None:
        result = scene(Strangers())
        if result is not None:
            await result

    asyncio.run(play())


def come(those: Strangers, count: int) -> list[Visitor]:
    visitors = [Visitor() for _ in range(count)]
    for visitor in visitors:
        those.come(visitor)  # type: ignore[arg-type]
    return visitors


def test_the_oldest_goes_when_there_are_too_many() -> None:
    def scene(those: Strangers) -> None:
        visitors = come(those, MOST + 3)
        assert [visitor.gone for visitor in visitors] == [True] * 3 + [False] * MOST

    meeting(scene)


def test_who_is_known_is_no_stranger_any_more() -> None:
    def scene(those: Strangers) -> None:
        known, *_ = come(those, 1)
        those.go(known)  # type: ignore[arg-type]
        come(those, 2 * MOST)
        those.turn_out_all()
        assert not known.gone

    meeting(scene)


def test_nobody_stays_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "SECONDS", 0.01)

    async def scene(those: Strangers) -> None:
        known, stranger = come(those, 2)
        those.go(known)  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        assert (known.gone, stranger.gone) == (False, True)

    meeting(scene)


def test_all_go_at_the_end() -> None:
    def scene(those: Strangers) -> None:
        visitors = come(those, 5)
        those.turn_out_all()
        assert all(visitor.gone for visitor in visitors)

    meeting(scene)
