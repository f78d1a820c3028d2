"""What models cost: US dollars per million tokens, in one dated table.

The table holds OpenAI's list prices (standard tier, no regional surcharge) as they were on 2026-11-22,
from the model pages and the pricing page at developers.openai.com. Prices rot: pass your own `Price`
where a bill depends on it, and for every other provider.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import UsageError
from ..types import Usage

__all__ = ["DEFAULT_MODEL", "Price", "price_of"]

DEFAULT_MODEL = "gpt-6-luna"
"""What the command line asks at OpenAI when no model is named; names rot, and this is the one place."""

_MILLION = 1e6
_CACHED_FROM = 1024  # OpenAI caches prompts of that many tokens and more
_LONG_INPUT, _LONG_OUTPUT = 2.0, 1.5


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in US dollars per million tokens.

    Args:
        input: Tokens that the model reads.
        output: Tokens that it writes, reasoning included.
        cached_input: Input that the provider had in its own prompt cache; None: as dear as other input.
        cache_write: Input that the provider puts into that cache; None: no dearer than other input.
        long_prompt: Above so many input tokens a request pays double for its input and one and a half
            times for its output; None: there is no such limit.

    Example:
        >>> Price(input=2, output=8, cached_input=0.5).of(Usage(input_tokens=1_000, output_tokens=500, calls=1))
        0.006
    """

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None
    long_prompt: int | None = None

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached_input", "cache_write"):
            value: float | None = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise UsageError(f"`{name}` is US dollars per million tokens, 0 or more, got {value}")

    def of(self, usage: Usage) -> float:
        """Return the US dollars that such a usage costs.

        Usage does not tell what was written to the provider's cache, so prompts that are long enough for
        it count as written, which is what happens to a new prompt; the figure errs to the dear side.
        Of many calls added up the average decides whether prompts were long.
        """
        cached = min(usage.cached_tokens, usage.input_tokens)
        average = usage.input_tokens / max(1, usage.calls)
        fresh_price = self.input
        if self.cache_write is not None and average >= _CACHED_FROM:
            fresh_price = max(self.input, self.cache_write)
        cached_price = self.input if self.cached_input is None else self.cached_input
        read = (usage.input_tokens - cached) * fresh_price + cached * cached_price
        written = usage.output_tokens * self.output
        if self.long_prompt is not None and average > self.long_prompt:
            read, written = read * _LONG_INPUT, written * _LONG_OUTPUT
        return (read + written) / _MILLION


def price_of(model: str) -> Price | None:
    """Return OpenAI's list price of a model, or None when it is not in the table.

    A dated snapshot (`gpt-5-mini-2025-08-07`) costs what its family costs unless the table names it. A
    fine-tuned model (`ft:gpt-4.1-mini-2025-04-14:acme::B5x`) costs what fine-tuned ones of its base cost,
    which is more than the base.

    Args:
        model: The name as OpenAI spells it. Only OpenAI's own API charges this.
    """
    base = _base_name(model)
    return _PRICES.get(base) or _PRICES.get(_DATE.sub("", base))


def _base_name(model: str) -> str:
    if not model.startswith("ft:"):
        return model
    return "ft:" + model.removeprefix("ft:").split(":", 1)[0]


def _recent(input: float, output: float, cached_input: float) -> Price:
    """GPT-5.6 and later: writing to the prompt cache costs a quarter more, and long prompts pay extra."""
    return Price(input, output, cached_input, cache_write=1.25 * input, long_prompt=272_000)


_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")

_PRICES: Mapping[str, Price] = {
    "gpt-6.2-astra": _recent(8.00, 40.00, 0.40),
    "gpt-6.2-sol": _recent(2.00, 10.00, 0.10),
    "gpt-6.1-sol": _recent(2.00, 10.00, 0.10),
    "gpt-6.1-terra": _recent(1.00, 5.00, 0.05),
    "gpt-6-astra": _recent(10.00, 50.00, 1.00),
    "gpt-6-sol": _recent(2.00, 10.00, 0.20),
    "gpt-6-luna": _recent(0.10, 0.50, 0.01),
    "gpt-5.6-sol": _recent(4.00, 20.00, 0.40),
    "gpt-5.6-terra": _recent(2.00, 12.00, 0.20),
    "gpt-5.6-luna": _recent(0.20, 1.20, 0.02),
    "gpt-5.5": Price(5.00, 30.00, 0.50, long_prompt=272_000),
    "gpt-5.4": Price(2.50, 15.00, 0.25, long_prompt=272_000),
    "gpt-5.4-mini": Price(0.75, 4.50, 0.075),
    "gpt-5.4-nano": Price(0.20, 1.25, 0.02),
    "gpt-5.2": Price(1.75, 14.00, 0.175),
    "gpt-5.1": Price(1.25, 10.00, 0.125),
    "gpt-5": Price(1.25, 10.00, 0.125),
    "gpt-5-mini": Price(0.25, 2.00, 0.025),
    "gpt-5-nano": Price(0.05, 0.40, 0.005),
    "gpt-4.1": Price(2.00, 8.00, 0.50),
    "gpt-4.1-mini": Price(0.40, 1.60, 0.10),
    "gpt-4.1-nano": Price(0.10, 0.40, 0.025),
    "gpt-4o": Price(2.50, 10.00, 1.25),
    "gpt-4o-2024-05-13": Price(5.00, 15.00),
    "gpt-4o-mini": Price(0.15, 0.60, 0.075),
    "o4-mini": Price(1.10, 4.40, 0.275),
    "ft:gpt-4.1": Price(3.00, 12.00, 0.75),
    "ft:gpt-4.1-mini": Price(0.80, 3.20, 0.20),
    "ft:gpt-4.1-nano": Price(0.20, 0.80, 0.05),
    "ft:gpt-4o": Price(3.75, 15.00, 1.875),
    "ft:gpt-4o-mini": Price(0.30, 1.20, 0.15),
    "text-embedding-3-large": Price(0.13, 0.0),
    "text-embedding-3-small": Price(0.02, 0.0),
    "text-embedding-ada-002": Price(0.10, 0.0),
}
