"""Our `compat="ragas"` against what the real Ragas 0.4.3 asked and scored (see benchmarks/ragas_parity.py)."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from llmopt.evaluation.compat import ragas_precision_value
from llmopt.evaluation.context import ContextPrecision, ContextRecall
from llmopt.evaluation.faithfulness import Faithfulness
from llmopt.evaluation.ragas_judge import RagasJudge
from llmopt.evaluation.relevancy import AnswerRelevancy
from llmopt.interfaces import ChatModel, Embedder, Metric
from llmopt.testing import FakeEmbedder, FakeJudge, FakeModel
from llmopt.testing.server import bag_of_words
from llmopt.types import Completion, ImpliedQuestion, Matrix, Message, Options, Sample, TextKind

RECORD = json.loads(Path(__file__).with_name("ragas_vectors.json").read_text(encoding="utf-8"))
ROWS: list[dict[str, dict[str, object]]] = RECORD["rows"]
METRICS = ("faithfulness", "answer_relevancy", "context_precision", "context_recall")


class Replaying(ChatModel):
    """Answers the prompts that Ragas sent, told by their hash; any other prompt is an error."""

    def __init__(self, exchanges: Mapping[str, Sequence[str]]) -> None:
        self.exchanges = exchanges
        self.used: set[str] = set()

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        (message,) = messages
        key = hashlib.sha256(message.content.encode()).hexdigest()
        assert message.role == "user"
        assert key in self.exchanges, f"Ragas never asked this: {message.content[-400:]}"
        self.used.add(key)
        return Completion(self.exchanges[key][options.replicate])


class BagOfWords(Embedder):
    """The embeddings of the recording server."""

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        return np.array([bag_of_words(text, RECORD["dimensions"]) for text in texts], np.float32)


def metrics(model: ChatModel) -> dict[str, Metric]:
    judge = RagasJudge(model)
    found: list[Metric] = [
        Faithfulness(judge, compat="ragas"),
        AnswerRelevancy(judge, BagOfWords(), compat="ragas"),
        ContextPrecision(judge, compat="ragas"),
        ContextRecall(judge, compat="ragas"),
    ]
    return {metric.name: metric for metric in found}


def sample_of(row: Mapping[str, Mapping[str, object]]) -> Sample:
    fields = row["sample"]
    return Sample(
        id=str(fields["id"]),
        question=str(fields["question"]),
        answer=str(fields["answer"]),
        reference=str(fields["reference"]),
        contexts=[str(text) for text in cast("list[object]", fields["contexts"])],
    )


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("row", ROWS, ids=[str(row["sample"]["id"]) for row in ROWS])
def test_the_same_requests_give_the_same_score(name: str, row: dict[str, dict[str, object]]) -> None:
    score = metrics(Replaying(RECORD["exchanges"]))[name].score(sample_of(row))
    expected = cast("float | None", row["scores"][name])
    if expected is None:
        assert (score.value, score.status) == (None, "undefined")
        assert score.reason
    else:
        assert score.value == pytest.approx(expected, abs=1e-6)


def test_we_ask_everything_that_ragas_asks() -> None:
    model = Replaying(RECORD["exchanges"])
    for row in ROWS:
        for metric in metrics(model).values():
            metric.score(sample_of(row))
    assert model.used == set(RECORD["exchanges"])


def test_the_record_holds_every_row_of_the_edge_cases() -> None:
    scores = {row["sample"]["id"]: row["scores"] for row in ROWS}
    assert scores["no claims"]["faithfulness"] is None
    assert scores["drops"]["faithfulness"] == 1.0
    assert scores["five"]["faithfulness"] == scores["five"]["context_recall"] == 0.5
    assert [scores["no contexts"][name] for name in METRICS if name != "answer_relevancy"] == [0.0, 0.0, 0.0]
    assert scores["empty answer"]["faithfulness"] is None
    assert scores["noncommittal"]["answer_relevancy"] == 0.0
    assert cast(float, scores["two of three"]["answer_relevancy"]) > 0.0
    assert scores["empty questions"]["answer_relevancy"] is None
    assert scores["nothing attributed"]["context_recall"] is None
    assert scores["useful 1"]["context_precision"] == pytest.approx(0.9999999999, abs=1e-15)
    assert scores["useful 101"]["context_precision"] == pytest.approx(0.83333333329, abs=1e-11)
    assert scores["useful 00"]["context_precision"] == 0.0


def test_precision_has_the_epsilon_of_ragas() -> None:
    assert ragas_precision_value([True]) == pytest.approx(0.9999999999, abs=1e-15)
    assert ragas_precision_value([True, False, True]) == pytest.approx(0.83333333329, abs=1e-11)
    assert ragas_precision_value([False, False]) == 0.0


def test_a_zero_vector_is_undefined() -> None:
    judge = FakeJudge(implied={"x": [ImpliedQuestion("...")]})
    score = AnswerRelevancy(judge, FakeEmbedder(), compat="ragas").score(Sample(question="?!", answer="x"))
    assert (score.value, score.status) == (None, "undefined")


def test_a_verdict_outside_zero_and_one_counts_by_its_truth() -> None:
    items = [{"statement": "a", "reason": "", "attributed": 5}, {"statement": "b", "reason": "", "attributed": 0}]
    reply = json.dumps({"classifications": items})
    sample = Sample(question="?", reference="a b", contexts=["c"])
    assert ContextRecall(RagasJudge(FakeModel(reply)), compat="ragas").score(sample).value == 0.5


def test_an_unreadable_reply_is_sent_back_once() -> None:
    model = FakeModel('{"statements": ["a"]}', script=["Sure, here they are."])
    assert RagasJudge(model).split("q", "a") == ["a"]
    assert len(model.requests) == 2


def test_it_samples_as_ragas_does_unless_told_otherwise() -> None:
    model = FakeModel('{"question": "q", "noncommittal": 0}')
    RagasJudge(model).imply("a", count=3)
    assert [options.temperature for options in model.options] == [0.3] * 3
    assert sorted(options.replicate for options in model.options) == [0, 1, 2]
    model = FakeModel('{"statements": []}')
    RagasJudge(model).split("q", "a")
    RagasJudge(model, Options(temperature=0.0)).split("q", "a")
    assert [options.temperature for options in model.options] == [0.01, 0.0]


def test_the_plan_counts_one_call_for_each_context() -> None:
    judge = RagasJudge(FakeModel())
    sample = Sample(question="q", answer="a b.", reference="r", contexts=["1", "2", "3", "4"])
    plans = [metric.plan(sample) for metric in metrics(FakeModel()).values()]
    assert [sum(item.usage.calls for item in plan) for plan in plans] == [2, 3 + 2, 4, 1]
    assert ContextPrecision(judge).plan(sample)[0].usage.input_tokens > 4 * 800


@pytest.mark.skipif(importlib.util.find_spec("ragas") is None, reason="ragas is not installed")
def test_the_record_is_what_the_installed_ragas_does() -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "ragas_parity.py"
    spec = importlib.util.spec_from_file_location("ragas_parity", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = json.loads(json.dumps(module.recorded()))
    assert found["exchanges"] == RECORD["exchanges"]
    for ours, recorded in zip(found["rows"], ROWS, strict=True):
        for name in METRICS:
            assert ours["scores"][name] == (pytest.approx(recorded["scores"][name], abs=1e-6)), ours["sample"]["id"]
