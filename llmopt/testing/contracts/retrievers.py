"""What every retriever keeps to."""

from __future__ import annotations

import asyncio
import math
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest

from ..._sync import call_sync
from ...errors import CorpusError, NotReadyError, StorageError, UsageError
from ...interfaces import IndexedRetriever, Retriever
from ...types import Document, Hit
from .components import ODD_TEXTS, ComponentContract

__all__ = ["IndexedRetrieverContract", "RetrieverContract"]

R = TypeVar("R", bound=Retriever)
I = TypeVar("I", bound=IndexedRetriever)  # noqa: E741 - the kind's initial

ANIMALS = (
    Document("cat", "A cat sleeps fifteen hours a day and hunts mice at night.", {"kind": "pet"}),
    Document("dog", "A dog barks at cars and guards the house.", {"kind": "pet"}),
    Document("cow", "A cow eats grass and gives milk.", {"kind": "farm"}),
    Document("hen", "A hen lays an egg almost every day.", {"kind": "farm"}),
    Document("\u732b", "\u732b\u6bcf\u5929\u7761\u5341\u4e94\u4e2a\u5c0f\u65f6\u3002", {"kind": "pet"}),
)


class RetrieverContract(ComponentContract[R]):
    """Subclass as `TestMine`, define `make`, and pytest runs every check.

    Attributes:
        query: A query that finds at least one document.
    """

    query: ClassVar[str] = "cat"

    def use(self, component: R) -> None:
        """Search once."""
        component.retrieve(self.query)

    def test_the_query_finds_something(self) -> None:
        """Otherwise the other checks would check nothing."""
        assert self.make().retrieve(self.query)

    def test_at_most_k_hits_come_back(self) -> None:
        """For any k, beyond the number of documents, too."""
        retriever = self.make()
        for k in (1, 2, 1000):
            assert len(retriever.retrieve(self.query, k=k)) <= k

    def test_scores_are_finite_and_fall(self) -> None:
        """Higher is better."""
        scores = [hit.score for hit in self.make().retrieve(self.query)]
        assert all(map(math.isfinite, scores))
        assert scores == sorted(scores, reverse=True)

    def test_a_document_comes_once(self) -> None:
        """Ids are unique within a result."""
        ids = _ids(self.make().retrieve(self.query, k=100))
        assert len(ids) == len(set(ids))

    def test_fewer_hits_are_the_best_of_more(self) -> None:
        """Asking for less gives the beginning of the longer list."""
        retriever = self.make()
        assert _ids(retriever.retrieve(self.query, k=2)) == _ids(retriever.retrieve(self.query, k=10))[:2]

    def test_asking_twice_gives_the_same(self) -> None:
        """Searching changes nothing."""
        retriever = self.make()
        assert _ids(retriever.retrieve(self.query)) == _ids(retriever.retrieve(self.query))

    def test_sync_and_async_agree(self) -> None:
        """Also inside a running loop."""
        retriever = self.make()

        async def both() -> tuple[list[str], list[str]]:
            return _ids(retriever.retrieve(self.query)), _ids(await retriever.aretrieve(self.query))

        inside, awaited = asyncio.run(both())
        assert _ids(retriever.retrieve(self.query)) == inside == awaited

    def test_many_queries_give_what_each_gives_alone(self) -> None:
        """`retrieve_many` is a faster way to the same hits."""
        retriever = self.make()
        queries = [self.query, "nothing like it", self.query]
        together = [_ids(hits) for hits in retriever.retrieve_many(queries, k=3)]
        assert together == [_ids(retriever.retrieve(query, k=3)) for query in queries]
        assert retriever.retrieve_many([]) == []

    def test_it_can_be_used_from_many_threads(self) -> None:
        """Thirty-two searches on eight threads give one result."""
        retriever = self.make()
        alone = _ids(retriever.retrieve(self.query))
        with ThreadPoolExecutor(8) as pool:
            searches = [pool.submit(retriever.retrieve, self.query) for _ in range(32)]
            assert all(_ids(search.result()) == alone for search in searches)

    @pytest.mark.parametrize("odd", ["", *ODD_TEXTS], ids=range(len(ODD_TEXTS) + 1))
    def test_odd_queries_are_survived(self, odd: str) -> None:
        """Any text is a query; it may find nothing."""
        self.make().retrieve(odd)

    @pytest.mark.parametrize("k", [0, -3])
    def test_k_below_one_is_refused(self, k: int) -> None:
        """With an error of llmopt's own."""
        with pytest.raises(UsageError):
            self.make().retrieve(self.query, k=k)


