"""Metrics: one figure for one answered sample."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, final

from .._sync import call, call_sync
from .._trace import step
from ..errors import ContractError, SampleError
from ..types import MaybeAwaitable, Need, Planned, Sample, Score
from .component import Component

__all__ = ["Metric"]


class Metric(Component, ABC):
    """Measures one answered sample. Write `measure`.

    Attributes:
        needs: Fields that must be filled before anything is paid for. Only name what no sample can be
            measured without: an empty answer or empty contexts are cases of the definition, not mistakes.
        immediate: Whether `measure` only computes, in microseconds: an evaluator then calls it on the spot
            instead of in a thread, keeps nothing of it in a journal, and measures once, not in repeats.

    Example:
        >>> class Exact(Metric):
        ...     needs = frozenset({"reference"})
        ...     def measure(self, sample: Sample) -> Score:
        ...         return Score(float(sample.answer == sample.reference))
        >>> Exact().score(Sample(question="1+1?", answer="2", reference="2")).value
        1.0
    """

    needs: ClassVar[frozenset[Need]] = frozenset()
    immediate: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The name in reports: the class's, in snake case."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    @abstractmethod
    def measure(self, sample: Sample) -> MaybeAwaitable[Score]:
        """Return a score, higher is better; `Score(None, reason)` where the definition gives no number."""

    def plan(self, sample: Sample) -> Sequence[Planned]:
        """Return what measuring this sample will take at most, for the plan before a run; by default nothing."""
        return ()

    @final
    def missing(self, sample: Sample) -> list[Need]:
        """Return what the metric needs and the sample has not."""
        filled: dict[Need, bool] = {
            "answer": bool(sample.answer),
            "contexts": bool(sample.contexts),
            "context_ids": bool(sample.context_ids),
            "reference": sample.reference is not None,
            "gold": bool(sample.gold),
        }
        return sorted(need for need in self.needs if not filled[need])

    @final
    def score(self, sample: Sample) -> Score:
        """Return the sample's score.

        Raises:
            SampleError: When the sample lacks what the metric needs.
            ContractError: When `measure` gives something that is not a finite score.
        """
        self._ready(sample)
        with step("metric", self, sample.id) as recorder:
            recorder.output = found = self._checked(call_sync(self.measure, sample))
        return found

    @final
    async def ascore(self, sample: Sample) -> Score:
        """Return the sample's score; the async twin of `score`."""
        self._ready(sample)
        with step("metric", self, sample.id) as recorder:
            recorder.output = found = self._checked(await call(self.measure, sample))
        return found

    def _ready(self, sample: Sample) -> None:
        missing = self.missing(sample)
        if missing:
            raise SampleError(
                f"`{self.name}` needs {', '.join(missing)} on the sample {sample.id or sample.question[:60]!r}, which "
                "has none"
            )

    def _checked(self, score: object) -> Score:
        if not isinstance(score, Score):
            raise ContractError(f"`{type(self).__name__}.measure` must return a Score, got {type(score).__name__}")
        if score.value is not None and not math.isfinite(score.value):
            raise ContractError(
                f"`{type(self).__name__}.measure` gave {score.value}; where there is no number give Score(None, reason)"
            )
        return score
