"""What tokens cost: data with its date, in `prices.toml` or a file of the same form. No model's price is guessed."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from datetime import date  # noqa: TC003 - msgspec looks at it
from decimal import Decimal
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.errors import ExitStatus, ObservatoryError
from observatory.hooks.regular_file import read_regular

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from observatory.transcripts.usage import Tokens, Usage

MILLION: Final = 1_000_000
_NAME: Final = re.compile(r"(?:.*[./])?(claude-[a-z0-9-]*?[a-z0-9])(?:[-@]\d{8})?(?:-v\d+(?::\d+)?)?(?:\[1m\])?")
"""A model's name, as Anthropic, Bedrock, Vertex AI and the client write it: with a date, a region, a version."""


class _Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars for a million tokens."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal

    def cost(self, tokens: Tokens, hour: int) -> Decimal:
        """What these tokens cost, of whose cache writes so many stay for an hour."""
        return (
            tokens.input_tokens * self.input
            + tokens.output_tokens * self.output
            + tokens.cache_reads * self.cache_read
            + hour * self.cache_write_1h
            + (tokens.cache_writes - hour) * self.cache_write_5m
        ) / MILLION


class _LongPrompt(_Rates, frozen=True, forbid_unknown_fields=True, kw_only=True):
    above_prompt_tokens: int


class _Price(_Rates, frozen=True, forbid_unknown_fields=True, kw_only=True):
    models: list[str]
    web_search: Decimal = Decimal(0)
    fast: _Rates | None = None
    long_prompt: _LongPrompt | None = None

    def rates(self, tokens: Tokens, speed: str | None) -> _Rates:
        """Which rates a request falls under."""
        if speed == "fast" and self.fast is not None:
            return self.fast
        long = self.long_prompt
        return long if long is not None and tokens.prompt > long.above_prompt_tokens else self


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: date
    prices: list[_Price]
    us_only: Decimal = Decimal(1)
    names: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of models, and of which day they are."""

    as_of: str
    _by_model: Mapping[str, _Price]
    _names: Mapping[str, str]
    _us_only: Decimal

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """What an answer cost, in US dollars; `None` if the model's price is not known."""
        price = self._price(model)
        if price is None:
            return None
        total = sum(
            (price.rates(step, usage.speed).cost(step, hour) for step, hour in _steps(price, usage)), start=Decimal(0)
        )
        if usage.inference_geo == "us":
            total *= self._us_only
        return total + usage.web_searches * price.web_search

    def _price(self, model: str) -> _Price | None:
        name = _name(model)
        return self._by_model.get(model) or self._by_model.get(self._names.get(name, name))


@functools.cache
def _name(model: str) -> str:
    """What is left of a model's name without a date, a region and a version."""
    found = _NAME.fullmatch(model.lower())
    return model if found is None else found[1]


def _steps(price: _Price, usage: Usage) -> list[tuple[Tokens, int]]:
    """The parts of an answer that are priced each for itself, and their writes to the cache for an hour.

    Where a long prompt costs more, the client prices each of the requests that the service made of one, if these make
    up the whole.
    """
    steps = [step for step in usage.iterations or [] if step.type == "message"] if price.long_prompt else []
    if not steps:
        return [(usage, usage.cache_writes_1h)]
    sums = [
        (sum(step.input_tokens for step in steps), usage.input_tokens),
        (sum(step.output_tokens for step in steps), usage.output_tokens),
        (sum(step.cache_reads for step in steps), usage.cache_reads),
        (sum(step.cache_writes for step in steps), usage.cache_writes),
        (sum(step.cache_writes_1h for step in steps), usage.cache_writes_1h),
    ]
    if any(one != other for one, other in sums):
        return [(usage, usage.cache_writes_1h)]
    return [(step, step.cache_writes_1h) for step in steps]


def prices(own: Path | None) -> Prices:
    """The package's prices, and before them those of a file of one's own. Raises ObservatoryError."""
    shipped = _read((files("observatory.transcripts") / "prices.toml").read_bytes(), "prices.toml")
    read = [shipped]
    if own is not None:
        try:
            read.append(_read(read_regular(own), str(own)))
        except OSError as error:
            raise ObservatoryError(f"{own} can't be read: {error.strerror}") from error
    by_model = {model: price for file in read for price in file.prices for model in price.models}
    names = {name: model for file in read for name, model in file.names.items()}
    as_of = shipped.as_of.isoformat() if own is None else f"{shipped.as_of}, and in {own} of {read[-1].as_of}"
    return Prices(as_of, by_model, names, read[-1].us_only)


def _read(content: bytes, name: str) -> _File:
    try:
        data: dict[str, Any] = tomllib.loads(content.decode(), parse_float=Decimal)
        return msgspec.convert(data, _File, strict=False)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise ObservatoryError(f"{name} has no prices in the form of prices.toml: {error}", ExitStatus.USAGE) from None
