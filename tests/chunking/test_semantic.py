"""`Semantic`: passages end where the meaning turns, within the budget."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from llmopt.chunking import Semantic
from llmopt.errors import UsageError
from llmopt.interfaces import Embedder
from llmopt.types import Document, Matrix, TextKind

CATS = ["A cat sat.", "The cat ate.", "That cat slept.", "My cat purred."]
DOGS = ["A dog ran.", "The dog bit.", "That dog barked.", "My dog dug."]


@dataclass(repr=False)
class Animals(Embedder):
    """Counts the animals, and remembers what it was asked."""

    asked: list[str] = field(default_factory=list[str], init=False)

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        assert kind == "document"
        self.asked.extend(texts)
        return np.array([[text.count("cat"), text.count("dog"), 0.1] for text in texts], np.float32)


def cut(text: str, chunker: Semantic) -> list[str]:
    return [passage.text for passage in chunker.chunk(Document("d", text))]


@pytest.mark.parametrize("window", [1, 2, 3, 9])
def test_a_passage_ends_where_the_meaning_turns(window: int) -> None:
    passages = cut(" ".join(CATS + DOGS), Semantic(Animals(), window=window, percentile=90))
    assert passages == [" ".join(CATS), " ".join(DOGS)]


@pytest.mark.parametrize(("window", "calls"), [(1, 8), (3, 10)])
def test_every_place_is_compared_by_whole_windows_on_both_sides(window: int, calls: int) -> None:
    embedder = Animals()
    cut(" ".join(CATS + DOGS), Semantic(embedder, window=window))
    assert len(embedder.asked) == calls
    assert " ".join((CATS + DOGS)[2 : 2 + window]) in embedder.asked


def test_a_passage_over_the_budget_is_cut_at_its_largest_distance() -> None:
    text = " ".join(CATS + DOGS)
    passages = cut(text, Semantic(Animals(), max_tokens=16, window=1, percentile=100))
    assert " ".join(passages) == text
    assert passages[0] == " ".join(CATS)


def test_it_is_awaited_in_async_code() -> None:
    document = Document("d", " ".join(CATS + DOGS))
    assert len(asyncio.run(Semantic(Animals(), window=1).achunk(document))) == 2


@pytest.mark.parametrize("text", ["Only one sentence.", ""])
def test_a_text_of_one_sentence_costs_no_embedding(text: str) -> None:
    embedder = Animals()
    assert cut(text, Semantic(embedder)) == [text][: len(text)]
    assert embedder.asked == []


@pytest.mark.parametrize(("window", "percentile"), [(0, 90.0), (1, -1.0), (1, 101.0), (1, float("nan"))])
def test_numbers_out_of_range_are_refused(window: int, percentile: float) -> None:
    with pytest.raises(UsageError, match="Semantic"):
        cut("One. Two.", Semantic(Animals(), window=window, percentile=percentile))
