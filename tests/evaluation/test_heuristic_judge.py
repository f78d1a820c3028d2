from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.evaluation.context import ContextPrecision, ContextRecall
from llmopt.evaluation.faithfulness import Faithfulness
from llmopt.evaluation.heuristic_judge import HeuristicJudge
from llmopt.evaluation.relevancy import AnswerRelevancy
from llmopt.testing import FakeEmbedder
from llmopt.types import Sample

CONTEXTS = [
    "The Seine is a river in northern France. It is 777 km long and flows through Paris.",
    "Marie Curie was born in Warsaw in 1867.",
]


def test_the_four_metrics_tell_a_good_answer_from_a_bad_one() -> None:
    judge = HeuristicJudge()
    good = Sample(
        question="How long is the Seine?",
        answer="The Seine is 777 km long. It flows through Paris.",
        reference="The Seine is 777 km long.",
        contexts=CONTEXTS,
    )
    bad = Sample(
        question=good.question,
        answer="The Danube is 2850 km long. Many ships carry wheat on it.",
        reference=good.reference,
        contexts=CONTEXTS[1:],
    )
    for metric in (Faithfulness(judge), ContextRecall(judge), AnswerRelevancy(judge, FakeEmbedder())):
        better, worse = metric.score(good).value, metric.score(bad).value
        assert better is not None
        assert worse is not None
        assert better > worse, metric.name
    assert ContextPrecision(judge).score(good).value == 1.0
    assert ContextPrecision(judge).score(bad).value == 0.0


def test_a_verdict_carries_its_probability_and_says_what_is_missing() -> None:
    verdict = HeuristicJudge().verify(["The Seine is 800 km long."], CONTEXTS)[0]
    assert verdict.holds is False
    assert verdict.probability is not None
    assert verdict.probability < 0.5
    assert "nowhere: 800" in verdict.reason


def test_the_threshold_moves_the_verdict_and_not_the_probability() -> None:
    claim = ["The Seine flows through Paris."]
    easy, hard = (HeuristicJudge(threshold=t).verify(claim, CONTEXTS)[0] for t in (0.01, 0.999))
    assert (easy.holds, hard.holds) == (True, False)
    assert easy.probability == hard.probability


def test_a_claim_without_words_has_no_verdict() -> None:
    assert HeuristicJudge().verify(["!?"], CONTEXTS)[0].holds is None


def test_an_embedder_counts_closeness_by_one_request() -> None:
    embedder = FakeEmbedder(dimensions=1024)
    judge = HeuristicJudge(embedder)
    near, far = judge.verify(["The Seine is a long river.", "Elephants eat grass."], CONTEXTS)
    assert near.probability is not None
    assert far.probability is not None
    assert near.probability > far.probability
    assert len(embedder.requests) == 1
    assert near.probability != HeuristicJudge().verify(["The Seine is a long river."], CONTEXTS)[0].probability
    assert judge.verify([], CONTEXTS) == []
    assert judge.verify(["Elephants eat."], [])[0].holds is False


def test_useful_contexts_are_those_that_hold_question_and_target() -> None:
    judge = HeuristicJudge()
    found = judge.rate("How long is the Seine?", "777 km", CONTEXTS)
    assert [verdict.holds for verdict in found] == [True, False]
    found = judge.rate("塞纳河有多长？", "塞纳河长777公里。", ["塞纳河长777公里，流经巴黎。", "居里夫人出生在华沙。"])
    assert [verdict.holds for verdict in found] == [True, False]


@pytest.mark.parametrize("answer", ["I don't know.", "我不知道。", "The documents do not mention it."])
def test_an_abstention_is_noncommittal_and_scores_zero(answer: str) -> None:
    implied = HeuristicJudge().imply(answer)
    assert implied
    assert all(question.noncommittal for question in implied)
    sample = Sample(question="How long is the Seine?", answer=answer, contexts=CONTEXTS)
    assert AnswerRelevancy(HeuristicJudge(), FakeEmbedder()).score(sample).value == 0.0
    assert Faithfulness(HeuristicJudge()).score(sample).status == "undefined"


def test_it_works_from_async_code() -> None:
    sample = Sample(question="?", answer="The Seine is a river.", contexts=CONTEXTS)
    score = asyncio.run(Faithfulness(HeuristicJudge()).ascore(sample))
    assert score.value == 1.0


@given(st.text(max_size=200), st.lists(st.text(max_size=200), max_size=3), st.text(max_size=60))
def test_any_text_is_judged_without_an_error(answer: str, contexts: list[str], question: str) -> None:
    judge = HeuristicJudge()
    claims = judge.split(question, answer)
    assert len(judge.verify(claims, contexts)) == len(claims)
    for verdict in judge.rate(question, answer, contexts):
        assert verdict.probability is not None
        assert 0.0 <= verdict.probability <= 1.0
    judge.imply(answer)
    judge.attribute(question, answer, contexts)


def test_the_same_probability_comes_from_every_process() -> None:
    code = (
        "from llmopt.evaluation import HeuristicJudge\n"
        "print(HeuristicJudge().verify(['The Seine and the Rhine flow north of Lyon.'], "
        "['The Seine flows through Paris, the Rhine through Basel and Bonn.'])[0].probability)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1
