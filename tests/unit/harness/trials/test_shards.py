"""Parts of a whole: each thing is in exactly one of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.trials.shards import MOST, Shard, parse_shard


@given(st.lists(st.integers()), st.integers(1, MOST))
def test_the_parts_are_the_whole_and_as_large_as_each_other(items: list[int], parts: int) -> None:
    made = [Shard(part, parts).of(items) for part in range(1, parts + 1)]
    assert sorted(item for part in made for item in part) == sorted(items)
    sizes = {len(part) for part in made}
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, MOST), st.data())
def test_a_shard_is_read_as_it_is_written(parts: int, data: st.DataObject) -> None:
    shard = Shard(data.draw(st.integers(1, parts)), parts)
    assert parse_shard(str(shard)) == shard


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "-1/2", "1/513", "a/b", "1/2/3", "1 / 2"])
def test_what_is_no_shard_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not K/N with"):
        parse_shard(text)
