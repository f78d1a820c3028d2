"""Queries that a model writes from documents."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from llmopt.errors import CorpusError, CredentialsError, ModelRefusedError, UsageError
from llmopt.retrieval import BM25, Dense, Hybrid, QueryWriter
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.types import Completion, Document, Message

CAT, COW, HEN = (
    Document("cat", "Cats sleep all day."),
    Document("cow", "Cows eat grass."),
    Document("hen", "Hens lay eggs."),
)


def reply(*questions: str) -> str:
    return json.dumps({"questions": questions})


def about(messages: Sequence[Message]) -> str:
    first = messages[-1].content.split("\n")[1].split()[0].lower()
    return reply(f"what do {first} do?", "what do animals do?")


def test_queries_come_with_the_documents_that_answer_them() -> None:
    written = QueryWriter(FakeModel(about), concurrency=2).write([CAT, COW])
    assert written.queries == ["what do cats do?", "what do animals do?", "what do cows do?"]
    assert written.relevant == [["cat"], ["cat", "cow"], ["cow"]]
    assert written.failed == {}


def test_they_fit_a_hybrid() -> None:
    written = QueryWriter(FakeModel(about)).write([CAT, COW, HEN])
    hybrid = Hybrid([BM25(), Dense(FakeEmbedder())]).index([CAT, COW, HEN]).fit(written.queries, written.relevant)
    assert hybrid.fitted is not None


def test_blank_and_superfluous_questions_are_dropped() -> None:
    written = QueryWriter(FakeModel(reply(" ", "one?", "one?", "two?", "three?")), count=3).write([CAT])
    assert written.queries == ["one?", "two?"]


def test_documents_without_questions_are_named_with_the_reason() -> None:
    model = FakeModel(script=[ModelRefusedError("no"), reply(), reply("q?")])
    written = QueryWriter(model, concurrency=1).write([CAT, COW, Document("blank", " "), HEN])
    assert written.relevant == [["hen"]]
    assert written.failed == {
        "cat": "ModelRefusedError: no",
        "cow": "the model wrote no question",
        "blank": "the document has no text",
    }


def test_a_failure_that_all_requests_will_have_is_raised() -> None:
    with pytest.raises(CredentialsError):
        QueryWriter(FakeModel(CredentialsError("no key"))).write([CAT])


def test_an_unusable_reply_is_a_failure() -> None:
    written = QueryWriter(FakeModel(Completion("no JSON"))).write([CAT])
    assert written.queries == []
    assert "ModelOutputError" in written.failed["cat"]


def test_of_a_long_document_the_beginning_is_shown() -> None:
    model = FakeModel(reply("q?"))
    QueryWriter(model, longest=100).write([Document("long", "x" * 5_000_000)])
    assert len(model.requests[0][-1].content) < 300


def test_no_documents_and_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(CorpusError, match="no documents"):
        QueryWriter(FakeModel()).write([])
    with pytest.raises(UsageError, match="at least 1"):
        QueryWriter(FakeModel(), count=0).write([CAT])
