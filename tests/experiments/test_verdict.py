"""The statistics of a verdict: false keeps, power, Holm, and what small or empty samples allow to say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from llmopt import Sample
from llmopt.evaluation import Comparison, Report, Row
from llmopt.evaluation.comparison import compare_rows
from llmopt.experiments import Limits
from llmopt.experiments.verdict import Verdict, decide, holm_factor, holm_threshold, loss_of, samples_needed
from llmopt.types import Score


def rows_of(values: Sequence[float | None], groups: Sequence[str] = ()) -> list[Row]:
    return [
        Row(
            Sample(question=f"q{n}", id=f"s{n}", group=groups[n] if groups else ""),
            {"m": Score(value) if value is not None else Score(None, "it was down", "failed")},
        )
        for n, value in enumerate(values)
    ]


def compared(before: Sequence[float], after: Sequence[float]) -> Comparison:
    return compare_rows("m", rows_of(list(map(float, before))), rows_of(list(map(float, after))))


def judged(
    before: Sequence[float | None], after: Sequence[float | None], threshold: float = 0.05, seconds: float | None = 0.1
) -> Verdict:
    first, second = Report(rows_of(before), ("m",)), Report(rows_of(after), ("m",))
    return decide(
        second.compare(first, "m"),
        threshold=threshold,
        least=0.02,
        limits=Limits(seconds=1.0),
        seconds=seconds,
        dollars=0.0,
        loss=loss_of(first, second, "m"),
    )


def decision(before: Sequence[float], after: Sequence[float], threshold: float) -> str:
    return judged(list(map(float, before)), list(map(float, after)), threshold).decision


@pytest.mark.parametrize("kind", ["0/1", "continuous", "groups"])
def test_useless_changes_are_kept_in_at_most_one_ladder_of_twenty(kind: str) -> None:
    random = np.random.default_rng(0)
    groups = [f"g{n // 5}" for n in range(80)] if kind == "groups" else []

    def drawn() -> list[float]:
        if kind == "continuous":
            return list(random.beta(2, 1, 80))
        return list(np.repeat(random.random(16 if groups else 80) < 0.6, 5 if groups else 1).astype(float))

    false_keeps = 0
    for _ in range(100):
        before, kept = drawn(), False
        for tried in range(1, 5):
            touched = np.repeat(random.random(16) < 0.5, 5) if groups else random.random(80) < 0.5
            after = list(np.where(touched, drawn(), before))
            found = compare_rows("m", rows_of(before, groups), rows_of(after, groups))
            kept |= (found.difference.value or 0.0) > 0 and found.p <= holm_threshold(0.05, 4, 0, tried)
        false_keeps += kept
    assert false_keeps <= 8  # of 100; 5 are allowed, and chance


def test_a_planted_gain_is_found_with_the_power_that_the_required_number_promises() -> None:
    random = np.random.default_rng(1)
    gain, flips = 0.10, 0.2  # 15 % of the samples get better, 5 % worse: variance of the difference 0.19
    count = samples_needed(gain, flips - gain**2, threshold=0.05, exact=True)
    found = 0
    for _ in range(200):
        chance = random.random(count)
        before = np.where(chance < 0.15, 0.0, np.where(chance < 0.2, 1.0, random.random(count) < 0.5))
        after = np.where(chance < 0.15, 1.0, np.where(chance < 0.2, 0.0, before))
        found += decision(list(before), list(after), 0.05) == "keep"
    assert 0.74 <= found / 200 <= 0.88


def test_thresholds_follow_holm() -> None:
    assert holm_threshold(0.05, 5, 0, 1) == pytest.approx(0.01)
    assert holm_threshold(0.05, 5, 4, 5) == pytest.approx(0.05)


@pytest.mark.parametrize("kept", [0, 2, 5])
def test_beyond_the_plan_a_ladder_never_spends_more_than_twice_its_level(kept: int) -> None:
    within = sum(1 / holm_factor(5, 0, tried) for tried in range(1, 6))
    beyond = sum(1 / holm_factor(5, kept, tried) for tried in range(6, 60))
    assert within == pytest.approx(1.0)
    assert beyond <= 1.0 + 1e-9


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_all_ties_on_few_samples_are_undecided_whatever_the_metric_and_dropped_on_many(value: float) -> None:
    few, many = judged([value] * 10, [value] * 10), judged([value] * 400, [value] * 400)
    assert (few.decision, many.decision) == ("undecided", "drop")
    assert few.more > 100


def test_one_sample_decides_nothing() -> None:
    for before, after in ((0.3, 0.9), (0.0, 1.0), (0.5, 0.5)):
        assert judged([before], [after]).decision == "undecided"


def test_a_gain_that_the_lost_samples_may_undo_is_undecided() -> None:
    before = [0.0] * 20 + [1.0] * 80
    after: list[float | None] = [1.0] * 20 + [1.0] * 50 + [None] * 30
    found = judged(before, after)
    assert found.decision == "undecided"
    assert "30 samples lost (it was down)" in found.reason


def test_a_gain_that_outweighs_the_lost_samples_is_kept_and_the_loss_reported() -> None:
    before = [0.0] * 20 + [1.0] * 80
    after: list[float | None] = [1.0] * 20 + [1.0] * 77 + [None] * 3
    found = judged(before, after)
    assert found.decision == "keep"
    assert "3 samples lost" in found.reason


def test_samples_that_neither_side_scored_are_no_loss() -> None:
    before: list[float | None] = [0.0] * 20 + [None] * 10
    assert loss_of(Report(rows_of(before), ("m",)), Report(rows_of(before), ("m",)), "m").samples == 0


def test_an_unknown_time_is_not_taken_for_a_short_one() -> None:
    found = judged([0.0] * 20, [1.0] * 20, seconds=None)
    assert found.decision == "undecided"
    assert "time is not known" in found.reason
