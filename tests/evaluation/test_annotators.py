"""How far people agree, against published examples."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import UsageError
from llmopt.evaluation import Annotation, annotator_agreement, krippendorff_alpha
from llmopt.evaluation.annotators import squared

Labels = st.lists(st.lists(st.sampled_from("abc"), max_size=4), max_size=10)

# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C: four observers, 12 units.
OBSERVED = [
    "1 2 3 3 2 1 4 1 2 * * *",
    "1 2 3 3 2 2 4 1 2 5 * 3",
    "* 3 3 3 2 3 4 2 2 5 1 *",
    "1 2 3 3 2 4 4 1 2 5 1 *",
]
UNITS = [[label for label in unit if label != "*"] for unit in zip(*(row.split() for row in OBSERVED), strict=True)]


def test_alpha_is_that_of_the_published_example() -> None:
    assert krippendorff_alpha(UNITS) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(UNITS, distance=squared) == pytest.approx(0.849, abs=5e-4)


def test_alpha_of_perfect_and_of_no_agreement() -> None:
    assert krippendorff_alpha([["a", "a"], ["b", "b"], ["a", "a", "a"]]) == 1.0
    alpha = krippendorff_alpha([["a", "b"], ["b", "a"]])
    assert alpha is not None
    assert alpha < 0


def test_alpha_of_guesses_is_about_zero() -> None:
    chance = random.Random(2)
    alpha = krippendorff_alpha([[chance.choice("ab") for _ in range(3)] for _ in range(3000)])
    assert alpha == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize("labels", [[], [["a"]], [["a", "a"], ["a", "a"]], [[], ["b"]]])
def test_alpha_has_no_value_where_nothing_can_be_compared(labels: Sequence[Sequence[Hashable]]) -> None:
    assert krippendorff_alpha(labels) is None


@given(Labels)
def test_alpha_is_at_most_one_and_does_not_depend_on_order(labels: list[list[str]]) -> None:
    alpha = krippendorff_alpha(labels)
    turned = krippendorff_alpha([item[::-1] for item in labels[::-1]])
    if alpha is None:
        assert turned is None
    else:
        assert alpha <= 1
        assert turned == pytest.approx(alpha)


def test_grades_must_be_numbers() -> None:
    with pytest.raises(UsageError, match="read as numbers, got 'good' and 'bad'"):
        krippendorff_alpha([["good", "bad"]], distance=squared)


def said(*rows: tuple[str, str, str]) -> list[Annotation]:
    return [Annotation(sample, "", label, annotator) for sample, annotator, label in rows]


def test_annotations_give_agreement_alpha_and_kappas() -> None:
    found = annotator_agreement(
        said(
            ("1", "Ann", "y"), ("1", "Bob", "y"), ("2", "Ann", "n"), ("2", "Bob", "n"), ("3", "Ann", "y"),
            ("3", "Bob", "n"), ("4", "Ann", "y"), ("5", "Cat", "n"), ("1", "Cat", "y"),
        )
    )  # fmt: skip
    assert (found.annotators, found.items) == (3, 3)
    assert found.agreement.value == pytest.approx(2 / 3)
    assert found.agreement.low is not None
    assert found.agreement.low < 0.3
    assert found.kappas["Ann", "Bob"] == pytest.approx(0.4)
    assert found.kappas["Ann", "Cat"] is None
    assert found.alpha.low is not None
    assert "Ann and Bob: kappa 0.400" in str(found)


def test_both_orders_of_a_pair_of_answers_are_one_item() -> None:
    found = annotator_agreement(
        [Annotation("1", "old", "new", "Ann", "new"), Annotation("1", "new", "new", "Bob", "old")]
    )
    assert (found.items, found.agreement.value) == (1, 1.0)
    assert found.alpha.value is None


def test_labels_that_never_overlap_are_refused() -> None:
    with pytest.raises(UsageError, match="let them overlap"):
        annotator_agreement(said(("1", "Ann", "y"), ("2", "Bob", "y")))


def test_chance_is_that_of_two_answers_however_many_systems_met() -> None:
    """Two who toss coins agree by chance only, though the names of ten systems are seldom the same."""
    chance = random.Random(1)
    met = [sorted(chance.sample("abcdefghij", 2)) for _ in range(300)]
    made = [
        Annotation(str(number), pair[0], chance.choice(pair), person, other=pair[1])
        for number, pair in enumerate(met)
        for person in ("Ann", "Bob")
    ]
    found = annotator_agreement(made)
    # By the names of the ten systems kappa would be about 0.45.
    assert abs(found.alpha.value or 1.0) < 0.15
    assert abs(found.kappas["Ann", "Bob"] or 1.0) < 0.15
