"""Prices are data: what the client counts is counted here, and what nobody knows is not guessed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from observatory.errors import ExitStatus, ObservatoryError
from observatory.transcripts.prices import prices
from observatory.transcripts.usage import Usage

if TYPE_CHECKING:
    from pathlib import Path

MILLION = 1_000_000
OWN = """
as_of = 2027-01-01
[[prices]]
models = ["claude-opus-4-8", "my-model"]
input = 1
output = 2
cache_write_5m = 3
cache_write_1h = 4
cache_read = 0.1
"""


def usage(**said: Any) -> Usage:
    return msgspec.convert(said, Usage)


@pytest.mark.parametrize(
    ("said", "dollars"),
    [
        ({"input_tokens": MILLION}, "5"),
        ({"output_tokens": MILLION}, "25"),
        ({"cache_read_input_tokens": MILLION}, "0.5"),
        ({"cache_creation_input_tokens": MILLION}, "6.25"),
        ({"cache_creation_input_tokens": MILLION, "cache_creation": {"ephemeral_1h_input_tokens": MILLION}}, "10"),
        ({"cache_creation_input_tokens": 4, "cache_creation": {"ephemeral_1h_input_tokens": 1}}, "0.00002875"),
        ({"server_tool_use": {"web_search_requests": 3}}, "0.03"),
        ({"input_tokens": MILLION, "speed": "fast"}, "10"),
        ({"input_tokens": MILLION, "server_tool_use": {"web_search_requests": 1}, "inference_geo": "us"}, "5.51"),
    ],
)
def test_each_kind_of_token_has_its_price(said: dict[str, Any], dollars: str) -> None:
    assert prices(None).cost("claude-opus-4-8", usage(**said)) == Decimal(dollars)


@pytest.mark.parametrize(
    "name",
    [
        *("claude-opus-4-0", "claude-opus-4-20250514", "us.anthropic.claude-opus-4-20250514-v1:0"),
        *("claude-opus-4@20250514", "claude-opus-4-1-20250805", "CLAUDE-OPUS-4-1", "claude-opus-4-1[1m]"),
    ],
)
def test_a_model_is_known_by_its_names_everywhere(name: str) -> None:
    assert prices(None).cost(name, usage(input_tokens=MILLION)) == 15


@pytest.mark.parametrize("name", ["claude-opus-99", "claude-opus-4-8-mini", "gpt-5", "", "claude-", "<synthetic>"])
def test_what_is_not_known_is_not_guessed(name: str) -> None:
    assert prices(None).cost(name, usage(input_tokens=MILLION)) is None


def test_a_long_prompt_costs_more_where_it_does() -> None:
    known = prices(None)
    assert known.cost("claude-haiku-5-5", usage(input_tokens=100_000)) == Decimal("0.01")
    assert known.cost("claude-haiku-5-5", usage(input_tokens=50_000, cache_read_input_tokens=50_001)) == Decimal(
        "0.02750005"
    )
    halves = [{"type": "message", "input_tokens": 60_000}, {"type": "message", "input_tokens": 60_000}]
    assert known.cost("claude-haiku-5-5", usage(input_tokens=120_000, iterations=halves)) == Decimal("0.012")
    # Steps that don't make up the whole say nothing of it.
    assert known.cost("claude-haiku-5-5", usage(input_tokens=120_000, iterations=halves[:1])) == Decimal("0.06")


def test_ones_own_prices_come_first(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(OWN, encoding="utf-8")
    known = prices(tmp_path / "p.toml")
    assert known.cost("claude-opus-4-8", usage(input_tokens=MILLION)) == 1
    assert known.cost("my-model", usage(cache_read_input_tokens=MILLION)) == Decimal("0.1")
    assert known.cost("claude-haiku-4-5", usage(input_tokens=MILLION)) == 1
    assert re.fullmatch(r"2026-\d\d-\d\d, and in .*p\.toml of 2027-01-01", known.as_of)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("as_of = 2027-01-01\nprices = 1", "prices"),
        (OWN.replace("input = 1", 'input = "much"'), "input"),
        (OWN.replace("cache_read", "cache_raed"), "cache_raed"),
        (OWN.replace("as_of = 2027-01-01", ""), "as_of"),
        ("[[", "prices.toml"),
    ],
)
def test_a_file_in_another_form_is_refused_with_the_reason(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ObservatoryError, match=why) as refusal:
        prices(tmp_path / "p.toml")
    assert refusal.value.status == ExitStatus.USAGE


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ObservatoryError, match=re.escape(f"{tmp_path / 'none'} can't be read")):
        prices(tmp_path / "none")
