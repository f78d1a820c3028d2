"""A retriever from a plain function."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import pytest

from llmopt.errors import ContractError, UsageError
from llmopt.retrieval import FunctionRetriever
from llmopt.testing.contracts import RetrieverContract
from llmopt.types import Document, Hit

CAT, COW = Document("cat", "A cat sleeps."), Document("cow", "A cow eats.")


def hits(query: str, k: int) -> list[Hit]:
    return [Hit(CAT, 0.5), Hit(COW, 0.7)][:k] if query == "cat" else []


async def documents(query: str, k: int) -> Iterable[Document]:
    await asyncio.sleep(0)
    return (COW, CAT) if "cat" in query else ()


def stream(query: str, k: int) -> Iterator[Hit]:
    yield from hits(query, k)


class TestFunctionOfHits(RetrieverContract[FunctionRetriever]):
    def make(self) -> FunctionRetriever:
        return FunctionRetriever(lambda query, k: hits(query, 2))


class TestAsyncFunctionOfDocuments(RetrieverContract[FunctionRetriever]):
    def make(self) -> FunctionRetriever:
        return FunctionRetriever(documents)


def test_documents_are_scored_by_their_rank() -> None:
    assert FunctionRetriever(documents).retrieve("cat") == [Hit(COW, 1.0), Hit(CAT, 0.5)]


def test_hits_keep_their_scores() -> None:
    assert [hit.score for hit in FunctionRetriever(stream).retrieve("cat")] == [0.7, 0.5]


def test_a_score_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ContractError, match="finite"):
        FunctionRetriever(lambda query, k: [Hit(CAT, float("nan"))]).retrieve("cat")


@pytest.mark.parametrize("found", [None, ["a text"], "text", 3])
def test_what_is_neither_a_hit_nor_a_document_is_refused(found: object) -> None:
    def odd(query: str, k: int) -> list[Hit]:
        return cast("list[Hit]", found)

    with pytest.raises(ContractError, match="hits or documents"):
        FunctionRetriever(odd).retrieve("cat")


def test_it_is_saved_by_name_and_loaded_when_allowed(tmp_path: Path) -> None:
    FunctionRetriever(hits).save(tmp_path / "saved")
    assert FunctionRetriever.load(tmp_path / "saved", allow=[hits]).retrieve("cat", k=1)[0].document is CAT
    with pytest.raises(UsageError, match="allow="):
        FunctionRetriever.load(tmp_path / "saved")
