"""Every judge and judged metric passes the contract suite of its interface."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from llmopt._fences import read_fences
from llmopt.evaluation import (
    AnswerCorrectness,
    AnswerRelevancy,
    ContextPrecision,
    ContextRecall,
    ContextUtilisation,
    Faithfulness,
    HeuristicJudge,
    ModelJudge,
    Panel,
    RagasJudge,
    SemanticSimilarity,
)
from llmopt.interfaces import Judge, Metric
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.testing.contracts import JudgeContract, MetricContract
from llmopt.types import Message


def model_reply(messages: Sequence[Message]) -> str:
    """Answer any prompt of `ModelJudge` with yes."""
    user = messages[-1].content
    texts = {fence.label: fence.text for fence in read_fences(user)}
    if '"claims"' in user:
        return json.dumps({"claims": texts["answer"].split(". ")})
    if '"questions"' in user:
        return json.dumps({"questions": [{"question": "What?", "noncommittal": 0}] * 3})
    if '"statements": [' in user:
        return json.dumps({"statements": [{"statement": texts["text"], "reason": "", "verdict": 1}]})
    ids = re.findall(r"each id of ([\d, ]+)", user)[-1].split(", ")
    return json.dumps({"verdicts": [{"id": int(number), "reason": "", "verdict": 1} for number in ids]})


def ragas_reply(messages: Sequence[Message]) -> str:
    """Answer any prompt of `RagasJudge` with yes."""
    given = json.loads(messages[-1].content.rsplit("input: ", 1)[1].rsplit("\nOutput: ", 1)[0])
    if "response" in given:
        return json.dumps({"question": "What?", "noncommittal": 0})
    if "statements" in given:
        items = [{"statement": text, "reason": "", "verdict": 1} for text in given["statements"]]
        return json.dumps({"statements": items})
    if "context" not in given:
        return json.dumps({"statements": [part for part in given["answer"].split(". ") if part]})
    statement = {"statement": given["answer"], "reason": "", "attributed": 1}
    return json.dumps({"classifications": [statement], "reason": "", "verdict": 1})


class TestModelJudge(JudgeContract[Judge]):
    def make(self) -> Judge:
        return ModelJudge(FakeModel(model_reply))


class TestRagasJudge(JudgeContract[Judge]):
    def make(self) -> Judge:
        return RagasJudge(FakeModel(ragas_reply))


class TestHeuristicJudge(JudgeContract[Judge]):
    def make(self) -> Judge:
        return HeuristicJudge()


class TestHeuristicJudgeWithEmbedder(JudgeContract[Judge]):
    def make(self) -> Judge:
        return HeuristicJudge(FakeEmbedder())


class TestPanel(JudgeContract[Judge]):
    def make(self) -> Judge:
        return Panel([HeuristicJudge(), ModelJudge(FakeModel(model_reply)), HeuristicJudge(threshold=0.7)])


class TestFaithfulness(MetricContract[Metric]):
    def make(self) -> Metric:
        return Faithfulness(HeuristicJudge())


class TestFusedFaithfulness(MetricContract[Metric]):
    def make(self) -> Metric:
        return Faithfulness(ModelJudge(FakeModel(model_reply)), fused=True)


class TestRagasFaithfulness(MetricContract[Metric]):
    def make(self) -> Metric:
        return Faithfulness(RagasJudge(FakeModel(ragas_reply)), compat="ragas")


class TestAnswerRelevancy(MetricContract[Metric]):
    low = -1.0

    def make(self) -> Metric:
        return AnswerRelevancy(HeuristicJudge(), FakeEmbedder())


class TestContextPrecision(MetricContract[Metric]):
    def make(self) -> Metric:
        return ContextPrecision(HeuristicJudge())


class TestContextRecall(MetricContract[Metric]):
    def make(self) -> Metric:
        return ContextRecall(HeuristicJudge())


class TestContextUtilisation(MetricContract[Metric]):
    def make(self) -> Metric:
        return ContextUtilisation(HeuristicJudge())


class TestAnswerCorrectness(MetricContract[Metric]):
    def make(self) -> Metric:
        return AnswerCorrectness(HeuristicJudge())


class TestSemanticSimilarity(MetricContract[Metric]):
    low = -1.0

    def make(self) -> Metric:
        return SemanticSimilarity(FakeEmbedder())
