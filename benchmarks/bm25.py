"""BM25 beside bm25s itself, the library inside it: indexing, single queries and a batch, in the same run.

    python benchmarks/bm25.py              # 100,000 made-up documents of 80 words
    python benchmarks/bm25.py --count 200000

Both sides read the texts into words, index them and rank. Target: at most 1.1 of bm25s's time.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, cast

import numpy as np

from llmopt.retrieval import BM25
from llmopt.types import Document

TARGET = 1.1
WORDS, K = 80, 10


class Engine(Protocol):
    """What is used of `bm25s.BM25`."""

    def index(self, corpus: object, show_progress: bool) -> None:
        """Index tokenised texts."""

    def retrieve(self, query_tokens: object, k: int, show_progress: bool) -> object:
        """Rank for tokenised queries."""
        ...


def made_up(count: int, words: int, seed: int) -> list[str]:
    """Texts whose words are as frequent as Zipf says."""
    random = np.random.default_rng(seed)
    vocabulary = np.array([f"w{number}" for number in range(50_000)])
    frequency = 1 / np.arange(1, len(vocabulary) + 1)
    drawn = random.choice(len(vocabulary), (count, words), p=frequency / frequency.sum())
    return [" ".join(row) for row in vocabulary[drawn].tolist()]


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=100_000)
    count = parser.parse_args(arguments).count
    texts, queries = made_up(count, WORDS, 0), made_up(300, 8, 1)
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    library = importlib.import_module("bm25s")
    tokenize = cast("Callable[..., object]", library.tokenize)
    engine = cast("Callable[[], Engine]", library.BM25)()
    ours = BM25()

    def tokens(these: list[str], *, as_ids: bool) -> object:
        return tokenize(these, stopwords=None, show_progress=False, return_ids=as_ids)

    def bare(these: list[str]) -> object:
        return engine.retrieve(tokens(these, as_ids=False), k=K, show_progress=False)

    ratios: list[float] = []
    print(f"{count:,} documents of {WORDS} words\n{'':14} {'bm25s':>10} {'llmopt':>10} {'ratio':>6}")

    def show(what: str, theirs: float, mine: float, unit: str, factor: float) -> None:
        ratios.append(mine / theirs)
        print(f"{what:14} {theirs * factor:7.2f} {unit:2} {mine * factor:7.2f} {unit:2} {mine / theirs:6.2f}")

    turns = [
        (seconds(lambda: engine.index(tokens(texts, as_ids=True), show_progress=False)),
         seconds(lambda: ours.index(documents)))
        for _ in range(3)
    ]  # fmt: skip
    show("index", min(turn[0] for turn in turns), min(turn[1] for turn in turns), "s", 1)
    single = [(seconds(partial(bare, [query])), seconds(partial(ours.retrieve, query, k=K))) for query in queries]
    middle = np.median(np.array(single), axis=0)
    show("one query", float(middle[0]), float(middle[1]), "ms", 1e3)
    show("300 queries", seconds(lambda: bare(queries)), seconds(lambda: ours.retrieve_many(queries, k=K)), "s", 1)
    return 0 if max(ratios) <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
