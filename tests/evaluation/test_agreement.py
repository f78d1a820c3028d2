from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import UsageError
from llmopt.evaluation.agreement import Confusion, cohen_kappa, roc_auc

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30)


@given(PAIRS)
def test_the_area_is_the_chance_that_a_yes_scores_higher(pairs: list[tuple[int, bool]]) -> None:
    yes = [score for score, label in pairs if label]
    no = [score for score, label in pairs if not label]
    wins = sum((a > b) + 0.5 * (a == b) for a in yes for b in no)
    expected = wins / (len(yes) * len(no)) if yes and no else None
    found = roc_auc([float(score) for score, _ in pairs], [label for _, label in pairs])
    assert found == (pytest.approx(expected) if expected is not None else None)


def test_a_score_that_is_nan_or_a_label_too_few_is_refused() -> None:
    with pytest.raises(UsageError, match="NaN"):
        roc_auc([float("nan")], [True])
    with pytest.raises(UsageError, match="2 scores and 1 labels"):
        roc_auc([0.1, 0.2], [True])
    with pytest.raises(UsageError, match="1 scores and 0 labels"):
        Confusion.of([True], [])


def test_kappa_has_the_published_value() -> None:
    # Cohen's worked example: 50 proposals, both yes 20, first only 5, second only 10, both no 15.
    counts = Confusion(20, 5, 10, 15)
    assert counts.agreement == 0.7
    assert counts.kappa == pytest.approx(0.4)
    assert counts.sensitivity == pytest.approx(20 / 30)
    assert counts.specificity == 0.75


def test_what_has_no_definition_is_none() -> None:
    empty = Confusion.of([], [])
    assert (empty.agreement, empty.kappa, empty.sensitivity, empty.balanced_accuracy) == (None,) * 4
    same = Confusion.of([True, True], [True, True])
    assert same.kappa is None
    assert same.specificity is None


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_kappa_is_symmetric_and_at_most_one(pairs: list[tuple[bool, bool]]) -> None:
    judged, labels = [a for a, _ in pairs], [b for _, b in pairs]
    one, other = Confusion.of(judged, labels).kappa, Confusion.of(labels, judged).kappa
    assert one == (pytest.approx(other) if other is not None else None)
    assert one is None or one <= 1.0 + 1e-12


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_kappa_of_yes_and_no_is_that_of_the_confusion(pairs: list[tuple[bool, bool]]) -> None:
    judged, labels = [a for a, _ in pairs], [b for _, b in pairs]
    assert cohen_kappa(judged, labels) == Confusion.of(judged, labels).kappa


def test_kappa_takes_any_labels() -> None:
    assert cohen_kappa(["a", "b", "tie", "a"], ["a", "b", "a", "a"]) == pytest.approx(5 / 9)
    assert cohen_kappa([1, 2, 3], [1, 2, 3]) == 1.0
    assert cohen_kappa([1, 2], [2, 1]) == -1.0
    assert cohen_kappa([], []) is None
    with pytest.raises(UsageError):
        cohen_kappa([1], [])
