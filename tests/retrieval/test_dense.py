"""Search by meaning."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._sync import call_sync
from llmopt.errors import ContractError, CorpusError, StorageError, UsageError
from llmopt.interfaces import Embedder
from llmopt.retrieval import Dense
from llmopt.testing import FakeEmbedder
from llmopt.testing.contracts import IndexedRetrieverContract
from llmopt.types import Document, Hit, Matrix, TextKind


@dataclass(repr=False, eq=False)
class Remote(Embedder):
    """An embedder with an `async def` hook, as one behind a network is."""

    inner: FakeEmbedder = field(default_factory=FakeEmbedder)

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        await asyncio.sleep(0)
        return self.inner.embed(texts, kind)


class TestDense(IndexedRetrieverContract[Dense]):
    def empty(self) -> Dense:
        return Dense(FakeEmbedder())


class TestDenseOverARemoteEmbedder(IndexedRetrieverContract[Dense]):
    def empty(self) -> Dense:
        return Dense(Remote())

    def allowed(self) -> Sequence[type[object]]:
        return (Remote,)


@dataclass(repr=False, eq=False)
class Table(Embedder):
    """Gives the rows that it is told."""

    rows: dict[str, list[float]]
    asked: list[str] = field(init=False, default_factory=list[str])
    threads: list[str] = field(init=False, default_factory=list[str])

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        self.asked.extend(texts)
        self.threads.append(threading.current_thread().name)
        return np.array([self.rows[text] for text in texts], np.float32)


def ids(hits: list[Hit]) -> list[str]:
    return [hit.document.id for hit in hits]


TABLE = {"east": [1.0, 0.0], "north": [0.0, 1.0], "north-east": [3.0, 3.0], "west": [-1.0, 0.0], "nowhere": [0.0, 0.0]}
COMPASS = [Document(name, name) for name in ("north", "east", "north-east", "west")]


def test_scores_are_cosines_whatever_the_lengths_of_the_vectors() -> None:
    hits = Dense(Table(TABLE)).index(COMPASS).retrieve("east")
    assert [(hit.document.id, pytest.approx(hit.score)) for hit in hits] == [
        ("east", 1.0),
        ("north-east", 0.5**0.5),
        ("north", 0.0),
        ("west", -1.0),
    ]
    assert [hit.signals for hit in hits] == [{"Dense": hit.score} for hit in hits]


def test_equal_vectors_stand_in_the_order_of_their_ids() -> None:
    corpus = [Document(id, "east") for id in ("c", "a", "d", "b")]
    assert ids(Dense(Table(TABLE)).index(corpus).retrieve("north", k=3)) == ["a", "b", "c"]


@pytest.mark.parametrize("query", ["", " \n", "nowhere"])
def test_a_query_without_direction_has_no_hits(query: str) -> None:
    retriever = Dense(Table(TABLE)).index(COMPASS)
    assert retriever.retrieve(query) == []
    assert [ids(hits) for hits in retriever.retrieve_many([query, "east", query], k=1)] == [[], ["east"], []]


def test_a_blank_text_is_never_sent_to_the_embedder() -> None:
    embedder = Table(TABLE)
    retriever = Dense(embedder).index([*COMPASS, Document("blank", " \n"), Document("empty", "")])
    retriever.retrieve(" ")
    assert embedder.asked == ["north", "east", "north-east", "west"]
    scores = {hit.document.id: hit.score for hit in retriever.retrieve("east", k=10)}
    assert (scores["blank"], scores["empty"]) == (0, 0)


def test_documents_without_any_text_are_refused() -> None:
    with pytest.raises(CorpusError, match="none of the 2 documents has any text"):
        Dense(FakeEmbedder()).index([Document("a", ""), Document("b", " ")])


def test_a_local_embedder_is_called_in_the_callers_own_thread() -> None:
    embedder = Table(TABLE)
    Dense(embedder).index(COMPASS).retrieve("east")
    assert set(embedder.threads) == {threading.current_thread().name}


def test_an_async_search_leaves_the_event_loop_free() -> None:
    embedder = Table(TABLE)
    retriever = Dense(embedder).index(COMPASS)
    embedder.threads.clear()

    async def search() -> tuple[list[Hit], str]:
        return await retriever.aretrieve("east"), threading.current_thread().name

    hits, loop = asyncio.run(search())
    assert ids(hits)[0] == "east"
    assert loop not in embedder.threads


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused_with_the_embedders_name(bad: float) -> None:
    with pytest.raises(ContractError, match=r"Table\.embed.*NaN or infinity"):
        Dense(Table({"a": [bad, 1.0]})).index([Document("a", "a")])
    retriever = Dense(Table({"a": [1.0, 1.0], "q": [bad, 1.0]})).index([Document("a", "a")])
    with pytest.raises(ContractError, match=r"Table\.embed.*NaN or infinity"):
        retriever.retrieve("q")


def test_rows_without_dimensions_are_refused() -> None:
    with pytest.raises(ContractError, match="rows of 0 dimensions"):
        Dense(Table({"a": []})).index([Document("a", "a")])


def test_a_query_of_another_length_is_refused() -> None:
    retriever = Dense(Table({"a": [1.0, 1.0], "q": [1.0, 0.0, 0.0]})).index([Document("a", "a")])
    with pytest.raises(UsageError, match="3 dimensions and the index 2"):
        retriever.retrieve("q")


def test_a_failed_change_leaves_the_index_as_it_was() -> None:
    retriever = Dense(Table({**TABLE, "bad": [1.0, 2.0, 3.0]})).index(COMPASS)
    with pytest.raises(ContractError, match="rows of 3 dimensions, expected 2"):
        retriever.add([Document("bad", "bad")])
    assert ids(retriever.retrieve("east", k=2)) == ["east", "north-east"]
    assert retriever.documents == tuple(COMPASS)


def test_only_new_documents_are_embedded_when_documents_come_and_go() -> None:
    embedder = Table(TABLE)
    retriever = Dense(embedder).index(COMPASS[:2])
    embedder.asked.clear()
    retriever.add(COMPASS[2:])
    retriever.remove(["north"])
    retriever.update([Document("west", "north"), Document("new", "west")])
    assert embedder.asked == ["north-east", "west", "north", "west"]
    assert ids(retriever.retrieve("west", k=5)) == ["new", "west", "north-east", "east"]


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["add", "update", "remove"]), st.lists(st.sampled_from("abcdefghij"), min_size=1, unique=True)
    ),
    max_size=12,
)


@given(changes=CHANGES)
def test_any_changes_end_in_the_index_that_the_final_documents_have(
    changes: list[tuple[str, list[str]]],
) -> None:
    retriever = Dense(FakeEmbedder(dimensions=16)).index([Document("start", "word zero")])
    for number, (change, names) in enumerate(changes):
        known = {document.id for document in retriever.documents}
        fresh = [Document(name, f"word {name} {number}") for name in names if change == "update" or name not in known]
        if change == "remove":
            retriever.remove([name for name in names if name in known])
        elif change == "add":
            retriever.add(fresh)
        else:
            retriever.update(fresh)
    anew = Dense(FakeEmbedder(dimensions=16)).index(retriever.documents)
    assert retriever.retrieve("word c 3", k=20) == anew.retrieve("word c 3", k=20)


def test_a_search_sees_one_state_while_documents_are_added() -> None:
    retriever = Dense(FakeEmbedder(dimensions=16)).index([Document("0", "word")])
    stop = threading.Event()
    seen: list[int] = []

    def search() -> None:
        while not stop.is_set():
            hits = retriever.retrieve("word", k=1000)
            assert {int(hit.document.id) for hit in hits} == set(range(len(hits)))
            seen.append(len(hits))

    searcher = threading.Thread(target=search)
    searcher.start()
    for number in range(1, 150):
        retriever.add([Document(str(number), "word")])
    stop.set()
    searcher.join()
    assert seen == sorted(seen)
    assert len(retriever.retrieve("word", k=1000)) == 150


def test_a_loaded_index_is_mapped_and_can_grow_and_be_saved_over_itself(tmp_path: Path) -> None:
    retriever = Dense(FakeEmbedder()).index([Document("cat", "a cat"), Document("dog", "a dog")])
    retriever.save(tmp_path / "index")
    for number in range(3):
        loaded = Dense.load(tmp_path / "index")
        assert ids(loaded.retrieve("cat", k=1)) == ["cat"]
        loaded.add([Document(f"cow{number}", "a cow")]).save(tmp_path / "index")
        assert ids(loaded.retrieve("cow", k=1)) == ["cow0"]
    assert len(Dense.load(tmp_path / "index").documents) == 5


def test_a_loaded_matrix_is_not_read_into_memory(tmp_path: Path) -> None:
    Dense(FakeEmbedder()).index([Document("cat", "a cat")]).save(tmp_path / "index")
    rows = getattr(Dense.load(tmp_path / "index"), "_rows")  # noqa: B009 - there is no public way to look
    base: object = rows.matrix
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("index.json", '{"index": "Dense", "version": 99}', "version 99.*index the documents again"),
        ("rows.npy", "no array", "cannot be read as an array"),
    ],
)
def test_index_files_that_do_not_fit_are_refused(tmp_path: Path, file: str, content: str, complaint: str) -> None:
    retriever = Dense(FakeEmbedder()).index([Document("cat", "a cat")])
    retriever.dump_index(tmp_path)
    (tmp_path / file).write_text(content, encoding="utf-8")
    with pytest.raises(StorageError, match=complaint):
        retriever.restore_index(tmp_path)


@pytest.mark.parametrize(
    "rows", [np.zeros((2, 256), np.float32), np.zeros((1, 256)), np.zeros(256, np.float32), np.array([object()])]
)
def test_a_matrix_that_does_not_fit_the_documents_is_refused(tmp_path: Path, rows: Matrix) -> None:
    retriever = Dense(FakeEmbedder()).index([Document("cat", "a cat")])
    retriever.dump_index(tmp_path)
    np.save(tmp_path / "rows.npy", rows, allow_pickle=True)
    with pytest.raises(StorageError, match="index the documents again"):
        retriever.restore_index(tmp_path)


def test_search_among_some_documents_of_a_blank_query_finds_nothing() -> None:
    retriever = Dense(Table(TABLE)).index(COMPASS)
    assert ids(list(call_sync(retriever.search_among, "east", 5, lambda document: "th" in document.id))) == [
        "north-east",
        "north",
    ]
    assert list(call_sync(retriever.search_among, " ", 5, lambda document: True)) == []
    assert list(call_sync(retriever.search_among, "east", 5, lambda document: False)) == []
