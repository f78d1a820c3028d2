from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.evaluation.support import FEATURES, content_stems, evidence_of, probability, support_of

TEXTS = ["Marie Curie was born in Warsaw in 1867. She won two Nobel Prizes.", "She did not patent radium."]


def test_a_claim_in_the_texts_own_words_is_covered() -> None:
    support = support_of("Marie Curie was born in Warsaw in 1867.", evidence_of(TEXTS))
    assert (support.unsupported, support.uncovered, support.names, support.numbers) == (0.0, 0.0, 0.0, 0.0)
    assert support.missing == ()
    assert probability(support) > 0.8


@pytest.mark.parametrize(
    ("claim", "feature"),
    [
        ("Curie was born in Berlin.", "names"),
        ("Curie was born in 1870.", "numbers"),
        ("Curie won three prizes.", "numbers"),
        ("Curie was not born in Warsaw.", "negation"),
        ("Curie liked gardening.", "unsupported"),
    ],
)
def test_each_feature_sees_its_fault_and_lowers_the_probability(claim: str, feature: str) -> None:
    support = support_of(claim, evidence_of(TEXTS))
    assert getattr(support, feature) > 0
    assert probability(support) < probability(support_of("Marie Curie was born in Warsaw.", evidence_of(TEXTS)))


def test_number_words_possessives_and_thousands_do_not_hide_a_match() -> None:
    evidence = evidence_of(["Curie's team had 12 people and 1,500 francs."])
    support = support_of("The team of Curie had twelve people and 1500 francs.", evidence)
    assert support.numbers == 0
    assert support.names == 0
    assert "curie" not in support.missing


def test_inflections_count_as_the_same_content() -> None:
    assert content_stems("cats sleeping") == content_stems("cat sleeps")


def test_chinese_numbers_words_and_negation_are_seen() -> None:
    evidence = evidence_of(["居里夫人于1867年出生在华沙。她没有申请专利。"])
    good = support_of("居里夫人1867年出生在华沙。", evidence)
    wrong_year = support_of("居里夫人1900年出生在华沙。", evidence)
    negated = support_of("居里夫人没有出生在华沙。", evidence)
    assert wrong_year.numbers == 1.0
    assert negated.negation == 1.0
    assert probability(good) > max(probability(wrong_year), probability(negated))


def test_no_evidence_covers_nothing() -> None:
    support = support_of("Cats sleep.", evidence_of([]))
    assert support.unsupported == 1.0
    assert support.uncovered == 1.0
    assert probability(support) < 0.5


@given(st.text(max_size=120), st.lists(st.text(max_size=120), max_size=3))
def test_every_feature_is_bounded_and_deterministic(claim: str, texts: list[str]) -> None:
    support = support_of(claim, evidence_of(texts))
    values = support.features()
    assert len(values) == len(FEATURES)
    assert all(-1e-9 <= value <= 1 + 1e-9 for value in values[:6])
    assert 0.0 < probability(support) < 1.0
    assert support_of(claim, evidence_of(texts)) == support
