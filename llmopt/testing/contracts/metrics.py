"""What every metric keeps to."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import ClassVar, TypeVar

import pytest

from ...errors import SampleError
from ...interfaces import Metric
from ...types import Need, Sample
from .components import ComponentContract

__all__ = ["MetricContract"]

M = TypeVar("M", bound=Metric)


class MetricContract(ComponentContract[M]):
    """Subclass as `TestMine`, define `make`, and pytest runs every check.

    Attributes:
        sample: A sample with all that the metric needs.
        low, high: The range of its values.
    """

    sample: ClassVar[Sample] = Sample(
        id="s1",
        question="How long does a cat sleep?",
        answer="A cat sleeps fifteen hours a day.",
        contexts=("A cat sleeps fifteen hours a day.", "A dog barks."),
        context_ids=("cat", "dog"),
        reference="Fifteen hours a day.",
        gold=("cat",),
    )
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def use(self, component: M) -> None:
        """Measure once."""
        component.score(self.sample)

    def test_a_value_is_in_range_or_has_a_reason(self) -> None:
        """Never a NaN, never a silent None."""
        score = self.make().score(self.sample)
        if score.value is None:
            assert score.reason
        else:
            assert math.isfinite(score.value)
            assert self.low <= score.value <= self.high

    def test_it_has_a_name(self) -> None:
        """In snake case, as it stands in reports."""
        assert self.make().name.replace("@", "_").isidentifier()

    def test_sync_and_async_agree(self) -> None:
        """Both ways give the same value."""
        assert asyncio.run(self.make().ascore(self.sample)).value == self.make().score(self.sample).value

    def test_what_it_needs_is_asked_for_before_anything_is_paid(self) -> None:
        """A sample without it is refused."""
        metric = self.make()
        without: dict[Need, Sample] = {
            "answer": replace(self.sample, answer=""),
            "contexts": replace(self.sample, contexts=()),
            "context_ids": replace(self.sample, context_ids=()),
            "reference": replace(self.sample, reference=None),
            "gold": replace(self.sample, gold=()),
        }
        for need in metric.needs:
            with pytest.raises(SampleError, match=need):
                metric.score(without[need])

    def test_an_empty_answer_and_empty_contexts_never_crash_it(self) -> None:
        """They are cases of the definition: a number or a reason."""
        metric = self.make()
        for sample in (replace(self.sample, answer=""), replace(self.sample, contexts=(), context_ids=())):
            if not metric.missing(sample):
                score = metric.score(sample)
                assert score.value is not None or score.reason
