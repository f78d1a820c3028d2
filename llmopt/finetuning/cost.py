"""Tokens, epochs and money of a training run, as estimates; and until when models can be trained.

No price of training is built in: providers change them, and a wrong one is worse than none. Pass your
provider's.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import UsageError

__all__ = ["CostEstimate", "default_epochs", "estimate_cost", "retirement_of", "training_closed"]

_MILLION = 1e6
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_RETIREMENTS: Mapping[str, dt.date] = dict.fromkeys(
    ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini"), dt.date(2027, 1, 14)
)
_NO_NEW_JOBS = dt.date(2027, 1, 6)


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What a training run is likely to take; an estimate, the bill may differ.

    Attributes:
        tokens: Of the file, read once.
        epochs: Times that the file is read.
        price: US dollars per million trained tokens; None when it is not known.
        exact: Whether the tokens were counted by the model's vocabulary, all of them.
    """

    tokens: int
    epochs: int
    price: float | None
    exact: bool

    @property
    def trained_tokens(self) -> int:
        """Tokens times epochs: what is billed."""
        return self.tokens * self.epochs

    @property
    def dollars(self) -> float | None:
        """US dollars; None when the price is not known."""
        return None if self.price is None else self.trained_tokens * self.price / _MILLION

    def __str__(self) -> str:
        """Say it in one line, labelled as the estimate that it is."""
        counted = "" if self.exact else "about "
        money = (
            "money unknown without a price per million tokens"
            if self.dollars is None
            else f"${self.dollars:,.2f} at ${self.price:g} per million"
        )
        return f"estimate: {counted}{self.tokens:,} tokens x {self.epochs} epochs = {self.trained_tokens:,}; {money}"


def default_epochs(examples: int) -> int:
    """Return the epochs that OpenAI is likely to choose for so many examples.

    3; with few examples more, up to 25, so that about 100 are seen; with many fewer, so that about 25,000
    are. Source: OpenAI's cookbook, chat_finetuning_data_prep.
    """
    if examples < 1:
        raise UsageError(f"the number of examples must be at least 1, got {examples}")
    if 3 * examples < 100:
        return min(25, 100 // examples)
    return max(1, 25_000 // examples) if 3 * examples > 25_000 else 3


def estimate_cost(tokens: int, examples: int, *, epochs: int | None, price: float | None, exact: bool) -> CostEstimate:
    """Return the estimate for a file of so many tokens and examples."""
    chosen = default_epochs(max(1, examples)) if epochs is None else epochs
    return CostEstimate(tokens, chosen, price, exact)


def retirement_of(model: str) -> dt.date | None:
    """Return the day on which OpenAI switches a model and those tuned from it off; None when none is known."""
    return _RETIREMENTS.get(_base(model))


def training_closed(day: dt.date) -> bool:
    """Return whether OpenAI takes no new fine-tuning job from anyone on that day (from 2027-01-06 on)."""
    return day >= _NO_NEW_JOBS


def _base(model: str) -> str:
    base = model.removeprefix("ft:").split(":")[0].rsplit("/", 1)[-1]
    return _DATE.sub("", base)
