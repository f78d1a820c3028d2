"""Search among some of the documents only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._sync import call_sync
from llmopt.chunking import Sentence
from llmopt.errors import UsageError
from llmopt.interfaces import IndexedRetriever
from llmopt.retrieval import (
    BM25,
    AllOf,
    AnyOf,
    Between,
    Condition,
    Dense,
    Equals,
    Filtered,
    Hybrid,
    Not,
    OneOf,
    Parent,
)
from llmopt.testing import FakeEmbedder
from llmopt.testing.contracts import IndexedRetrieverContract
from llmopt.types import Document, Hit

EVEN = Equals("parity", "even")


def corpus(count: int) -> list[Document]:
    return [
        Document(f"{number:03}", f"word number{number}", {"parity": ("even", "odd")[number % 2], "number": number})
        for number in range(count)
    ]


class TestFiltered(IndexedRetrieverContract[Filtered]):
    def empty(self) -> Filtered:
        return Filtered(BM25(), Not(Equals("kind", "fish")))


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.document.id for hit in hits]


@pytest.mark.parametrize(
    "retriever",
    [
        BM25(),
        Dense(FakeEmbedder()),
        Hybrid([BM25(), Dense(FakeEmbedder())], depth=1),
        Parent(Sentence(), BM25(), depth=1),
    ],
    ids=["BM25", "Dense", "Hybrid", "Parent"],
)
def test_k_documents_come_back_wherever_k_fit(retriever: IndexedRetriever) -> None:
    filtered = Filtered(retriever, Between("number", at_least=90)).index(corpus(100))
    assert ids(filtered.retrieve("word", k=10)) == [f"{number:03}" for number in range(90, 100)]


@given(least=st.integers(0, 30), most=st.integers(0, 30), k=st.integers(1, 40))
def test_the_hits_are_those_of_the_full_ranking_that_fit(least: int, most: int, k: int) -> None:
    index = BM25().index(corpus(30))
    expected = [hit for hit in index.retrieve("word number7", k=30) if least <= int(hit.document.id) <= most]
    assert Filtered(index, Between("number", least, most)).retrieve("word number7", k=k) == expected[:k]


def test_a_filter_that_nothing_fits_finds_nothing() -> None:
    assert Filtered(BM25(), Equals("parity", "neither")).index(corpus(5)).retrieve("word") == []
    assert Filtered(Dense(FakeEmbedder()), Equals("parity", "neither")).index(corpus(5)).retrieve("word") == []


def test_filters_can_share_an_index_and_stand_in_each_other() -> None:
    index = BM25().index(corpus(10))
    even = Filtered(index, EVEN)
    both = Filtered(even, Between("number", at_least=6))
    assert ids(both.retrieve("word")) == ["006", "008"]
    assert ids(list(call_sync(even.search_among, "word", 5, lambda document: document.id < "003"))) == ["000", "002"]


def test_a_condition_is_looked_at_once_per_document_and_a_function_at_every_search() -> None:
    class Counted(dict[str, object]):
        looks = 0

        def __contains__(self, key: object) -> bool:
            Counted.looks += 1
            return super().__contains__(key)

    documents = [Document(str(number), "word", Counted(parity="even")) for number in range(7)]
    filtered = Filtered(BM25(), EVEN).index(documents)
    for _ in range(3):
        assert len(filtered.retrieve("word")) == 7
    assert Counted.looks == 7

    said = [True]
    changing = Filtered(BM25(), lambda document: said[0]).index(documents)
    assert len(changing.retrieve("word")) == 7
    said[0] = False
    assert changing.retrieve("word") == []


def test_masks_of_the_old_documents_are_forgotten() -> None:
    filtered = Filtered(Dense(FakeEmbedder()), EVEN).index(corpus(4))
    assert len(filtered.retrieve("word")) == 2
    filtered.add([Document("new", "word", {"parity": "even"})])
    assert len(filtered.retrieve("word")) == 3
    filtered.update([Document("new", "word", {"parity": "odd"})])
    assert len(filtered.retrieve("word")) == 2


@pytest.mark.parametrize(
    ("condition", "metadata", "fits"),
    [
        (Equals("a", 1), {"a": 1}, True),
        (Equals("a", None), {}, False),
        (Equals("a", None), {"a": None}, True),
        (OneOf("a", (1, 2)), {"a": 2}, True),
        (OneOf("a", (1, 2)), {"a": [5, 2]}, True),
        (OneOf("a", ("x",)), {"a": "xyz"}, False),
        (OneOf("a", (1, 2)), {}, False),
        (Between("a", 1, 3), {"a": 3}, True),
        (Between("a", 1, 3), {"a": 3.5}, False),
        (Between("a", at_most=3), {"a": -9}, True),
        (Between("a", "2026-01-01"), {"a": "2025-12-31"}, False),
        (Between("a"), {}, False),
        (AllOf((Equals("a", 1), Equals("b", 2))), {"a": 1, "b": 2}, True),
        (AllOf((Equals("a", 1), Equals("b", 2))), {"a": 1}, False),
        (AllOf(()), {}, True),
        (AnyOf((Equals("a", 1), Equals("b", 2))), {"b": 2}, True),
        (AnyOf(()), {}, False),
        (Not(Equals("a", 1)), {}, True),
    ],
)
def test_conditions_say_what_they_mean(condition: Condition, metadata: dict[str, object], fits: bool) -> None:
    assert condition(Document("d", "", metadata)) is fits


def test_values_that_cannot_be_compared_are_named() -> None:
    with pytest.raises(UsageError, match=r"'year' of document 'd' cannot be compared"):
        Between("year", 2020)(Document("d", "", {"year": "2021"}))


def test_values_that_are_one_str_and_filters_that_are_none_are_refused() -> None:
    documents = [Document("d", "word", {"language": "en"})]
    text = cast("tuple[object, ...]", "zhen")
    with pytest.raises(UsageError, match="wrap it"):
        Filtered(BM25(), OneOf("language", text)).index(documents).retrieve("word")
    wrong = cast("Condition", {"language": "en"})
    with pytest.raises(UsageError, match="needs a condition"):
        Filtered(BM25(), wrong).index(documents).retrieve("word")


def test_conditions_with_lists_in_them_work_though_they_cannot_be_kept() -> None:
    filtered = Filtered(BM25(), Equals("tags", ["a"])).index([Document("d", "word", {"tags": ["a"]})])
    assert ids(filtered.retrieve("word")) == ["d"]


def test_a_filter_is_saved_with_its_condition(tmp_path: Path) -> None:
    condition = AllOf((AnyOf((EVEN, OneOf("number", (1, 2)))), Not(Between("number", at_least=3))))
    Filtered(BM25(), condition).index(corpus(9)).save(tmp_path / "saved")
    loaded = Filtered.load(tmp_path / "saved")
    assert loaded.allowed == condition
    assert ids(loaded.retrieve("word")) == ["000", "001", "002"]
