"""A metric from a plain function."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, cast, overload

import numpy as np

from ..errors import ContractError, UsageError
from ..interfaces import Metric
from ..types import Need, Sample, Score

__all__ = ["AsyncFunctionMetric", "Figure", "FunctionMetric", "Measuring", "metric"]

Figure: TypeAlias = float | bool | Score | None
Measuring: TypeAlias = Callable[[Sample], Figure] | Callable[[Sample], Awaitable[Figure]]


@dataclass(repr=False, eq=False)
class FunctionMetric(Metric):
    """A plain function as a metric; `metric` makes one."""

    function: Callable[[Sample], Figure]
    called: str
    needs: frozenset[Need] = frozenset()  # type: ignore[misc]

    @property
    def name(self) -> str:
        """The name in reports."""
        return self.called

    def measure(self, sample: Sample) -> Score:
        """Call the function."""
        return _score(self.function(sample), self.called)


@dataclass(repr=False, eq=False)
class AsyncFunctionMetric(Metric):
    """An `async def` function as a metric; `metric` makes one."""

    function: Callable[[Sample], Awaitable[Figure]]
    called: str
    needs: frozenset[Need] = frozenset()  # type: ignore[misc]

    @property
    def name(self) -> str:
        """The name in reports."""
        return self.called

    async def measure(self, sample: Sample) -> Score:
        """Await the function."""
        return _score(await self.function(sample), self.called)


@overload
def metric(function: Measuring, *, name: str = "", needs: Iterable[Need] = ()) -> Metric: ...
@overload
def metric(*, name: str = "", needs: Iterable[Need] = ()) -> Callable[[Measuring], Metric]: ...
def metric(
    function: Measuring | None = None, *, name: str = "", needs: Iterable[Need] = ()
) -> Metric | Callable[[Measuring], Metric]:
    """Return a metric that calls a function with the sample; also a decorator, with arguments or without.

    Args:
        function: Takes an answered sample and returns a number (higher is better), yes or no, a Score, or
            None where it has no figure. `def` or `async def`.
        name: In reports; by default the function's own.
        needs: What the sample must have, checked before anything is run.

    Raises:
        UsageError: When the function has no name of its own and none is given.

    Example:
        >>> @metric(needs=["answer"])
        ... def polite(sample: Sample) -> bool:
        ...     return "please" in sample.answer
        >>> polite.score(Sample(question="q", answer="Wait, please")).value
        1.0
    """
    needed = frozenset(needs)
    return (lambda given: _made(given, name, needed)) if function is None else _made(function, name, needed)


def _made(function: Measuring, name: str, needs: frozenset[Need]) -> Metric:
    called = name or cast(str, getattr(function, "__name__", ""))
    if not called.isprintable() or not called or called == "<lambda>":
        raise UsageError("a metric needs a name: give `name=...` for a function that has none of its own")
    if inspect.iscoroutinefunction(function):
        return AsyncFunctionMetric(function, called, needs)
    return FunctionMetric(cast("Callable[[Sample], Figure]", function), called, needs)


def _score(figure: Figure, called: str) -> Score:
    if isinstance(figure, Score):
        return figure
    if figure is None:
        return Score(None, f"{called} returned None")
    if not isinstance(cast(object, figure), bool | int | float | np.generic) or not math.isfinite(figure):
        raise ContractError(
            f"the metric {called!r} must return a finite number, a bool, a Score or None, it returned {figure!r}"
        )
    return Score(float(figure))
