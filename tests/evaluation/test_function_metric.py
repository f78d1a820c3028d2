"""A metric from a plain function, sync or async, whatever it returns."""

from __future__ import annotations

import numpy as np
import pytest

from llmopt.errors import ContractError, SampleError, UsageError
from llmopt.evaluation import metric
from llmopt.evaluation.function_metric import Figure
from llmopt.types import Sample, Score

SAMPLE = Sample(question="q", answer="Wait, please")


def polite(sample: Sample) -> bool:
    return "please" in sample.answer


async def length(sample: Sample) -> float:
    return len(sample.answer) / 100


def test_a_function_is_a_metric_under_its_own_name() -> None:
    found = metric(polite)
    assert (found.name, found.score(SAMPLE)) == ("polite", Score(1.0))


async def a_score_of(sample: Sample) -> Score:
    return Score(0.5, "because")


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (0.25, Score(0.25)),
        (1, Score(1.0)),
        (False, Score(0.0)),
        (Score(0.5, "because"), Score(0.5, "because")),
        (None, Score(None, "m returned None")),
        (np.float64(0.5), Score(0.5)),
        (np.bool_(True), Score(1.0)),
    ],
)
def test_numbers_truth_values_scores_and_none_are_fine(figure: Figure, expected: Score) -> None:
    assert metric(lambda _: figure, name="m").score(SAMPLE) == expected


def test_an_async_function_is_a_metric_too() -> None:
    assert metric(length).score(SAMPLE).value == pytest.approx(0.12)
    assert metric(a_score_of).score(SAMPLE) == Score(0.5, "because")


@pytest.mark.parametrize("wrong", ["good", float("nan"), float("inf"), [1.0]])
def test_anything_else_breaks_the_contract(wrong: object) -> None:
    with pytest.raises(ContractError, match="'m' must return a finite number"):
        metric(lambda _: wrong, name="m").score(SAMPLE)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_needs_are_checked() -> None:
    with pytest.raises(SampleError, match="`polite` needs reference"):
        metric(polite, needs=["reference"]).score(SAMPLE)


def test_a_function_without_a_name_needs_one() -> None:
    with pytest.raises(UsageError, match="needs a name"):
        metric(lambda _: 1.0)


def test_the_fingerprint_tells_functions_apart() -> None:
    first, second = metric(lambda _: 1.0, name="m"), metric(lambda _: 2.0, name="m")
    assert first.fingerprint() != second.fingerprint()
    assert first.fingerprint() == metric(lambda _: 1.0, name="m").fingerprint()


def test_it_decorates_with_arguments_and_without() -> None:
    @metric(name="short", needs=["answer"])
    def is_short(sample: Sample) -> bool:
        return len(sample.answer) < 20

    @metric
    async def is_polite(sample: Sample) -> bool:
        return "please" in sample.answer

    assert (is_short.name, is_short.score(SAMPLE).value) == ("short", 1.0)
    assert is_short.needs == frozenset({"answer"})
    assert (is_polite.name, is_polite.score(SAMPLE).value) == ("is_polite", 1.0)
