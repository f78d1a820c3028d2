"""What is looked at before anything is uploaded: settings, the model's future, the files, the money."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .check import check_file
from .cost import retirement_of, training_closed
from .report import CheckReport

__all__ = ["Hyperparameters", "Preflight", "preflight_of"]

_NOT_TRAINABLE = re.compile(r"gpt-(?:[5-9]|oss)|o[13](?![0-9])")
_SOON = dt.timedelta(days=120)


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """How the provider shall train, and name what comes out; None leaves a value to the provider."""

    method: Literal["supervised", "dpo"]
    n_epochs: int | None
    batch_size: int | None
    learning_rate_multiplier: float | None
    beta: float | None
    suffix: str | None = None

    def method_record(self) -> dict[str, object]:
        """Return the `method` of the request."""
        values: Mapping[str, object] = {
            "n_epochs": self.n_epochs,
            "batch_size": self.batch_size,
            "learning_rate_multiplier": self.learning_rate_multiplier,
            "beta": self.beta,
        }
        given = {key: value for key, value in values.items() if value is not None}
        return {"type": self.method, self.method: {"hyperparameters": given}}

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        if self.n_epochs is not None and not 1 <= self.n_epochs <= 50:
            yield f"`epochs` must be 1 to 50, got {self.n_epochs}"
        if self.batch_size is not None and not 1 <= self.batch_size <= 256:
            yield f"`batch_size` must be 1 to 256, got {self.batch_size}"
        if self.learning_rate_multiplier is not None and not self.learning_rate_multiplier > 0:
            yield f"`learning_rate_multiplier` must be above 0, got {self.learning_rate_multiplier}"
        if self.beta is not None and not 0 < self.beta <= 2:
            yield f"`beta` must be above 0 and at most 2, got {self.beta}"
        if self.suffix is not None and not 1 <= len(self.suffix) <= 64:
            yield f"`suffix` must have 1 to 64 characters, got {len(self.suffix)}"
        if self.beta is not None and self.method != "dpo":
            yield "`beta` belongs to the method dpo"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What stands in the way of a job.

    Attributes:
        problems: For which the job must not start, beside the errors in the files.
        warnings: To look at.
        training: The check of the training file, with the estimate of the cost.
        validation: The check of the validation file; None without one.
    """

    problems: Sequence[str]
    warnings: Sequence[str]
    training: CheckReport
    validation: CheckReport | None

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.problems and self.training.ok and (self.validation is None or self.validation.ok)

    def __str__(self) -> str:
        """Draw problems, warnings and the checks of the files."""
        lines = [f"error   {problem}" for problem in self.problems]
        lines += [f"warning {warning}" for warning in self.warnings]
        checks = (check for check in (self.training, self.validation) if check is not None)
        return "\n".join([*lines, *map(str, checks)])


def preflight_of(
    folder: Path,
    base: str,
    settings: Hyperparameters,
    *,
    is_openai: bool,
    today: dt.date,
    price: float | None,
    max_dollars: float | None,
    least_examples: int,
) -> Preflight:
    """Return the preflight of `training.jsonl` and, where it is there, `validation.jsonl` in a folder.

    Args:
        folder: Where the files are.
        base: The model to train.
        settings: The hyperparameters.
        is_openai: Whether OpenAI's dates count.
        today: The day to plan for.
        price: US dollars per million trained tokens; None: no estimate in money.
        max_dollars: The most that the estimate may be.
        least_examples: Fewest examples that the provider takes.
    """
    held = folder / "validation.jsonl"
    has_validation = held.is_file()
    model = base if is_openai else None
    unsound = list(settings.problems())
    training = check_file(
        folder / "training.jsonl",
        method=settings.method,
        model=model,
        validation=held if has_validation else None,
        least_examples=least_examples,
        epochs=None if unsound else settings.n_epochs,
        price=price,
    )
    validation = check_file(held, method=settings.method, model=model, least_examples=1) if has_validation else None
    problems = [*unsound, *_too_dear(training, max_dollars)]
    if is_openai:
        problems += _closed(base, today)
    return Preflight(tuple(problems), tuple(_warnings(base, today)) if is_openai else (), training, validation)


def _too_dear(report: CheckReport, most: float | None) -> Iterator[str]:
    if most is None or report.cost is None:
        return
    if report.cost.dollars is None:
        yield "money is limited (`max_dollars`) and the price of training is not known: pass `price`"
    elif report.cost.dollars > most:
        yield f"the estimate is above max_dollars={most:g}: {report.cost}"


def _closed(base: str, today: dt.date) -> Iterator[str]:
    instead = "give another provider's `base_url`, train locally with LoRAFineTune, or use FewShotDistil"
    if training_closed(today):
        yield f"OpenAI takes no new fine-tuning jobs from 2027-01-06 on, and it is {today}: {instead}"
    if _NOT_TRAINABLE.match(base):
        yield f"OpenAI does not train {base}: {instead}"
    ends = retirement_of(base)
    if ends is not None and today >= ends:
        yield f"{base} and the models tuned from it were switched off on {ends}: {instead}"


def _warnings(base: str, today: dt.date) -> Iterator[str]:
    ends = retirement_of(base)
    if ends is not None and today < ends <= today + _SOON:
        yield f"{base} and the models tuned from it are switched off on {ends}, in {(ends - today).days} days"
