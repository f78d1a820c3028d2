"""What the base classes refuse from a component that breaks its interface."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from llmopt.errors import (
    ContentFilteredError,
    ContractError,
    LlmoptError,
    ModelOutputError,
    ModelRefusedError,
    OutputCutError,
    SampleError,
    TuningError,
    UsageError,
)
from llmopt.interfaces import (
    ChatModel,
    Chunker,
    Classifier,
    Embedder,
    FineTuneJob,
    IndexedRetriever,
    Judge,
    Metric,
    PromptStrategy,
    Reranker,
    Retriever,
    TrainableClassifier,
    content_of,
)
from llmopt.testing import FakeJudge, FakeModel
from llmopt.types import (
    Answer,
    Completion,
    Delta,
    Document,
    Example,
    Finish,
    Hit,
    JobState,
    JobStatus,
    Matrix,
    Message,
    Options,
    Sample,
    Score,
    Span,
    TextKind,
    Usage,
    Verdict,
)


class City(BaseModel):
    name: str
    people: int


@dataclass
class Given(Retriever):
    hits: Sequence[Hit]

    def search(self, query: str, k: int) -> Sequence[Hit]:
        return self.hits


@dataclass
class Scored(Reranker):
    scores: Sequence[float | None]

    async def score(self, query: str, hits: Sequence[Hit]) -> Sequence[float | None]:
        return self.scores


@dataclass
class Rows(Embedder):
    rows: Matrix

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        return self.rows


@dataclass
class Cut(Chunker):
    ranges: Sequence[Span]

    def spans(self, text: str) -> Iterable[Span]:
        return self.ranges


@dataclass
class Labelled(Classifier):
    scores: Mapping[str, float]

    def predict(self, text: str) -> Mapping[str, float]:
        return self.scores


@dataclass
class Constant(Metric):
    value: object
    needs = frozenset({"reference"})

    def measure(self, sample: Sample) -> Score:
        return self.value  # type: ignore[return-value]  # what a careless user returns


def hit(id: str, score: float) -> Hit:
    return Hit(Document(id, f"text of {id}"), score)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(-9, 9))), st.integers(1, 12))
def test_hits_come_back_unique_sorted_cut_and_with_ties_by_id(pairs: list[tuple[str, float]], k: int) -> None:
    found = Given([hit(id, score) for id, score in pairs]).retrieve("q", k=k)
    keys = [(-each.score, each.document.id) for each in found]
    assert keys == sorted(keys)
    assert len({each.document.id for each in found}) == len(found) <= k
    best = {id: max(score for other, score in pairs if other == id) for id, _ in pairs}
    assert [each.score for each in found] == sorted(best.values(), reverse=True)[:k]


def test_sync_and_async_and_many_agree() -> None:
    retriever = Given([hit("a", 1), hit("b", 2)])
    assert retriever.retrieve("q") == asyncio.run(retriever.aretrieve("q")) == retriever.retrieve_many(["q", "r"])[1]


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_not_finite_is_the_retrievers_fault(score: float) -> None:
    with pytest.raises(ContractError, match=r"Given.search.*'a'"):
        Given([hit("a", score)]).retrieve("q")


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_refused(k: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        Given([]).retrieve("q", k=k)


def test_a_reranker_orders_keeps_ties_in_place_and_drops_what_gets_none() -> None:
    hits = [hit("a", 3), hit("b", 2), hit("c", 1)]
    assert [each.document.id for each in Scored([1, None, 1]).rerank("q", hits)] == ["a", "c"]
    best = Scored([1, 2, 3]).rerank("q", hits, k=1)
    assert (best[0].document.id, best[0].signals) == ("c", {"Scored": 3.0})


def test_a_reranker_gets_no_call_for_no_hits() -> None:
    assert Scored([1.0]).rerank("q", []) == []


@pytest.mark.parametrize("scores", [[1.0], [1.0, math.nan]])
def test_a_reranker_that_gives_the_wrong_scores_is_named(scores: list[float]) -> None:
    with pytest.raises(ContractError, match=r"Scored\.score"):
        Scored(scores).rerank("q", [hit("a", 1), hit("b", 2)])


def test_vectors_come_back_as_unit_rows_and_a_zero_row_stays_zero() -> None:
    rows = Rows(np.array([[3, 4], [0, 0]], np.float32)).encode(["a", "b"], kind="query")
    assert rows.dtype == np.float32
    assert rows.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


@pytest.mark.parametrize("rows", [np.ones((1, 2)), np.ones(2), np.array([[1, np.nan], [1, 1]])])
def test_an_embedder_that_gives_the_wrong_rows_is_named(rows: Matrix) -> None:
    with pytest.raises(ContractError, match=r"Rows\.embed"):
        Rows(rows).encode(["a", "b"], kind="document")


def test_one_text_instead_of_a_list_is_refused() -> None:
    with pytest.raises(UsageError, match="wrap it"):
        Rows(np.ones((1, 2), np.float32)).encode("text", kind="query")


@pytest.mark.parametrize("ranges", [[Span(0, 0)], [Span(-1, 2)], [Span(0, 99)], [Span(3, 4), Span(1, 2)]])
def test_spans_that_are_empty_out_of_range_or_out_of_order_are_refused(ranges: list[Span]) -> None:
    with pytest.raises(ContractError, match=r"Cut\.spans"):
        Cut(ranges).chunk(Document("d", "some text"))


def test_passages_lead_back_to_their_place() -> None:
    document = Document("d", "one two", {"date": "2026"})
    passage = Cut([Span(4, 7, {"headings": ["H"]})]).chunk(document)[0]
    assert (passage.id, passage.text, passage.parent, passage.source) == ("d#0", "two", "d", "d")
    assert passage.metadata == {"date": "2026", "headings": ["H"]}
    assert Cut([Span(0, 3)]).chunk(passage)[0].source == "d"


def test_a_classification_has_a_margin_and_ties_go_by_label() -> None:
    found = Labelled({"b": 0.5, "a": 0.5, "c": 0.1}).classify("t")
    assert (found.label, found.margin) == ("a", 0.0)
    assert Labelled({"only": 1.0}).classify("t").margin == math.inf


@pytest.mark.parametrize("scores", [{}, {"a": math.nan}])
def test_a_classifier_without_usable_scores_is_named(scores: dict[str, float]) -> None:
    with pytest.raises(ContractError, match=r"Labelled\.predict"):
        Labelled(scores).classify("t")


class Learner(TrainableClassifier):
    def train(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        self.label = labels[-1]

    def predict(self, text: str) -> Mapping[str, float]:
        return {self.label: 1.0}


@pytest.mark.parametrize(("texts", "labels"), [(["a"], ["x", "y"]), (["a", "b"], ["x", "x"])])
def test_fitting_on_labels_that_do_not_fit_is_refused(texts: list[str], labels: list[str]) -> None:
    with pytest.raises(UsageError, match=r"Learner\.fit"):
        Learner().fit(texts, labels)


def test_fitting_returns_the_classifier() -> None:
    assert Learner().fit(["a", "b"], ["x", "y"]).classify("t").label == "y"


def test_a_metric_refuses_a_sample_without_what_it_needs() -> None:
    with pytest.raises(SampleError, match=r"needs reference.*'s1'"):
        Constant(Score(1.0)).score(Sample(question="q", id="s1"))


@pytest.mark.parametrize("value", [1.0, Score(math.nan)])
def test_a_metric_that_gives_no_finite_score_is_named(value: object) -> None:
    with pytest.raises(ContractError, match=r"Constant\.measure"):
        Constant(value).score(Sample(question="q", reference="r"))


def test_a_score_without_a_value_cannot_count_as_scored() -> None:
    assert Score(None, "empty").status == "undefined"
    with pytest.raises(ValueError, match="scored"):
        Score(None, status="scored")
    with pytest.raises(ValueError, match="failed"):
        Score(0.0, status="failed")


class Short(FakeJudge):
    def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        return super().supported(claims, contexts)[:1]


def test_a_judge_that_drops_a_verdict_is_refused() -> None:
    judge: Judge = Short({"a": True})
    with pytest.raises(ContractError, match=r"one verdict for each of 2"):
        judge.verify(["a", "b"], ["c"])


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Oslo", "people": 700000}',
        'Sure!\n```json\n{"name": "Oslo", "people": 700000,}\n```\nAnything else?',
        '<think>{"name": "?"}</think>The city is {"name": "Oslo", "people": 700000} as asked.',
        '{"no": 1} and then {"name": "Oslo", "people": "700000"}',
    ],
)
def test_json_is_found_bare_fenced_and_among_prose(text: str) -> None:
    model = FakeModel(text)
    assert model.extract("Which city?", City) == City(name="Oslo", people=700000)
    assert len(model.requests) == 1


def test_a_reply_that_does_not_fit_is_repaired_once() -> None:
    model = FakeModel('{"name": "Oslo", "people": 7}', script=["I think it is Oslo."])
    assert asyncio.run(model.aextract("Which city?", City)).people == 7
    assert "there is no JSON in it" in model.requests[1][-1].content
    assert model.options[0].schema is not None
    with pytest.raises(ModelOutputError, match="City"):
        FakeModel("no").extract("Which city?", City)


@pytest.mark.parametrize(
    ("finish", "error"),
    [("refusal", ModelRefusedError), ("length", OutputCutError), ("content_filter", ContentFilteredError)],
)
def test_a_reply_that_is_no_answer_is_a_typed_error(finish: Finish, error: type[LlmoptError]) -> None:
    with pytest.raises(error):
        content_of(Completion("half an ans", finish=finish))
    with pytest.raises(error):
        Plain().run(FakeModel(Completion("half an ans", finish=finish)), "q")


def test_an_empty_reply_is_never_an_answer() -> None:
    with pytest.raises(ModelOutputError, match="empty"):
        Plain().run(FakeModel(" \n"), "q")


class Plain(PromptStrategy):
    def messages(self, question: str, contexts: Sequence[Hit]) -> list[Message]:
        return [Message("user", question)]


class Careless(Plain):
    async def solve(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Answer:
        return "text"  # type: ignore[return-value]  # what a careless user returns


def test_a_strategy_that_returns_no_answer_is_named() -> None:
    with pytest.raises(ContractError, match=r"Careless\.solve"):
        Careless().run(FakeModel(), "q")


class NoCompletion(ChatModel):
    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        return "text"  # type: ignore[return-value]  # what a careless user returns

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        yield Delta("text")


def test_a_model_that_returns_text_is_named() -> None:
    with pytest.raises(ContractError, match=r"NoCompletion\.generate"):
        NoCompletion().complete("q")
    with pytest.raises(ContractError, match=r"NoCompletion\.stream"):
        list(NoCompletion().complete_stream("q"))


def test_a_model_without_a_stream_of_its_own_streams_in_one_piece() -> None:
    deltas = list(FakeModel("all of it").complete_stream("q"))
    assert [(delta.text, delta.completion is not None) for delta in deltas] == [("all of it", True)]


def test_a_chat_without_messages_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one message"):
        FakeModel().complete([])


@dataclass
class Job(FineTuneJob):
    states: list[JobState]

    def submit(self, training: Sequence[Example], validation: Sequence[Example]) -> str:
        return "job-7"

    async def poll(self, job_id: str) -> JobStatus:
        return JobStatus(job_id, self.states.pop(0), "tuned", "out of memory")

    def model(self, status: JobStatus) -> ChatModel:
        return FakeModel(status.tuned_model or "")


EXAMPLE = Example([Message("user", "hi"), Message("assistant", "hello")])


def test_a_job_is_waited_for_through_states_that_nobody_knows() -> None:
    job = Job(["queued", "unknown", "running", "succeeded"])
    assert job.run([EXAMPLE], poll_seconds=0).complete("hi").text == "tuned"


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_job_that_did_not_succeed_says_why(state: JobState) -> None:
    with pytest.raises(TuningError, match=r"job-7 ended as .*: out of memory"):
        Job([state]).run([EXAMPLE], poll_seconds=0)


def test_a_job_that_takes_too_long_can_be_attached_to() -> None:
    with pytest.raises(TuningError, match=r"attach\('job-7'\)"):
        Job(["running"]).run([EXAMPLE], poll_seconds=1, timeout_seconds=0.5)
    assert Job(["succeeded"]).attach("job-7").complete("hi").text == "tuned"


def test_training_without_examples_is_refused() -> None:
    with pytest.raises(UsageError, match="no training examples"):
        Job([]).run([])
    with pytest.raises(UsageError, match="got a text: `read_examples`"):
        Job([]).run("train.jsonl")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_usages_add_up() -> None:
    assert Usage(1, 2, 3, 4) + Usage(10, 20, 30, 40) == Usage(11, 22, 33, 44)
    assert Usage(1, 2).total_tokens == 3


class Picky(IndexedRetriever):
    def build(self, documents: Sequence[Document]) -> None:
        if any(document.id == "bad" for document in documents):
            raise ValueError("cannot build")

    def search(self, query: str, k: int) -> list[Hit]:
        return [Hit(document, 1.0) for document in self.documents]


def test_a_failed_index_leaves_the_old_documents() -> None:
    retriever = Picky().index([Document("good", "text")])
    with pytest.raises(ValueError, match="cannot build"):
        retriever.index([Document("bad", "text")])
    assert [found.document.id for found in retriever.retrieve("q")] == ["good"]


def test_metadata_without_a_json_form_cannot_be_saved_and_the_document_is_named(tmp_path: Path) -> None:
    retriever = Picky().index([Document("d7", "text", {"when": object()})])
    with pytest.raises(UsageError, match="'d7'"):
        retriever.save(tmp_path / "index")
