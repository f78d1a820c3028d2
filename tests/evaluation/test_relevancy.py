from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from llmopt.evaluation.relevancy import Abstention, AnswerRelevancy
from llmopt.interfaces import Embedder
from llmopt.testing import FakeEmbedder, FakeJudge
from llmopt.types import ImpliedQuestion, Matrix, Sample, TextKind

QUESTION = "capital France"
SAMPLE = Sample(question=QUESTION, answer="Paris")


def implying(*pairs: tuple[str, bool]) -> FakeJudge:
    return FakeJudge(implied={"Paris": [ImpliedQuestion(text, flag) for text, flag in pairs]})


def test_the_value_is_the_mean_cosine_of_one_embedding_request() -> None:
    embedder = FakeEmbedder()
    judge = implying((QUESTION, False), ("capital Spain", False), ("river", False))
    score = AnswerRelevancy(judge, embedder).score(SAMPLE)
    rows = FakeEmbedder().encode([QUESTION, "capital Spain", "river"], kind="query")
    assert score.value == pytest.approx(float((1 + rows[0] @ rows[1] + rows[0] @ rows[2]) / 3), abs=1e-6)
    assert embedder.requests == [(QUESTION, QUESTION, "capital Spain", "river")]
    assert score.details == {"abstained": False, "n": 3, "judged": 3, "coverage": 1.0}
    assert len(score.verdicts) == 3
    assert "cosine" in score.verdicts[0].reason


def test_two_noncommittal_of_three_keep_the_full_score() -> None:
    judge = implying((QUESTION, True), (QUESTION, True), (QUESTION, False))
    assert AnswerRelevancy(judge, FakeEmbedder()).score(SAMPLE).value == pytest.approx(1.0)


def test_all_noncommittal_is_zero_and_said_to_abstain() -> None:
    embedder = FakeEmbedder()
    score = AnswerRelevancy(implying((QUESTION, True), (QUESTION, True)), embedder).score(SAMPLE)
    assert score.value == 0.0
    assert score.details["abstained"] is True
    assert embedder.requests == []


@pytest.mark.parametrize(
    ("policy", "answerable", "value"),
    [
        ("zero", None, 0.0),
        ("zero", False, 0.0),
        ("exclude", True, None),
        ("exclude", False, None),
        ("reward", True, 0.0),
        ("reward", None, 0.0),
        ("reward", False, 1.0),
    ],
)
@pytest.mark.parametrize("marked", [True, None])
def test_the_policy_decides_what_an_abstention_is_worth(
    policy: Abstention, answerable: bool | None, value: float | None, marked: bool | None
) -> None:
    sample = Sample(question=QUESTION, answer="Paris", answerable=answerable, abstained=marked)
    judge = implying((QUESTION, True))
    score = AnswerRelevancy(judge, FakeEmbedder(), abstention=policy).score(sample)
    assert score.value == value
    assert score.status == ("undefined" if value is None else "scored")
    assert score.details["abstained"] is True


def test_reward_leaves_an_answer_to_an_unanswerable_question_its_cosine() -> None:
    sample = Sample(question=QUESTION, answer="Paris", answerable=False)
    judge = implying((QUESTION, False))
    assert AnswerRelevancy(judge, FakeEmbedder(), abstention="reward").score(sample).value == pytest.approx(1.0)


def test_an_empty_answer_is_undefined() -> None:
    score = AnswerRelevancy(FakeJudge(), FakeEmbedder()).score(Sample(question="?", answer=" "))
    assert (score.value, score.status, score.reason) == (None, "undefined", "the answer is empty")


def test_empty_implied_questions_are_left_out_and_lower_the_coverage() -> None:
    score = AnswerRelevancy(implying((QUESTION, False), ("", False), (" ", False)), FakeEmbedder()).score(SAMPLE)
    assert score.value == pytest.approx(1.0)
    assert score.details["coverage"] == pytest.approx(1 / 3)


def test_no_implied_question_is_a_failure() -> None:
    score = AnswerRelevancy(implying(("", False)), FakeEmbedder()).score(SAMPLE)
    assert (score.value, score.status) == (None, "failed")


class Blank(Embedder):
    """Zero rows for texts that begin with a hash."""

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        return np.array([[0.0, 0.0] if text.startswith("#") else [1.0, 0.0] for text in texts], np.float32)


def test_a_zero_vector_is_undefined() -> None:
    judge = implying(("fine", False))
    score = AnswerRelevancy(judge, Blank()).score(Sample(question="# nothing", answer="Paris"))
    assert (score.value, score.status) == (None, "undefined")
    assert "zero vector" in score.reason
    score = AnswerRelevancy(implying(("#", False), ("#", False)), Blank()).score(SAMPLE)
    assert (score.value, score.status) == (None, "undefined")


def test_a_zero_vector_among_others_lowers_the_coverage() -> None:
    score = AnswerRelevancy(implying(("#", False), ("fine", False)), Blank(), count=2).score(SAMPLE)
    assert score.value == pytest.approx(1.0)
    assert score.details["coverage"] == 0.5


def test_the_plan_counts_the_embedding_request() -> None:
    planned = AnswerRelevancy(FakeJudge(), FakeEmbedder()).plan(SAMPLE)
    assert [item.what for item in planned] == ["answer_relevancy: embeddings"]
    assert planned[0].usage.calls == 1
    assert planned[0].cost is None
