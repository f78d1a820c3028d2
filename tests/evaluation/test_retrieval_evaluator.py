"""Retrieval measured on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from llmopt.errors import SampleError, UsageError
from llmopt.evaluation import NDCG, Recall, RetrievalEvaluator
from llmopt.retrieval import BM25, FunctionRetriever, SentenceWindow
from llmopt.types import Document, Hit, Sample

DOCUMENTS = [Document("cat", "Cats sleep all day."), Document("dog", "Dogs bark."), Document("狗", "狗在晚上叫。")]
SAMPLES = [
    Sample(question="Do cats sleep?", gold=["cat"]),
    Sample(question="Who sleeps?", gold=["dog"]),
    Sample(question="谁在晚上叫？", gold=["狗"]),
]


def evaluator(k: int = 100) -> RetrievalEvaluator:
    return RetrievalEvaluator((NDCG(10), Recall(1)), k=k, progress=False)


def passages(query: str, k: int) -> Sequence[Hit]:
    """Two passages of the wrong document, then two of the right one."""
    ids = ["dog#0", "dog#1", "cat#0", "cat#1"]
    return [Hit(Document(id, id, parent=id[:3]), 1.0 - place / 10) for place, id in enumerate(ids)]


def test_every_question_has_its_figures_in_sync_and_async_code() -> None:
    retriever = BM25().index(DOCUMENTS)
    report = evaluator().run(retriever, SAMPLES)
    assert [row.scores["recall@1"].value for row in report.rows] == [1.0, 0.0, 1.0]
    assert asyncio.run(evaluator().arun(retriever, SAMPLES)).summary("recall@1") == report.summary("recall@1")


def test_two_retrievers_are_compared_question_by_question() -> None:
    before = evaluator().run(FunctionRetriever(lambda query, k: DOCUMENTS[:1]), SAMPLES)
    after = evaluator().run(BM25().index(DOCUMENTS), SAMPLES)
    assert after.compare(before, "recall@1").difference.value == pytest.approx(1 / 3)


def test_passages_count_for_their_document_once_unless_gold_names_passages() -> None:
    retriever = FunctionRetriever(passages)
    (whole, part) = (Sample(question="q", gold=[id]) for id in ("cat", "cat#1"))
    report = evaluator().run(retriever, [whole, part])
    assert [list(row.sample.context_ids) for row in report.rows] == [["dog", "cat"], ["dog", "cat", "cat#1"]]


def test_nothing_found_is_a_zero_that_says_so() -> None:
    report = evaluator().run(FunctionRetriever(lambda query, k: []), SAMPLES)
    assert report.summary("ndcg@10").mean == 0
    assert report.rows[0].scores["ndcg@10"].reason == "nothing was retrieved"


def test_gold_that_names_none_of_the_documents_is_refused() -> None:
    retriever = BM25().index(DOCUMENTS)
    with pytest.raises(SampleError, match="how the two write their ids"):
        evaluator().run(retriever, [Sample(question="q", gold=["cat.txt"])])
    some = evaluator().run(retriever, [Sample(question="cats", gold=["cat", "cow"])])
    assert some.summary("recall@1").mean == 0.5
    windows = SentenceWindow(BM25()).index(DOCUMENTS)
    assert evaluator().run(windows, [Sample(question="cats", gold=["cat#0-0"])]).summary("recall@1").mean == 1


def test_samples_and_numbers_that_cannot_be_measured_are_refused() -> None:
    retriever = BM25().index(DOCUMENTS)
    with pytest.raises(SampleError, match="no gold documents"):
        evaluator().run(retriever, [Sample(question="q")])
    with pytest.raises(SampleError, match="no samples"):
        evaluator().run(retriever, [])
    with pytest.raises(UsageError, match="k=9, needed 10"):
        evaluator(k=9).run(retriever, SAMPLES)
