"""The whole way of a ranking fitted on labels: words, meaning, a memory of past questions, and `Learned` over them.

    python benchmarks/learned.py --cache FOLDER                       # vectors as benchmarks/retrieval.py keeps them
    python benchmarks/learned.py --cache FOLDER --sets scifact --seeds 3

Data and cache: see benchmarks/retrieval.py. Everything is fitted on the train split; what is fitted on hits is fitted
on held-out hits (ten folds of the train queries). "train, held out" is five-fold cross-validation of the reranker on
them; choices were made by that column alone, test was only looked at. "seen" are the test queries with a document
that a train query has, too: what they gain is memory. The ms of a reranker are processor time for 100 hits.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Labels
from pathlib import Path
from typing import TypeAlias

from retrieval import DATA, Collection, Table, collection, mean, ndcg, recorded, searched

from llmopt._stats import paired_difference
from llmopt.interfaces import Embedder
from llmopt.reranking import Learned
from llmopt.retrieval import BM25, Adapter, Contrast, Dense, Hybrid, PastQuestions, held_out_hits
from llmopt.types import Document, Hit

TARGETS = {"scifact": {"nDCG@10": 0.82}, "llamaindex-10k-embft": {"nDCG@10": 0.81, "hit@5": 0.90}}
FETCH = 100
FOLDS = 10

Fit: TypeAlias = Callable[[Sequence[str], Sequence[Labels[str]]], Hybrid]
Gains: TypeAlias = Sequence[Mapping[str, float]]


def ways(embedder: Embedder, documents: Sequence[Document]) -> dict[str, Fit]:
    """Return, by name, functions from labelled queries to a retriever."""
    words, meaning = BM25().index(documents), Dense(embedder).index(documents)

    def plain(_queries: Sequence[str], _relevant: Sequence[Labels[str]]) -> Hybrid:
        return Hybrid([words, meaning])

    def past(queries: Sequence[str], relevant: Sequence[Labels[str]]) -> Hybrid:
        memory = PastQuestions(embedder).index(documents).fit(queries, relevant)
        return Hybrid([words, meaning, memory])

    def adapter(queries: Sequence[str], relevant: Sequence[Labels[str]]) -> Hybrid:
        moved = Dense(Adapter(embedder).fit(queries, relevant, documents)).index(documents)
        memory = PastQuestions(embedder).index(documents).fit(queries, relevant)
        return Hybrid([words, meaning, moved, memory])

    return {"Learned": plain, "Learned, past questions": past, "Learned, past, adapter": adapter}


def reranked(ranker: Learned, queries: Sequence[str], lists: Sequence[Sequence[Hit]]) -> list[list[str]]:
    """Return the ids in their new order."""
    return [[hit.document.id for hit in ranker.rerank(query, hits)] for query, hits in zip(queries, lists, strict=True)]


def cross_validated(train: Collection, lists: Sequence[Sequence[Hit]], gains: Gains) -> list[float]:
    """Return nDCG@10 of every train query by a reranker fitted on other queries' held-out hits."""
    queries = list(train.queries.values())
    found = [0.0] * len(queries)
    for part in range(5):
        kept, held = ([n for n in range(len(queries)) if (n % 5 == part) == out] for out in (False, True))
        ranker = Learned().fit([queries[n] for n in kept], [lists[n] for n in kept], [gains[n] for n in kept])
        rankings = reranked(ranker, [queries[n] for n in held], [lists[n] for n in held])
        for number, ranking in zip(held, rankings, strict=True):
            found[number] = ndcg(ranking, gains[number])
    return found


def one_set(name: str, embedder: Embedder, *, adapted: bool) -> Table:
    """Show what every way gains on a set."""
    train, test = collection(name, "train"), collection(name, "test")
    table = Table(test, train)
    queries, gains = list(train.queries.values()), [train.gains[id] for id in train.queries]
    hybrid = Hybrid([BM25(), Dense(embedder)]).index(train.documents).fit(queries, train.relevant)
    table.add("Hybrid, fitted", *searched(hybrid.index(test.documents), test))
    notes: list[str] = []
    before: list[float] = []
    for way in ("Learned", "Learned, past questions", *(["Learned, past, adapter"] if adapted else [])):
        fit = ways(embedder, train.documents)[
            way
        ]  # anew, since `index` below takes the shared parts to other documents
        lists = held_out_hits(fit, queries, train.relevant, k=FETCH, folds=FOLDS)
        held = cross_validated(train, lists, gains)
        gain = f", gain {paired_difference(before, held)} over the way above" if before else ""
        ranker = Learned().fit(queries, lists, gains)
        retriever = fit(queries, train.relevant).index(test.documents)
        found = retriever.retrieve_many(list(test.queries.values()), k=FETCH)
        started = time.process_time()
        rankings = reranked(ranker, list(test.queries.values()), found)
        milliseconds = (time.process_time() - started) * 1e3 / len(rankings)
        table.add(way, dict(zip(test.queries, rankings, strict=True)), milliseconds, over="Hybrid, fitted")
        weights = ", ".join(f"{feature} {weight:.2f}" for feature, weight in ranker.weights().items())
        notes.append(f"{way}: train, held out: nDCG@10 {mean(held):.4f}{gain}\n  weights: {weights}")
        before = held
    if adapted:
        added = paired_difference(*(table.rows[way]["nDCG@10"] for way in list(table.rows)[-2:]))
        notes.append(f"on test the adapter adds {added} to past questions")
    print("\n".join(notes))
    return table


def over_seeds(name: str, embedder: Embedder, count: int) -> list[float]:
    """Show how far the figure of an adapter depends on the seed of its fit."""
    train, test = collection(name, "train"), collection(name, "test")
    found: list[float] = []
    for seed in range(count):
        adapter = Adapter(embedder, Contrast(seed=seed), seed=seed)
        adapter.fit(list(train.queries.values()), train.relevant, train.documents)
        rankings, _ = searched(Dense(adapter).index(test.documents), test)
        found.append(mean([ndcg(ranking, test.gains[id]) for id, ranking in rankings.items()]))
        print(f"Adapter, seed {seed}: nDCG@10 {found[-1]:.4f}, strength {adapter.report.strength:.2f}", flush=True)
    print(f"Adapter over {count} seeds: nDCG@10 {mean(found):.4f}, {min(found):.4f} to {max(found):.4f}")
    return found


def reached(name: str, table: Table) -> bool:
    """Say which targets the best way meets."""
    best = table.rows["Learned, past questions"]
    met = {metric: mean(best[metric]) >= target for metric, target in TARGETS[name].items()}
    print(f"{name} targets:", ", ".join(f"{metric} {'met' if yes else 'MISSED'}" for metric, yes in met.items()))
    return all(met.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cache", type=Path, required=True, help="where benchmarks/retrieval.py keeps vectors")
    parser.add_argument("--model", default="", help="a model for sentence-transformers, where the cache has no vectors")
    parser.add_argument("--sets", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--adapter", action="store_true", help="with an adapter as well (a fit per fold: minutes)")
    parser.add_argument("--seeds", type=int, default=0, help="fit so many adapters with other seeds")
    parser.add_argument("--json", type=Path, help="write the figures of every query here")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"skipped: there are no data in {DATA}")
        return 0
    results: dict[str, object] = {}
    met: list[bool] = []
    for name in options.sets:
        embedder = recorded(name, options.model, options.cache)
        table = one_set(name, embedder, adapted=options.adapter)
        met.append(reached(name, table))
        seeds = over_seeds(name, embedder, options.seeds) if options.seeds else []
        results[name] = {"queries": table.rows, "adapter seeds": seeds}
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
