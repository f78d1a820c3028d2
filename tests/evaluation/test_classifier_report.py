"""Classifiers measured on their own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import SampleError
from llmopt.evaluation import ClassifierReport, evaluate_classifier
from llmopt.routing import Keyword
from llmopt.types import Classification

Labels = st.sampled_from(["a", "b", "c"])


def said(label: str, margin: float = 1.0) -> Classification:
    return Classification(label, {label: 1.0}, margin)


def test_figures_agree_with_those_worked_out_by_hand() -> None:
    right = ["a", "a", "a", "b", "b", None, None]
    found = [said("a"), said("a"), said("b"), said("b"), said("b", 0.1), said("a"), said("b", 0.1)]
    report = ClassifierReport(right, found, margin=0.5)
    assert report.accuracy.value == pytest.approx(3 / 5)
    assert report.unsure.value == pytest.approx(1 / 5)
    assert report.out_of_scope_recall.value == pytest.approx(1 / 2)
    a, b = report.per_label()
    assert [a.precision, a.recall, a.f1, a.count] == pytest.approx([2 / 3, 2 / 3, 2 / 3, 3])
    assert [b.precision, b.recall, b.f1, b.count] == pytest.approx([1 / 2, 1 / 2, 1 / 2, 2])
    assert report.macro_f1 == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert report.confusion()["a", "b"] == report.confusion()["b", None] == report.confusion()[None, "a"] == 1
    assert "1 x out of scope taken for a" in str(report)


@given(st.lists(st.tuples(Labels | st.none(), Labels, st.floats(0, 1)), min_size=1), st.floats(0, 1))
def test_counts_add_up(given: list[tuple[str | None, str, float]], margin: float) -> None:
    right = ["a", *(label for label, _, _ in given)]
    report = ClassifierReport(right, [said("a"), *(said(label, lead) for _, label, lead in given)], margin)
    known = sum(label is not None for label in right)
    confusion = report.confusion()
    assert sum(confusion.values()) == len(right)
    assert sum(count for (label, other), count in confusion.items() if label and label == other) == pytest.approx(
        (report.accuracy.value or 0) * known
    )
    assert 0 <= report.macro_f1 <= 1


def test_without_strangers_their_recall_is_unknown_and_not_zero() -> None:
    report = evaluate_classifier(Keyword({"a": ["x"], "b": ["y"]}), ["x", "z"], ["a", "b"], margin=0.1)
    assert report.out_of_scope_recall.value is None
    assert report.accuracy.value == 0.5


def test_labels_that_do_not_fit_the_texts_are_refused() -> None:
    route = Keyword({"a": ["x"], "b": ["y"]})
    for texts, labels in (([], []), (["x"], []), (["x"], [None])):
        with pytest.raises(SampleError, match="texts with their labels"):
            evaluate_classifier(route, texts, labels)
