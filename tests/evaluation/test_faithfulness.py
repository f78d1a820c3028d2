from __future__ import annotations

from collections.abc import Sequence

import pytest

from llmopt.errors import ContractError
from llmopt.evaluation.faithfulness import Faithfulness
from llmopt.interfaces import Judge
from llmopt.testing import FakeJudge
from llmopt.types import ImpliedQuestion, Sample, Verdict

SAMPLE = Sample(question="Weather?", answer="all", contexts=["It rains in May."])


def judge(**verdicts: bool | None) -> FakeJudge:
    return FakeJudge(verdicts, {"all": list(verdicts)})


def test_the_value_is_the_share_of_supported_claims() -> None:
    score = Faithfulness(judge(a=True, b=False, c=True, d=True)).score(SAMPLE)
    assert score.value == 0.75
    assert score.status == "scored"
    assert [verdict.statement for verdict in score.verdicts] == ["a", "b", "c", "d"]
    assert score.details == {"n": 4, "judged": 4, "held": 3, "coverage": 1.0}
    assert "3 of 4 claims are supported" in score.reason
    assert "'b'" in score.reason


def test_an_unjudged_claim_lowers_the_coverage_and_not_the_value() -> None:
    score = Faithfulness(judge(a=True, b=None, c=True, d=None)).score(SAMPLE)
    assert score.value == 1.0
    assert score.details["coverage"] == 0.5
    assert "2 of 4 could not be judged" in score.reason


def test_no_verdict_at_all_is_a_failure_with_the_judges_reason() -> None:
    score = Faithfulness(judge(a=None, b=None)).score(SAMPLE)
    assert score.value is None
    assert score.status == "failed"
    assert "not in the table" in score.reason
    assert score.details["coverage"] == 0.0


def test_an_answer_without_claims_is_undefined() -> None:
    score = Faithfulness(judge()).score(SAMPLE)
    assert (score.value, score.status) == (None, "undefined")
    assert "no claim" in score.reason


@pytest.mark.parametrize("answer", ["", "  \n"])
def test_an_empty_answer_is_undefined_and_asks_nobody(answer: str) -> None:
    score = Faithfulness(Refusing()).score(Sample(question="?", answer=answer, contexts=["c"]))
    assert (score.value, score.status, score.reason) == (None, "undefined", "the answer is empty")


@pytest.mark.parametrize("contexts", [[], [""], ["  ", "\n"]])
def test_no_contexts_are_undefined_and_never_a_free_one(contexts: Sequence[str]) -> None:
    score = Faithfulness(Refusing()).score(Sample(question="?", answer="a", contexts=contexts))
    assert (score.value, score.status) == (None, "undefined")
    assert "no contexts" in score.reason


def test_a_judge_that_drops_verdicts_breaks_its_contract() -> None:
    class Dropping(FakeJudge):
        def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
            return [Verdict(claims[0], True)]

    with pytest.raises(ContractError, match="one verdict for each of 3"):
        Faithfulness(Dropping({}, {"all": ["a", "b", "c"]})).score(SAMPLE)


def test_thousands_of_claims_are_cut_and_counted() -> None:
    many = {f"claim {number}": True for number in range(10_000)}
    score = Faithfulness(FakeJudge(many, {"all": list(many)}), max_claims=50).score(SAMPLE)
    assert score.value == 1.0
    assert score.details["n"] == 50
    assert score.details["cut"] == 9_950


def test_fused_splits_and_verifies_in_one_inquiry() -> None:
    class Fused(FakeJudge):
        def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
            raise AssertionError("fused asks no second time")

        def attributed(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
            assert reference == SAMPLE.answer
            return [Verdict("a", True), Verdict("b", False)]

    assert Faithfulness(Fused(), fused=True).score(SAMPLE).value == 0.5


def test_a_free_judge_plans_nothing() -> None:
    assert list(Faithfulness(judge(a=True)).plan(SAMPLE)) == []


class Refusing(Judge):
    """A judge that must not be asked."""

    def claims(self, question: str, answer: str) -> list[str]:
        raise AssertionError("nobody should be asked")

    def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        raise AssertionError("nobody should be asked")

    def useful(self, question: str, target: str, contexts: Sequence[str]) -> list[Verdict]:
        raise AssertionError("nobody should be asked")

    def questions(self, answer: str, count: int) -> list[ImpliedQuestion]:
        raise AssertionError("nobody should be asked")

    def attributed(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
        raise AssertionError("nobody should be asked")
