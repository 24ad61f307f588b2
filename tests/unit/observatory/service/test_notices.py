"""What peers can make the server log."""

from __future__ import annotations

from observatory.service.notices import INTERVAL, Notices


def test_of_each_kind_there_is_one_line_in_a_while_and_how_many_were_left_out() -> None:
    said: list[str] = []
    now = 0.0
    notice = Notices(said.append, lambda: now)
    for _ in range(5):
        notice("slow", "a reader was slow")
    notice("full", "the disk is full")
    assert said == ["a reader was slow", "the disk is full"]
    now = INTERVAL
    notice("slow", "a reader was slow")
    notice("full", "the disk is full")
    assert said[2:] == ["a reader was slow (4 more like this before)", "the disk is full"]
