from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.evaluation.formulas import average_precision, claim_f, mean_relevancy, share_held

VERDICTS = st.lists(st.sampled_from([True, False, None]), max_size=40)


@pytest.mark.parametrize(
    ("verdicts", "value"),
    [
        ([True], 1.0),
        ([True, False, True], 0.8333333333333334),
        ([False, False], 0.0),
        ([False, True], 0.5),
        ([], None),
        ([None, None], None),
        ([None, True], 1.0),
    ],
)
def test_average_precision_has_the_values_of_its_definition(
    verdicts: Sequence[bool | None], value: float | None
) -> None:
    assert average_precision(verdicts) == value


@given(VERDICTS)
def test_average_precision_is_the_exact_fraction_rounded_once(verdicts: list[bool | None]) -> None:
    given_ones = [verdict for verdict in verdicts if verdict is not None]
    useful = [rank for rank, verdict in enumerate(given_ones, 1) if verdict]
    exact = sum((Fraction(held, rank) for held, rank in enumerate(useful, 1)), Fraction()) / max(1, len(useful))
    assert average_precision(verdicts) == (float(exact) if given_ones else None)


@given(VERDICTS)
def test_share_is_bounded_and_ignores_what_was_not_judged(verdicts: list[bool | None]) -> None:
    share = share_held(verdicts)
    assert share == share_held([verdict for verdict in verdicts if verdict is not None])
    assert share is None or 0.0 <= share <= 1.0


@given(VERDICTS, VERDICTS, st.floats(0.1, 10))
def test_claim_f_lies_between_precision_and_recall(
    answer: list[bool | None], reference: list[bool | None], beta: float
) -> None:
    value = claim_f(answer, reference, beta=beta)
    precision, recall = share_held(answer), share_held(reference)
    if value is None:
        assert recall is None or (precision is None and answer)
    elif value > 0:
        assert precision is not None
        assert recall is not None
        assert min(precision, recall) - 1e-12 <= value <= max(precision, recall) + 1e-12


def test_claim_f_does_not_reward_many_small_claims_for_what_is_left_out() -> None:
    assert claim_f([True] * 10, [True, False]) == pytest.approx(2 / 3)


def test_claim_f_of_an_answer_without_claims_is_zero() -> None:
    assert claim_f([], [True]) == 0.0
    assert claim_f([True], []) is None


def test_claim_f_weighs_recall_by_beta() -> None:
    assert claim_f([True], [True, False], beta=1.0) == pytest.approx(2 / 3)
    assert claim_f([True], [True, False], beta=2.0) == pytest.approx(5 * 0.5 / (4 + 0.5))


@given(st.lists(st.tuples(st.floats(-1, 1), st.booleans()), max_size=10))
def test_relevancy_is_zero_only_when_all_are_noncommittal(pairs: list[tuple[float, bool]]) -> None:
    cosines, flags = [cosine for cosine, _ in pairs], [flag for _, flag in pairs]
    value = mean_relevancy(cosines, flags)
    if not pairs:
        assert value is None
    elif all(flags):
        assert value == 0.0
    else:
        assert value == pytest.approx(math.fsum(cosines) / len(cosines), abs=1e-12)


def test_formulas_do_not_depend_on_the_order_of_equal_parts() -> None:
    verdicts = [True, False, True, None, False]
    mixed = random.Random(1).sample(verdicts, len(verdicts))
    assert share_held(verdicts) == share_held(mixed)
