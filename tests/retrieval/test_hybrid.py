"""Several retrievers as one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmopt._sync import call_sync
from llmopt._trace import record
from llmopt.errors import ModelUnavailableError, NotReadyError, UsageError
from llmopt.interfaces import IndexedRetriever, Retriever
from llmopt.retrieval import BM25, Dense, Hybrid, fuse_ranks
from llmopt.testing import FakeEmbedder
from llmopt.testing.contracts import IndexedRetrieverContract, RetrieverContract
from llmopt.types import Document, Hit

ANIMALS = [
    Document("cat", "A cat sleeps fifteen hours a day.", {"kind": "pet"}),
    Document("dog", "A dog barks at cars.", {"kind": "pet"}),
    Document("cow", "A cow eats grass.", {"kind": "farm"}),
]


class TestHybrid(IndexedRetrieverContract[Hybrid]):
    def empty(self) -> Hybrid:
        return Hybrid([BM25(), Dense(FakeEmbedder())])


class TestHybridOfHybrids(IndexedRetrieverContract[Hybrid]):
    def empty(self) -> Hybrid:
        return Hybrid([Hybrid([BM25(), Dense(FakeEmbedder())], weights=(1, 2)), BM25(stemmer=None)], constant=10)


@dataclass(repr=False, eq=False)
class Elsewhere(Retriever):
    """Searches a place that is not ours."""

    found: Sequence[Document] = tuple(ANIMALS)

    async def search(self, query: str, k: int) -> list[Hit]:
        return [Hit(document, 1.0) for document in self.found if query in document.text]


class TestHybridWithAPartElsewhere(RetrieverContract[Hybrid]):
    def make(self) -> Hybrid:
        return Hybrid([BM25().index(ANIMALS), Elsewhere()])


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.document.id for hit in hits]


def test_it_fuses_what_its_parts_find_by_reciprocal_rank() -> None:
    retriever = Hybrid([BM25(), Dense(FakeEmbedder())], weights=[2, 1], constant=5).index(ANIMALS)
    words, meaning = retriever.retrievers
    expected = fuse_ranks(
        [words.retrieve("a dog", k=100), meaning.retrieve("a dog", k=100)],
        weights=[2, 1],
        constant=5,
        names=["BM25", "Dense"],
    )
    assert retriever.retrieve("a dog", k=3) == expected[:3]


def test_the_parts_bring_more_hits_than_are_asked_for() -> None:
    @dataclass(repr=False, eq=False)
    class Counting(Retriever):
        asked: list[int]

        def search(self, query: str, k: int) -> list[Hit]:
            self.asked.append(k)
            return []

    part = Counting([])
    hybrid = Hybrid([part], depth=30)
    hybrid.retrieve("q", k=5)
    hybrid.retrieve("q", k=50)
    hybrid.retrieve_many(["q"], k=5)
    assert part.asked == [30, 50, 30]


def test_signals_name_the_parts_apart_when_two_are_of_a_class() -> None:
    retriever = Hybrid([BM25(), BM25(k1=0.1), Dense(FakeEmbedder())]).index(ANIMALS)
    hit = retriever.retrieve("cow", k=1)[0]
    first, second, third = (part.retrieve("cow", k=1)[0].score for part in retriever.retrievers)
    assert hit.signals == {"BM25": first, "BM25#2": second, "Dense": third}


def test_a_hit_of_the_second_part_only_has_no_signal_of_the_first() -> None:
    one, two = BM25().index(ANIMALS[:1]), BM25().index(ANIMALS[1:])
    assert set(Hybrid([one, two]).retrieve("dog")[0].signals) == {"BM25#2"}


def test_parts_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=30)

    class Waiting(Retriever):
        def search(self, query: str, k: int) -> list[Hit]:
            meeting.wait()
            return [Hit(ANIMALS[0], 1.0)]

    assert ids(Hybrid([Waiting(), Waiting()]).retrieve("cat")) == ["cat"]


def test_every_part_has_its_step_in_the_trace() -> None:
    retriever = Hybrid([BM25(), Dense(FakeEmbedder())]).index(ANIMALS)
    with record("test", "test") as recorder:
        retriever.retrieve("cat")
    (step,) = recorder.frozen().children
    assert [child.component for child in step.children] == ["BM25", "Dense"]


def test_an_error_of_a_part_is_raised_as_it_is() -> None:
    class Broken(Retriever):
        def search(self, query: str, k: int) -> list[Hit]:
            raise ModelUnavailableError("the index server is not there")

    hybrid = Hybrid([BM25().index(ANIMALS), Broken()])
    with pytest.raises(ModelUnavailableError, match="not there"):
        hybrid.retrieve("cat")
    with pytest.raises(ModelUnavailableError, match="not there"):
        asyncio.run(hybrid.aretrieve_many(["cat"]))


def test_no_parts_and_no_part_that_can_be_indexed_are_refused() -> None:
    with pytest.raises(UsageError, match="at least one"):
        Hybrid([]).retrieve("cat")
    with pytest.raises(UsageError, match="none of its parts"):
        Hybrid([Elsewhere()]).index(ANIMALS)
    with pytest.raises(NotReadyError):
        _ = Hybrid([Elsewhere()]).documents


def test_wrong_weights_are_refused() -> None:
    with pytest.raises(UsageError, match="weight per list"):
        Hybrid([BM25(), Dense(FakeEmbedder())], weights=[1]).index(ANIMALS).retrieve("cat")


def test_parts_that_are_indexed_already_just_work() -> None:
    hybrid = Hybrid([BM25().index(ANIMALS), Dense(FakeEmbedder()).index(ANIMALS)])
    assert ids(hybrid.retrieve("cow", k=1)) == ["cow"]
    assert hybrid.documents == tuple(ANIMALS)
    hybrid.add([Document("hen", "A hen lays eggs.")])
    assert ids(hybrid.retrieve("hen", k=1)) == ["hen"]


def test_filters_work_before_the_ranking_is_cut() -> None:
    hybrid = Hybrid([BM25(), Dense(FakeEmbedder())], depth=1).index(ANIMALS)
    hits = call_sync(hybrid.search_among, "a cat sleeps", 1, lambda document: document.metadata["kind"] == "farm")
    assert ids(list(hits)) == ["cow"]
    with pytest.raises(UsageError, match="one of its parts holds no documents"):
        call_sync(Hybrid([BM25().index(ANIMALS), Elsewhere()]).search_among, "cat", 1, lambda document: True)


def parts(retriever: Retriever) -> Iterator[IndexedRetriever]:
    if isinstance(retriever, Hybrid):
        for part in retriever.retrievers:
            yield from parts(part)
    if isinstance(retriever, IndexedRetriever):
        yield retriever


def test_documents_are_kept_once_in_memory_and_on_disk(tmp_path: Path) -> None:
    hybrid = Hybrid([Hybrid([BM25(), Dense(FakeEmbedder())]), BM25(stemmer=None)]).index(ANIMALS)
    assert len({id(part.documents) for part in parts(hybrid)}) == 1
    hybrid.save(tmp_path / "index")
    files = list((tmp_path / "index").rglob("documents.jsonl"))
    assert files
    assert len({file.stat().st_ino for file in files}) == 1
    loaded = Hybrid.load(tmp_path / "index")
    assert len({id(part.documents[0]) for part in parts(loaded)}) == 1
    assert loaded.retrieve("cow", k=3) == hybrid.retrieve("cow", k=3)


def test_loading_does_not_index_again(tmp_path: Path) -> None:
    hybrid = Hybrid([BM25(), Dense(FakeEmbedder())]).index(ANIMALS)
    hybrid.save(tmp_path / "index")
    loaded = Hybrid.load(tmp_path / "index")
    dense = loaded.retrievers[1]
    assert isinstance(dense, Dense)
    assert isinstance(dense.embedder, FakeEmbedder)
    assert dense.embedder.requests == []


def test_an_unindexed_hybrid_is_saved_as_it_is(tmp_path: Path) -> None:
    Hybrid([BM25(), Dense(FakeEmbedder())], depth=7).save(tmp_path / "index")
    loaded = Hybrid.load(tmp_path / "index")
    assert loaded.depth == 7
    with pytest.raises(NotReadyError):
        loaded.retrieve("cat")


@pytest.mark.parametrize("loaded", [False, True])
def test_documents_come_and_go_in_every_part(tmp_path: Path, loaded: bool) -> None:
    hybrid = Hybrid([BM25(), Dense(FakeEmbedder())]).index(ANIMALS)
    if loaded:
        hybrid.save(tmp_path / "index")
        hybrid = Hybrid.load(tmp_path / "index")
    hybrid.add([Document("hen", "A hen lays eggs.")])
    hybrid.remove(["cat"])
    hybrid.update([Document("dog", "A dog guards the house.")])
    again = Hybrid([BM25(), Dense(FakeEmbedder())]).index(hybrid.documents)
    for query in ("A hen", "the cat sleeps", "guards the house"):
        assert hybrid.retrieve(query) == again.retrieve(query)
    assert len({id(part.documents) for part in parts(hybrid)}) == 1


class Letters(IndexedRetriever):
    """A part of a user's own that cannot change."""

    def build(self, documents: Sequence[Document]) -> None:
        self.letters = [set(document.text) for document in documents]

    def search(self, query: str, k: int) -> list[Hit]:
        return [
            Hit(document, float(len(set(query) & letters)))
            for document, letters in zip(self.documents, self.letters, strict=True)
        ]


def test_a_part_of_the_users_own_follows_changes_too() -> None:
    hybrid = Hybrid([BM25(), Letters()]).index(ANIMALS)
    hybrid.add([Document("zebu", "zzz")])
    assert ids(hybrid.retrieve("z", k=1)) == ["zebu"]
