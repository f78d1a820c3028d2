"""Documents that come, change and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from llmopt.errors import CorpusError, NotReadyError, UsageError
from llmopt.retrieval import BM25
from llmopt.types import Document

CORPUS = [Document("a", "one"), Document("b", "two"), Document("c", "three")]


def ids(retriever: BM25) -> list[str]:
    return [document.id for document in retriever.documents]


def test_changes_return_the_retriever_and_keep_the_order() -> None:
    retriever = BM25().index(CORPUS)
    assert retriever.add([Document("d", "four")]) is retriever
    assert ids(retriever) == ["a", "b", "c", "d"]
    assert retriever.update([Document("b", "new"), Document("e", "five")]) is retriever
    assert ids(retriever) == ["a", "c", "d", "b", "e"]
    assert retriever.remove(("a", "e")) is retriever
    assert ids(retriever) == ["c", "d", "b"]


def test_async_changes_agree() -> None:
    async def changed() -> BM25:
        retriever = await BM25().aindex(CORPUS)
        await retriever.aadd([Document("d", "four")])
        await retriever.aupdate([Document("b", "new")])
        return await retriever.aremove(["a"])

    retriever = asyncio.run(changed())
    assert ids(retriever) == ["c", "d", "b"]
    assert [hit.document.id for hit in retriever.retrieve("new four one")] == ["b", "d"]


WRONG_CHANGES: list[tuple[Callable[[BM25], object], type[Exception], str]] = [
    (lambda retriever: retriever.add([CORPUS[1]]), CorpusError, "'b' already: replace it by `update`"),
    (lambda retriever: retriever.add([Document("x", ""), Document("x", "")]), CorpusError, "'x' comes 2 times"),
    (lambda retriever: retriever.update([Document("x", "")] * 2), CorpusError, "'x' comes 2 times"),
    (lambda retriever: retriever.remove(["a", "y"]), UsageError, r"no documents \['y'\]"),
    (lambda retriever: retriever.remove("a"), UsageError, "wrap it"),
    (lambda retriever: retriever.remove(["a", "b", "c"]), CorpusError, "no documents to index"),
]


@pytest.mark.parametrize(("change", "error", "complaint"), WRONG_CHANGES)
def test_wrong_changes_are_refused_and_change_nothing(
    change: Callable[[BM25], object], error: type[Exception], complaint: str
) -> None:
    retriever = BM25().index(CORPUS)
    with pytest.raises(error, match=complaint):
        change(retriever)
    assert ids(retriever) == ["a", "b", "c"]
    assert len(retriever.retrieve("one two three")) == 3


def test_changes_before_indexing_are_refused() -> None:
    with pytest.raises(NotReadyError, match="index"):
        BM25().add(CORPUS)


def test_changing_nothing_changes_nothing() -> None:
    retriever = BM25().index(CORPUS)
    retriever.add([]).update([]).remove([])
    assert ids(retriever) == ["a", "b", "c"]


class Meddled(BM25):
    """A retriever whose documents somebody else changes in the middle of a change."""

    def change(self, documents: Sequence[Document], kept: Sequence[int]) -> None:
        self.index([Document("z", "other")])


def test_two_changes_at_the_same_time_are_noticed() -> None:
    retriever = Meddled().index(CORPUS)
    with pytest.raises(UsageError, match="two callers at the same time"):
        retriever.add([Document("d", "four")])
