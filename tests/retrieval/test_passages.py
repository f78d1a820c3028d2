"""Retrievers that index small passages: Parent, SentenceWindow, Contextual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.chunking import Markdown, Sentence
from llmopt.errors import (
    CorpusError,
    CredentialsError,
    ModelRefusedError,
    ModelUnavailableError,
    UsageError,
)
from llmopt.interfaces import Chunker, IndexedRetriever
from llmopt.retrieval import BM25, Contextual, Dense, Hybrid, Parent, SentenceWindow
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.testing.contracts import IndexedRetrieverContract
from llmopt.types import Document, Hit, Message, Span


class Lines(Chunker):
    """A passage per line."""

    def spans(self, text: str) -> list[Span]:
        spans: list[Span] = []
        start = 0
        for line in text.splitlines(keepends=True):
            if line.strip():
                spans.append(Span(start, start + len(line.rstrip())))
            start += len(line)
        return spans


class TestParent(IndexedRetrieverContract[Parent]):
    def empty(self) -> Parent:
        return Parent(Sentence(), Hybrid([BM25(), Dense(FakeEmbedder())]), depth=2)


class TestSentenceWindow(IndexedRetrieverContract[SentenceWindow]):
    def empty(self) -> SentenceWindow:
        return SentenceWindow(BM25())

    def test_indexing_returns_itself_and_forgets_earlier_documents(self) -> None:
        retriever = self.make().index([self.documents[1]])
        assert [hit.document.parent for hit in retriever.retrieve("dog")] == ["dog"]
        assert retriever.retrieve("cat") == []

    def test_only_allowed_documents_are_found_among_them(self) -> None:
        pytest.skip("its hits are windows, whose ids are not the documents'; tested below")


class TestContextual(IndexedRetrieverContract[Contextual]):
    def empty(self) -> Contextual:
        return Contextual(Lines(), BM25(), FakeModel("About animals."))

    def test_indexing_returns_itself_and_forgets_earlier_documents(self) -> None:
        retriever = self.make().index([self.documents[1]])
        assert [hit.document.parent for hit in retriever.retrieve("dog")] == ["dog"]
        assert retriever.retrieve("cat") == []

    def test_only_allowed_documents_are_found_among_them(self) -> None:
        pytest.skip("its hits are passages, whose ids are not the documents'; tested below")

    def allowed(self) -> Sequence[type[object]]:
        return (Lines,)


PETS = Document("pets", "Cats sleep.\nDogs bark.\nCats hunt.", {"kind": "pet"})
FARM = Document("farm", "Cows eat grass.\nCats hunt mice in barns.", {"kind": "farm"})


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.document.id for hit in hits]


def test_a_parent_comes_once_with_its_best_score_and_the_number_of_its_passages() -> None:
    retriever = Parent(Lines(), BM25()).index([PETS, FARM])
    passages = retriever.retriever.retrieve("cats")
    hits = retriever.retrieve("cats")
    assert [hit.document for hit in hits] == [PETS, FARM]
    assert hits[0].score == passages[0].score
    assert [hit.signals["passages"] for hit in hits] == [2, 1]


def test_more_passages_are_fetched_until_there_are_enough_parents() -> None:
    many = Document("many", "\n".join(["a cat"] * 50))
    retriever = Parent(Lines(), BM25(), depth=3).index([many, PETS, FARM])
    assert ids(retriever.retrieve("cats", k=3)) == ["many", "pets", "farm"]


TEXT = Document("t", "Zero here. One here. Two here. Three here. Four here. Five here. Six here.")


def windows(query: str, before: int, after: int, k: int = 9) -> list[str]:
    retriever = SentenceWindow(BM25(stop_words=()), before, after).index([TEXT, PETS])
    return [hit.document.text for hit in retriever.retrieve(query, k=k)]


def test_a_window_has_the_neighbours_of_the_sentence_within_its_document() -> None:
    assert windows("two", 1, 2) == ["One here. Two here. Three here. Four here."]
    assert windows("zero", 1, 1) == ["Zero here. One here."]
    assert windows("six", 1, 1) == ["Five here. Six here."]
    assert windows("six", 0, 0) == ["Six here."]
    assert windows("three", 99, 99) == [TEXT.text]


def test_no_sentence_comes_twice() -> None:
    assert windows("two three", 1, 1) == ["One here. Two here. Three here."]
    assert windows("two two four", 1, 1) == ["One here. Two here. Three here.", "Four here. Five here."]


@given(
    found=st.lists(st.sampled_from(["zero", "one", "two", "three", "four", "five", "six"]), min_size=1, max_size=7),
    before=st.integers(0, 3),
    after=st.integers(0, 3),
)
def test_windows_are_parts_of_the_text_that_never_overlap(found: list[str], before: int, after: int) -> None:
    retriever = SentenceWindow(BM25(stop_words=()), before, after).index([TEXT])
    hits = retriever.retrieve(" ".join(found), k=9)
    covered: list[int] = []
    for hit in hits:
        assert hit.document.parent == "t"
        assert hit.document.span is not None
        assert hit.document.text == TEXT.text[hit.document.span.start : hit.document.span.end]
        assert hit.document.text.count(".") <= before + after + 1
        covered += range(hit.document.span.start, hit.document.span.end)
    assert len(covered) == len(set(covered))
    for word in found:
        assert any(word.title() in hit.document.text for hit in hits)


def test_windows_have_ids_metadata_and_spans_that_lead_back() -> None:
    (hit,) = SentenceWindow(BM25(), 0, 1).index([PETS]).retrieve("bark")
    assert hit.document.metadata == PETS.metadata
    assert hit.document.parent == "pets"
    assert hit.document.id.startswith("pets#")


def test_negative_windows_are_refused() -> None:
    with pytest.raises(UsageError, match="before=-1"):
        SentenceWindow(BM25(), before=-1).index([PETS])


def test_a_passage_is_found_by_its_context_and_comes_back_as_it_was() -> None:
    def place(messages: Sequence[Message]) -> str:
        return "Felines and canines." if "Cats sleep" in messages[-1].content.split("<<<passage")[1] else "Other."

    retriever = Contextual(Lines(), BM25(), FakeModel(place)).index([PETS, FARM])
    (hit,) = retriever.retrieve("feline")
    assert (hit.document.id, hit.document.text) == ("pets#0", "Cats sleep.")
    assert hit.document.metadata == {"kind": "pet", "context": "Felines and canines."}
    assert hit.document.span == Span(0, 11)


def test_hits_keep_the_headings_that_the_chunker_put_in_front() -> None:
    page = Document("page", "# Pets\n## Cats\nThey sleep.\n# Farm\nThey moo.")
    model = FakeModel("On felines.", script=["On felines.", ModelRefusedError("no")])
    retriever = Contextual(Markdown(with_headings=True), BM25(), model, concurrency=1)
    retriever.index([page, *(replace(page, id=f"{number}", text=str(number)) for number in range(8))])
    assert list(retriever.failed) == ["page#1"]
    assert retriever.retrieve("pets", k=1)[0].document.text == "Pets > Cats\n\n# Pets\n## Cats\nThey sleep."
    assert retriever.retrieve("farm", k=1)[0].document.text == "Farm\n\n# Farm\nThey moo."


def test_the_requests_of_a_document_begin_alike() -> None:
    model = FakeModel("context")
    Contextual(Lines(), BM25(), model, concurrency=1).index([PETS])
    prompts = ["".join(message.content for message in messages) for messages in model.requests]
    assert len(prompts) == 3
    shared = prompts[0].index("<<<passage")
    assert PETS.text in prompts[0][:shared]
    assert len({prompt[:shared] for prompt in prompts}) == 1


def test_of_a_long_document_the_model_sees_the_surroundings_of_the_passage() -> None:
    long = Document("long", "\n".join(f"line {number}" for number in range(2000)))
    model = FakeModel("context")
    Contextual(Lines(), BM25(), model, concurrency=1, longest=200).index([long])
    for messages, number in zip(model.requests[::500], range(0, 2000, 500), strict=True):
        assert len(messages[-1].content) < 500
        assert messages[-1].content.count(f"line {number}\n") >= 1
    with pytest.raises(UsageError, match="longest=0"):
        Contextual(Lines(), BM25(), model, longest=0).index([long])


def test_a_passage_whose_call_failed_is_indexed_without_context_and_named() -> None:
    many = Document("many", "\n".join(f"line {number}" for number in range(10)))
    model = FakeModel("context", script=["context", ModelRefusedError("no")])
    retriever = Contextual(Lines(), BM25(), model, concurrency=1).index([many])
    assert retriever.failed == {"many#1": "ModelRefusedError: no"}
    assert "many#1" not in ids(retriever.retrieve("context", k=20))
    assert ids(retriever.retrieve("line 1", k=1)) == ["many#1"]


@pytest.mark.parametrize("error", [ModelUnavailableError("down"), CredentialsError("no key")])
def test_when_too_many_calls_fail_the_error_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        Contextual(Lines(), BM25(), FakeModel(error)).index([PETS])


def make_parent() -> IndexedRetriever:
    return Parent(Lines(), BM25())


def make_window() -> IndexedRetriever:
    return SentenceWindow(Dense(FakeEmbedder()), 1, 1)


def make_contextual() -> IndexedRetriever:
    return Contextual(Lines(), BM25(), FakeModel("context"))


MAKERS = [make_parent, make_window, make_contextual]


@pytest.mark.parametrize("make", MAKERS)
def test_documents_come_and_go_with_their_passages(make: Callable[[], IndexedRetriever]) -> None:
    retriever = make().index([PETS, FARM])
    assert isinstance(retriever, Parent | SentenceWindow | Contextual)
    retriever.add([Document("new", "Hens lay eggs.\nGeese fly.")])
    retriever.update([Document("pets", "Fish swim.")])
    retriever.remove(["farm"])
    again = make().index(retriever.documents)
    for query in ("fish", "cats", "geese lay eggs", "grass"):
        assert retriever.retrieve(query) == again.retrieve(query)


@pytest.mark.parametrize("make", MAKERS)
def test_filters_see_the_documents_and_not_the_passages(make: Callable[[], IndexedRetriever]) -> None:
    from llmopt.retrieval import Equals, Filtered

    hits = Filtered(make(), Equals("kind", "farm")).index([PETS, FARM]).retrieve("cats hunt")
    assert hits
    assert {hit.document.source for hit in hits} == {"farm"}


@pytest.mark.parametrize("make", MAKERS)
def test_documents_without_text_are_refused(make: Callable[[], IndexedRetriever]) -> None:
    with pytest.raises(CorpusError, match="cut no passage"):
        make().index([Document("blank", " \n")])


@pytest.mark.parametrize("make", MAKERS)
def test_blank_documents_among_others_do_no_harm(make: Callable[[], IndexedRetriever]) -> None:
    retriever = make().index([Document("blank", ""), PETS])
    assert {hit.document.source for hit in retriever.retrieve("cats")} == {"pets"}


def test_loading_calls_no_model(tmp_path: Path) -> None:
    Contextual(Lines(), BM25(), FakeModel("felines")).index([PETS]).save(tmp_path / "saved")
    loaded = Contextual.load(tmp_path / "saved", allow=[Lines])
    assert isinstance(loaded.model, FakeModel)
    assert len(loaded.retrieve("feline")) == 3
    assert loaded.model.requests == []
