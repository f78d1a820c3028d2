from __future__ import annotations

import pytest

from llmopt.errors import SampleError
from llmopt.evaluation.correctness import AnswerCorrectness, SemanticSimilarity
from llmopt.evaluation.relevancy import Abstention
from llmopt.testing import FakeEmbedder, FakeJudge
from llmopt.types import Sample

SPLITS = {"answer": ["a1", "a2", "a3"], "reference": ["r1", "r2"]}
SAMPLE = Sample(question="?", answer="answer", reference="reference")


def test_the_value_is_the_harmonic_mean_of_claim_precision_and_recall() -> None:
    judge = FakeJudge({"a1": True, "a2": True, "a3": False, "r1": True, "r2": False}, SPLITS)
    score = AnswerCorrectness(judge).score(SAMPLE)
    assert score.value == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    assert score.details["true_positives"] == 2
    assert score.details["false_positives"] == 1
    assert score.details["false_negatives"] == 1
    assert score.details["n"] == 5
    assert score.details["coverage"] == 1.0
    assert [verdict.reason.split(":")[0] for verdict in score.verdicts] == ["answer"] * 3 + ["reference"] * 2


def test_unjudged_claims_lower_the_coverage() -> None:
    judge = FakeJudge({"a1": True, "r1": True}, SPLITS)
    score = AnswerCorrectness(judge).score(SAMPLE)
    assert score.value == 1.0
    assert score.details["coverage"] == pytest.approx(2 / 5)
    assert "3 of 5 could not be judged" in score.reason


def test_a_side_without_any_verdict_has_failed() -> None:
    score = AnswerCorrectness(FakeJudge({"a1": True}, SPLITS)).score(SAMPLE)
    assert (score.value, score.status) == (None, "failed")


def test_a_reference_that_claims_nothing_is_undefined() -> None:
    judge = FakeJudge({"a1": True, "a2": True, "a3": True}, {**SPLITS, "reference": []})
    assert AnswerCorrectness(judge).score(SAMPLE).status == "undefined"
    empty = Sample(question="?", answer="answer", reference=" ")
    assert AnswerCorrectness(judge).score(empty).reason == "the reference is empty"


def test_an_empty_answer_is_undefined() -> None:
    score = AnswerCorrectness(FakeJudge()).score(Sample(question="?", answer=" ", reference="r"))
    assert (score.value, score.status) == (None, "undefined")


def test_it_needs_a_reference() -> None:
    with pytest.raises(SampleError, match="reference"):
        AnswerCorrectness(FakeJudge()).score(Sample(question="?", answer="a"))


@pytest.mark.parametrize(
    ("policy", "answerable", "value"),
    [
        ("reward", False, 1.0),
        ("reward", True, 0.0),
        ("reward", None, 0.0),
        ("zero", False, 0.0),
        ("exclude", False, None),
    ],
)
@pytest.mark.parametrize(
    ("answer", "abstained"), [("whatever", True), ("I don't know.", None), ("nothing claimed", None)]
)
def test_the_policy_decides_what_an_abstention_is_worth(
    policy: Abstention, answerable: bool | None, value: float | None, answer: str, abstained: bool | None
) -> None:
    judge = FakeJudge(splits={"nothing claimed": []})
    sample = Sample(question="?", answer=answer, reference="r", answerable=answerable, abstained=abstained)
    score = AnswerCorrectness(judge, abstention=policy).score(sample)
    assert score.value == value
    assert score.details["abstained"] is True


def test_an_answer_to_an_unanswerable_question_is_wrong_under_reward() -> None:
    sample = Sample(question="?", answer="answer", reference="", answerable=False)
    score = AnswerCorrectness(FakeJudge(splits=SPLITS)).score(sample)
    assert score.value == 0.0
    assert "unanswerable" in score.reason


def test_claims_beyond_the_limit_are_cut_on_both_sides_and_counted() -> None:
    judge = FakeJudge({"a1": True, "r1": True}, SPLITS)
    score = AnswerCorrectness(judge, max_claims=1).score(SAMPLE)
    assert score.value == 1.0
    assert score.details["cut"] == 3


def test_similarity_is_the_cosine_of_one_request() -> None:
    embedder = FakeEmbedder()
    score = SemanticSimilarity(embedder).score(Sample(question="?", answer="a cat", reference="the cat"))
    rows = FakeEmbedder().encode(["a cat", "the cat"], kind="document")
    assert score.value == pytest.approx(float(rows[0] @ rows[1]), abs=1e-6)
    assert len(embedder.requests) == 1


@pytest.mark.parametrize(("answer", "reference"), [("", "r"), ("a", " "), ("!?", "r"), ("a", "...")])
def test_similarity_with_an_empty_side_is_undefined(answer: str, reference: str) -> None:
    score = SemanticSimilarity(FakeEmbedder()).score(Sample(question="?", answer=answer, reference=reference))
    assert (score.value, score.status) == (None, "undefined")


def test_similarity_plans_one_embedding_request() -> None:
    planned = SemanticSimilarity(FakeEmbedder()).plan(SAMPLE)
    assert [item.usage.calls for item in planned] == [1]