class IndexedRetrieverContract(RetrieverContract[I]):
    """The checks for a retriever that holds its documents; define `empty` instead of `make`."""

    documents: ClassVar[Sequence[Document]] = ANIMALS

    @abstractmethod
    def empty(self) -> I:
        """Return a fresh retriever without documents."""

    def make(self) -> I:
        """Return the retriever over `documents`."""
        return self.empty().index(self.documents)

    def test_searching_before_indexing_is_refused(self) -> None:
        """With an error that says to call `index`."""
        with pytest.raises(NotReadyError):
            self.empty().retrieve(self.query)

    def test_an_empty_corpus_is_refused(self) -> None:
        """There is nothing to search."""
        with pytest.raises(CorpusError):
            self.empty().index([])

    def test_repeated_ids_are_refused(self) -> None:
        """The message names the id."""
        with pytest.raises(CorpusError, match="cat"):
            self.empty().index([self.documents[0], Document("cat", "another")])

    def test_indexing_returns_itself_and_forgets_earlier_documents(self) -> None:
        """`index` replaces."""
        retriever = self.empty()
        assert retriever.index(self.documents) is retriever
        retriever.index([self.documents[1]])
        assert _ids(retriever.retrieve("dog")) == ["dog"]
        assert "cat" not in _ids(retriever.retrieve(self.query))

    def test_async_indexing_agrees(self) -> None:
        """`aindex` makes the same index."""
        retriever = self.empty()
        asyncio.run(retriever.aindex(self.documents))
        assert _ids(retriever.retrieve(self.query)) == _ids(self.make().retrieve(self.query))

    def test_saving_and_loading_keeps_results(self, tmp_path: Path) -> None:
        """Ids, order and scores survive."""
        retriever = self.make()
        retriever.save(tmp_path / "index")
        again = type(retriever).load(tmp_path / "index", allow=self.allowed())
        hits, loaded = retriever.retrieve(self.query, k=5), again.retrieve(self.query, k=5)
        assert _ids(loaded) == _ids(hits)
        assert [hit.score for hit in loaded] == pytest.approx([hit.score for hit in hits], rel=1e-5)
        assert again.documents == retriever.documents

    def test_a_damaged_folder_is_refused(self, tmp_path: Path) -> None:
        """By checksum, whatever file it is."""
        self.make().save(tmp_path / "index")
        (victim,) = list((tmp_path / "index").rglob("documents.jsonl"))[:1]
        victim.chmod(0o644)
        victim.write_bytes(victim.read_bytes().replace(b"cat", b"cut"))
        with pytest.raises(StorageError):
            type(self.empty()).load(tmp_path / "index", allow=self.allowed())

    def test_only_allowed_documents_are_found_among_them(self) -> None:
        """`search_among` filters before it cuts."""
        retriever = self.make()
        hits = call_sync(retriever.search_among, self.query, 10, _from_the_farm)
        assert {hit.document.id for hit in hits} <= {"cow", "hen"}

    def allowed(self) -> Sequence[type[object]]:
        """Classes of yours that the saved retriever names, beside itself."""
        return ()


def _from_the_farm(document: Document) -> bool:
    return document.metadata.get("kind") == "farm"


def _ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.document.id for hit in hits]
