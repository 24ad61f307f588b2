"""So many places are opened as are of use, and each of them is closed again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from harness.engines.error import PlaceError
from harness.engines.side_by_side import MOST, places

if TYPE_CHECKING:
    from types import TracebackType


class Opened:
    """A place that knows whether it is open."""

    def __init__(self, *, image: str | None, mounts: tuple[str, ...]) -> None:
        self.made_of = (image, mounts)
        self.open = False

    def __enter__(self) -> Opened:
        self.open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open = False


def engine(name: str, fails_at: int = 99) -> Any:
    made: list[Opened] = []

    def opening(**how: Any) -> Opened:
        if len(made) == fails_at:
            raise PlaceError("no more room")
        made.append(Opened(**how))
        return made[-1]

    return SimpleNamespace(name=name, open=opening, made=made)


@pytest.mark.parametrize(
    ("name", "most", "count"),
    [("docker", 9, MOST), ("namespace", 2, 2), ("podman", 0, 1), ("vm", 3, 1), ("host", 3, 1)],
)
def test_there_are_as_many_as_are_of_use(name: str, most: int, count: int) -> None:
    chosen = engine(name)
    with places(chosen, image="an-image", mounts=("/a:/b",), most=most) as opened:
        assert len(opened) == count
        assert {(each.open, each.made_of) for each in chosen.made} == {(True, ("an-image", ("/a:/b",)))}
    assert not any(each.open for each in chosen.made)


def test_where_one_can_not_be_opened_the_others_are_closed() -> None:
    chosen = engine("docker", fails_at=1)
    with pytest.raises(PlaceError, match="no more room"), places(chosen):
        raise AssertionError("it was opened")
    assert [each.open for each in chosen.made] == [False]
