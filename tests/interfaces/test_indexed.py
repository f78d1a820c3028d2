"""Retrievers that hold their documents: built, saved, loaded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._files import read_folder
from llmopt._sync import call_sync
from llmopt.errors import CorpusError, NotReadyError, StorageError, UsageError
from llmopt.interfaces import IndexedRetriever
from llmopt.retrieval import BM25
from llmopt.testing.contracts import IndexedRetrieverContract
from llmopt.types import Document, Hit, Span


@dataclass(repr=False, eq=False)
class Contains(IndexedRetriever):
    """The least that one must write."""

    ignore_case: bool = True
    built: int = field(default=0, init=False)

    def build(self, documents: Sequence[Document]) -> None:
        self.built += 1
        self.texts = [document.text.lower() if self.ignore_case else document.text for document in documents]

    def search(self, query: str, k: int) -> list[Hit]:
        wanted = query.lower() if self.ignore_case else query
        return [
            Hit(document, 1.0) for document, text in zip(self.documents, self.texts, strict=True) if wanted in text
        ][:k]


class Later(Contains):
    """The same with `async def` hooks."""

    async def build(self, documents: Sequence[Document]) -> None:  # type: ignore[override]  # awaited by the base
        await asyncio.sleep(0)
        super().build(documents)


class Costly(Contains):
    """One that writes its index instead of building it again."""

    def dump_index(self, folder: Path) -> None:
        (folder / "texts.json").write_text(json.dumps(self.texts), encoding="utf-8")

    def restore_index(self, folder: Path) -> None:
        self.texts = json.loads((folder / "texts.json").read_text("utf-8"))


class TestContains(IndexedRetrieverContract[Contains]):
    def empty(self) -> Contains:
        return Contains()


class TestLater(IndexedRetrieverContract[Later]):
    def empty(self) -> Later:
        return Later()


class TestCostly(IndexedRetrieverContract[Costly]):
    def empty(self) -> Costly:
        return Costly()


METADATA = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.lists(st.text()),
    max_size=3,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    texts=st.lists(TEXT, min_size=1, max_size=5),
    metadata=METADATA,
    parent=st.none() | TEXT,
    span=st.none() | st.builds(Span, st.integers(0, 9), st.integers(0, 9), METADATA),
)
def test_documents_survive_saving(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    metadata: dict[str, object],
    parent: str | None,
    span: Span | None,
) -> None:
    documents = [Document(f"d{number}", text, metadata, parent, span) for number, text in enumerate(texts)]
    path = tmp_path_factory.mktemp("saved") / "index"
    Contains().index(documents).save(path)
    assert list(Contains.load(path, allow=[Contains]).documents) == documents


def test_line_separators_in_a_text_do_not_cut_its_line(tmp_path: Path) -> None:
    document = Document("d", "one\u2028two\x85three\x0bfour\r\nfive\n")
    Contains().index([document]).save(tmp_path / "index")
    assert Contains.load(tmp_path / "index").documents == (document,)


def test_parameters_survive_saving(tmp_path: Path) -> None:
    Contains(ignore_case=False).index([Document("d", "Text")]).save(tmp_path / "index")
    assert Contains.load(tmp_path / "index").retrieve("text") == []


def test_by_default_the_index_is_built_again_when_loaded(tmp_path: Path) -> None:
    Contains().index([Document("d", "text")]).save(tmp_path / "a")
    assert Contains.load(tmp_path / "a").built == 1
    Costly().index([Document("d", "text")]).save(tmp_path / "b")
    assert Costly.load(tmp_path / "b").built == 0


def test_saving_before_indexing_keeps_the_parameters_only(tmp_path: Path) -> None:
    Contains(ignore_case=False).save(tmp_path / "index")
    loaded = Contains.load(tmp_path / "index")
    assert loaded.ignore_case is False
    with pytest.raises(NotReadyError, match=r"Contains has no documents yet: call `index"):
        loaded.retrieve("text")


def test_documents_before_indexing_are_refused() -> None:
    with pytest.raises(NotReadyError, match="Contains has no documents yet"):
        _ = Contains().documents


def test_documents_may_come_from_a_generator() -> None:
    def stream() -> Iterable[Document]:
        yield Document("a", "one")
        yield Document("b", "two")

    assert [document.id for document in Contains().index(stream()).documents] == ["a", "b"]


def test_an_empty_corpus_is_refused_with_the_name_of_the_retriever() -> None:
    with pytest.raises(CorpusError, match="Contains got no documents"):
        Contains().index(iter(()))


def test_repeated_ids_are_counted_in_the_message() -> None:
    with pytest.raises(CorpusError, match=r"'b' comes 3 times among 4 documents"):
        Contains().index([Document("a", ""), *[Document("b", "")] * 3])


def test_searching_among_some_looks_beyond_the_best_k() -> None:
    retriever = Contains().index([Document(str(number), "text") for number in range(50)])
    hits = call_sync(retriever.search_among, "text", 1, lambda document: document.id == "49")
    assert [hit.document.id for hit in hits] == ["49"]


def test_a_line_that_is_no_document_is_refused(tmp_path: Path) -> None:
    class Damaging(Contains):
        def dump_index(self, folder: Path) -> None:
            (folder.parent / "documents.jsonl").write_text('{"id": "d"}\n', encoding="utf-8")

    Damaging().index([Document("d", "text")]).save(tmp_path / "index")
    with pytest.raises(StorageError, match=r"documents\.jsonl is damaged"):
        Damaging.load(tmp_path / "index")


def test_another_kind_of_retriever_is_refused(tmp_path: Path) -> None:
    Contains().index([Document("d", "text")]).save(tmp_path / "index")
    with pytest.raises(UsageError, match="holds a Contains, not a Costly"):
        Costly.load(tmp_path / "index", allow=[Contains])


def test_the_index_is_found_after_moving_the_folder(tmp_path: Path) -> None:
    Costly().index([Document("d", "text")]).save(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert Costly.load(tmp_path / "there").retrieve("text")
    assert read_folder(tmp_path / "there").is_dir()


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        (["a text"], r"got 'a text' among them: write Document"),
        ("a text", "got one str: put it into a list"),
        (Document("1", "a text"), "got one Document: put it into a list"),
        ([Document("1", "a text"), None], "got None among them"),
    ],
)
def test_what_is_no_list_of_documents_is_refused(documents: list[Document], said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        BM25().index(documents)


@pytest.mark.parametrize("k", [0, -1, 2.5, "3", None])
def test_a_number_of_hits_that_is_none_is_refused(k: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        BM25().index([Document("1", "a text")]).retrieve("text", k=k)


def test_a_query_is_a_text_and_many_queries_are_a_list() -> None:
    indexed = BM25().index([Document("1", "a text")])
    with pytest.raises(UsageError, match="which is a text, got None"):
        indexed.retrieve(None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="put 'cats' into one"):
        indexed.retrieve_many("cats")
