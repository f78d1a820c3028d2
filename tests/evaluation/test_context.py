from __future__ import annotations

import pytest

from llmopt.errors import SampleError
from llmopt.evaluation.context import ContextPrecision, ContextRecall
from llmopt.testing import FakeJudge
from llmopt.types import Sample


def precision(*verdicts: bool | None) -> object:
    contexts = [str(number) for number in range(len(verdicts))]
    judge = FakeJudge(dict(zip(contexts, verdicts, strict=True)))
    return ContextPrecision(judge).score(Sample(question="?", reference="r", contexts=contexts)).value


def test_precision_is_the_average_precision_in_rank_order() -> None:
    assert precision(True) == 1.0
    assert precision(True, False, True) == 0.8333333333333334
    assert precision(False, False) == 0.0


def test_precision_takes_an_unjudged_context_out_of_the_ranking() -> None:
    judge = FakeJudge({"a": None, "b": True})
    score = ContextPrecision(judge).score(Sample(question="?", reference="r", contexts=["a", "b"]))
    assert score.value == 1.0
    assert score.details["coverage"] == 0.5


def test_precision_without_any_verdict_has_failed() -> None:
    score = ContextPrecision(FakeJudge()).score(Sample(question="?", reference="r", contexts=["a"]))
    assert (score.value, score.status) == (None, "failed")


def test_precision_without_contexts_is_undefined() -> None:
    score = ContextPrecision(FakeJudge()).score(Sample(question="?", reference="r"))
    assert (score.value, score.status) == (None, "undefined")


@pytest.mark.parametrize(
    ("reference", "answer", "target"), [("r", "a", "reference"), (None, "a", "answer"), (" ", "a", "answer")]
)
def test_precision_is_judged_against_the_reference_else_the_answer(
    reference: str | None, answer: str, target: str
) -> None:
    sample = Sample(question="?", reference=reference, answer=answer, contexts=["c"])
    score = ContextPrecision(FakeJudge({"c": True})).score(sample)
    assert score.details["target"] == target
    assert target in score.reason


def test_precision_with_nothing_to_be_useful_for_is_undefined() -> None:
    score = ContextPrecision(FakeJudge({"c": True})).score(Sample(question="?", contexts=["c"]))
    assert (score.value, score.status) == (None, "undefined")


def test_recall_is_the_share_of_attributed_statements() -> None:
    judge = FakeJudge({"a": True, "b": False, "c": None}, {"r": ["a", "b", "c"]})
    score = ContextRecall(judge).score(Sample(question="?", reference="r", contexts=["x"]))
    assert score.value == 0.5
    assert score.details["coverage"] == pytest.approx(2 / 3)


def test_recall_without_contexts_is_zero_and_asks_nobody() -> None:
    score = ContextRecall(FakeJudge()).score(Sample(question="?", reference="r"))
    assert (score.value, score.status) == (0.0, "scored")


def test_recall_of_a_reference_that_states_nothing_is_undefined() -> None:
    score = ContextRecall(FakeJudge(splits={"r": []})).score(Sample(question="?", reference="r", contexts=["x"]))
    assert (score.value, score.status) == (None, "undefined")
    score = ContextRecall(FakeJudge()).score(Sample(question="?", reference="", contexts=["x"]))
    assert (score.value, score.status) == (None, "undefined")


def test_recall_needs_a_reference() -> None:
    with pytest.raises(SampleError, match="reference"):
        ContextRecall(FakeJudge()).score(Sample(question="?", contexts=["x"]))


def test_recall_without_any_verdict_has_failed() -> None:
    score = ContextRecall(FakeJudge()).score(Sample(question="?", reference="r", contexts=["x"]))
    assert (score.value, score.status) == (None, "failed")
