"""Documents found by the questions that they answered."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from llmopt.errors import NotReadyError, UsageError
from llmopt.interfaces import Retriever
from llmopt.retrieval import BM25, Hybrid, PastQuestions, held_out_hits
from llmopt.testing import FakeEmbedder
from llmopt.testing.contracts import IndexedRetrieverContract
from llmopt.types import Document, Hit

ANIMALS = [Document("cat", "It sleeps all day."), Document("dog", "It barks."), Document("cow", "It eats grass.")]
QUESTIONS = ["what do cats do at night", "who keeps me awake at night", "what gives milk"]
ANSWERS = [["cat"], ["cat", "dog"], ["cow"]]


class Remembering(PastQuestions):
    """Knows, of all documents that it is given, one question: their own text."""

    def build(self, documents: Sequence[Document]) -> None:
        super().build(documents)
        told = [document for document in documents if document.text.strip()]
        self.fit([document.text for document in told], [[document.id] for document in told])


class TestPastQuestions(IndexedRetrieverContract[PastQuestions]):
    def empty(self) -> PastQuestions:
        return Remembering(FakeEmbedder(), least=0.01)


def past() -> PastQuestions:
    return PastQuestions(FakeEmbedder()).index(ANIMALS).fit(QUESTIONS, ANSWERS)


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.document.id for hit in hits]


def test_a_question_finds_what_answered_questions_like_it_scored_by_the_most_similar() -> None:
    hits = past().retrieve("what do cats do at night")
    assert ids(hits)[0] == "cat"
    assert hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert ids(past().retrieve("what gives milk ?")) == ["cow"]


def test_a_question_unlike_all_past_ones_finds_nothing() -> None:
    assert past().retrieve("weather tomorrow") == []
    assert past().retrieve("   ") == []
    assert [len(hits) for hits in past().retrieve_many(["weather tomorrow", "", "what gives milk"])] == [0, 0, 1]


def test_documents_that_are_gone_are_passed_over_and_come_back_with_their_questions() -> None:
    retriever = past().remove(["cat"])
    assert ids(retriever.retrieve("who keeps me awake at night")) == ["dog"]
    assert ids(retriever.add([ANIMALS[0]]).retrieve("who keeps me awake at night")) == ["cat", "dog"]


def test_it_searches_among_allowed_documents() -> None:
    found = asyncio.run(past().search_among("who keeps me awake at night", 5, lambda document: document.id == "dog"))
    assert ids(found) == ["dog"]


def test_questions_survive_saving(tmp_path: Path) -> None:
    past().save(tmp_path / "past")
    loaded = PastQuestions.load(tmp_path / "past")
    assert loaded.retrieve("what gives milk") == past().retrieve("what gives milk")
    PastQuestions(FakeEmbedder()).index(ANIMALS).save(tmp_path / "unfitted")
    with pytest.raises(NotReadyError, match="fit"):
        PastQuestions.load(tmp_path / "unfitted").retrieve("cat")


def test_it_refuses_unknown_documents_and_wrong_order_and_numbers() -> None:
    with pytest.raises(UsageError, match="unknown"):
        PastQuestions(FakeEmbedder()).index(ANIMALS).fit(["a question"], [["horse"]])
    with pytest.raises(NotReadyError, match="index"):
        PastQuestions(FakeEmbedder()).fit(QUESTIONS, ANSWERS)
    with pytest.raises(NotReadyError, match="index"):
        PastQuestions(FakeEmbedder()).retrieve("cat")
    with pytest.raises(UsageError, match="least"):
        PastQuestions(FakeEmbedder(), least=1.0).index(ANIMALS)


def test_as_a_part_of_a_hybrid_it_leaves_its_score_as_a_signal() -> None:
    hybrid = Hybrid([BM25().index(ANIMALS), past()])
    best = hybrid.retrieve("what gives milk")[0]
    assert best.document.id == "cow"
    assert best.signals["PastQuestions"] == pytest.approx(1.0, abs=1e-5)


def test_held_out_hits_come_from_a_retriever_that_has_not_learnt_from_the_query() -> None:
    taught: list[Sequence[str]] = []

    def fit(queries: Sequence[str], relevant: Sequence[Collection[str]]) -> Retriever:
        taught.append(queries)
        return PastQuestions(FakeEmbedder(), least=0.01).index(ANIMALS).fit(queries, relevant)

    queries = [*QUESTIONS, QUESTIONS[0]]
    hits = held_out_hits(fit, queries, [*ANSWERS, ["cat"]], folds=3)
    assert len(taught) == 3
    assert all(hit.score < 0.99 for found in hits for hit in found)
    assert hits[0] == hits[3]
    assert hits == held_out_hits(fit, queries, [*ANSWERS, ["cat"]], folds=3)


def test_held_out_hits_refuse_what_cannot_be_split() -> None:
    with pytest.raises(UsageError, match="folds"):
        held_out_hits(lambda queries, relevant: past(), ["same", "same"], [["cat"], ["cat"]], folds=2)
    with pytest.raises(UsageError, match="labels per query"):
        held_out_hits(lambda queries, relevant: past(), ["one"], [], folds=2)
