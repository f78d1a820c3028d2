"""The whole way of a ranking fitted on labels: words, meaning, a memory of past questions, and `Learned` over them.

    python benchmarks/learned.py --cache FOLDER                       # vectors as benchmarks/retrieval.py keeps them
    python benchmarks/learned.py --cache FOLDER --adapter             # with an adapter among the parts
    python benchmarks/learned.py --cache FOLDER --seeds 5             # only adapters, by the seed of their fit

Data and cache: see benchmarks/retrieval.py. Everything is fitted on the train split; what is fitted on hits is fitted
on held-out hits (ten folds of the train queries). The parts, the features and the regularisation are chosen by
five-fold cross-validation on those hits: for every way features join the parts' scores one by one, the best first, as
long as that helps, then the regularisation is chosen. All that is tried is printed, and test is shown for the best
setting of every kind of parts, the chosen one last. "seen" are the test queries with a document that a train query
has, too: what they gain is memory. The ms of a reranker are processor time for 100 hits.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Labels
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from retrieval import DATA, Collection, Table, collection, mean, ndcg, recorded, searched

from llmopt._stats import paired_difference
from llmopt._text import words
from llmopt.interfaces import Embedder, IndexedRetriever
from llmopt.reranking import Learned
from llmopt.reranking._softmax_ranking import Contest, contests, fit_ranking
from llmopt.reranking.features import feature_rows
from llmopt.retrieval import BM25, Adapter, Contrast, Dense, Hybrid, PastQuestions, held_out_hits
from llmopt.types import Document, Hit

TARGETS = {"scifact": {"nDCG@10": 0.82}, "llamaindex-10k-embft": {"nDCG@10": 0.81, "hit@5": 0.90}}
FETCH = 100
FOLDS = 10
LEASTS = (0.3, 0.5, 0.7)
STRENGTHS = (0.1, 1.0, 10.0, 100.0)
EXTRAS = ("coverage", "rare_coverage", "phrase", "length", "numbers", "position", "score")

Fit: TypeAlias = Callable[[Sequence[str], Sequence[Labels[str]]], Hybrid]
Lists: TypeAlias = Sequence[Sequence[Hit]]
Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Setting:
    """What is chosen on train: the parts that find the hits, and how their features are weighed.

    Attributes:
        way: A name of `ways`.
        extras: The features beside the parts' scores, as they joined.
        l2: Strength of the regularisation.
    """

    way: str
    extras: tuple[str, ...]
    l2: float

    def __str__(self) -> str:
        """Write it on one line."""
        return f"{self.way}; {' + '.join(('scores', *self.extras))}; l2 {self.l2:g}"


def ways(embedder: Embedder, documents: Sequence[Document], *, adapted: bool) -> dict[str, Fit]:
    """Return, by name, functions from labelled queries to a retriever."""
    bm25, dense = BM25().index(documents), Dense(embedder).index(documents)

    @cache  # once for all ways that learn from the same labels
    def moved(queries: tuple[str, ...], relevant: tuple[frozenset[str], ...]) -> Dense:
        return Dense(Adapter(embedder).fit(queries, relevant, documents)).index(documents)

    def fitted(
        queries: Sequence[str], relevant: Sequence[Labels[str]], *, least: float | None, adapter: bool
    ) -> Hybrid:
        parts: list[IndexedRetriever] = [bm25, dense]
        if adapter:
            parts.append(moved(tuple(queries), tuple(frozenset(ids) for ids in relevant)))
        if least is not None:
            parts.append(PastQuestions(embedder, least=least).index(documents).fit(queries, relevant))
        return Hybrid(parts)

    kinds = {"Learned": False, "Learned, adapter": True} if adapted else {"Learned": False}
    return {
        kind if least is None else f"{kind}, past questions from {least}": partial(fitted, least=least, adapter=adapter)
        for kind, adapter in kinds.items()
        for least in (None, *LEASTS)
    }


class Trial:
    """What `Learned` may look at, read once for the hits of all train queries, to try choices of it.

    It scales and fits as `Learned.fit` does. Every fold holds the contests of four fifths of the queries, and the
    scaled rows of the others by the query's number.
    """

    def __init__(self, train: Collection, lists: Lists) -> None:
        self.scores = signals_of(lists)
        self._names = [*self.scores, *EXTRAS]
        self._gains = [train.gains[id] for id in train.queries]
        self._ids = [[hit.document.id for hit in hits] for hits in lists]
        read = cache(words)
        rows = [feature_rows(query, hits, self._names, read)
                for query, hits in zip(train.queries.values(), lists, strict=True)]  # fmt: skip
        self._folds = [self._fold(rows, part) for part in range(5)]

    def _fold(self, rows: Sequence[Floats], part: int) -> tuple[list[Contest], dict[int, Floats]]:
        grades = [np.array([gains.get(id, 0.0) for id in ids])
                  for ids, gains in zip(self._ids, self._gains, strict=True)]  # fmt: skip
        kept = [n for n in range(len(rows)) if n % 5 != part and len(set(grades[n].tolist())) > 1]
        seen = np.vstack([rows[n] for n in kept])
        lowest = np.nanmin(seen, axis=0)
        spreads = np.where(np.isnan(seen), lowest, seen).std(axis=0)
        spreads = np.where(spreads > 0, spreads, 1.0)
        scaled = [np.where(np.isnan(each), lowest, each) / spreads for each in rows]
        games = [game for n in kept for game in contests(scaled[n], grades[n])]
        return games, {n: scaled[n] for n in range(part, len(rows), 5)}

    def quality(self, names: Sequence[str], l2: float) -> float:
        """Return the mean nDCG@10 of every train query by weights fitted on other queries' held-out hits."""
        columns = [self._names.index(name) for name in names]
        found: list[float] = []
        for games, held in self._folds:
            weights = fit_ranking([Contest(game.share, game.lags[:, columns]) for game in games], l2)
            for n, rows in held.items():
                order: list[int] = np.argsort(-(rows[:, columns] @ weights), kind="stable").tolist()
                found.append(ndcg([self._ids[n][place] for place in order], self._gains[n]))
        return mean(found)


def signals_of(lists: Lists) -> list[str]:
    """Return the names of the features that are signals."""
    return [f"signal:{name}" for name in sorted({name for hits in lists for hit in hits for name in hit.signals})]


def tried(way: str, trial: Trial) -> dict[Setting, float]:
    """Print what joins the scores of a way and what it brings, then the strengths; return the figure of each."""
    extras: list[str] = []
    figures = {Setting(way, (), 1.0): trial.quality(trial.scores, 1.0)}
    best = figures[Setting(way, (), 1.0)]
    print(f"{way}\n  scores {best:.4f}", end="", flush=True)
    while len(extras) < len(EXTRAS):
        gains = {name: trial.quality([*trial.scores, *extras, name], 1.0) for name in EXTRAS if name not in extras}
        name = max(gains, key=gains.__getitem__)
        print(f"{' +' if gains[name] > best else '; not'} {name} {gains[name]:.4f}", end="", flush=True)
        if gains[name] <= best:
            break
        extras, best = [*extras, name], gains[name]
        figures[Setting(way, tuple(extras), 1.0)] = best
    for l2 in STRENGTHS:
        figures[Setting(way, tuple(extras), l2)] = trial.quality([*trial.scores, *extras], l2)
    print("; " + ", ".join(f"l2 {l2:g} {figures[Setting(way, tuple(extras), l2)]:.4f}" for l2 in STRENGTHS))
    return figures


def reranked(ranker: Learned, queries: Sequence[str], lists: Lists) -> list[list[str]]:
    """Return the ids in their new order."""
    return [[hit.document.id for hit in ranker.rerank(query, hits)] for query, hits in zip(queries, lists, strict=True)]


def searched_held_out(train: Collection, embedder: Embedder, *, adapted: bool) -> dict[str, Lists]:
    """Return the hits of every train query by every way, fitted on other queries."""
    queries = list(train.queries.values())
    return {
        way: held_out_hits(fit, queries, train.relevant, k=FETCH, folds=FOLDS)
        for way, fit in ways(embedder, train.documents, adapted=adapted).items()
    }


def chosen(train: Collection, found: Mapping[str, Lists]) -> list[Setting]:
    """Print all that is tried, and return the best setting of every kind of way: plain, memory, adapter, both."""
    print(f"\n{train.name}: nDCG@10 of train queries, held out (five folds)")
    scores: dict[Setting, float] = {}
    for way, lists in found.items():
        scores |= tried(way, Trial(train, lists))
    kinds: dict[str, list[Setting]] = {}
    for setting in scores:
        kinds.setdefault(re.sub(r" from [\d.]+", "", setting.way), []).append(setting)
    best = [max(settings, key=scores.__getitem__) for settings in kinds.values()]
    return sorted(best, key=scores.__getitem__)


def one_set(name: str, embedder: Embedder, *, adapted: bool) -> tuple[Table, str]:
    """Choose on train, show the best setting of every kind on test, and return the rows and the name of the chosen."""
    train, test = collection(name, "train"), collection(name, "test")
    queries, gains = list(train.queries.values()), [train.gains[id] for id in train.queries]
    held_out = searched_held_out(train, embedder, adapted=adapted)
    settings = chosen(train, held_out)
    print(f"chosen on train: {settings[-1]}")
    table = Table(test, train)
    hybrid = Hybrid([BM25(), Dense(embedder)]).index(train.documents).fit(queries, train.relevant)
    table.add("Hybrid, fitted", *searched(hybrid.index(test.documents), test))
    notes: list[str] = []
    for setting in settings:
        lists = held_out[setting.way]
        ranker = Learned(l2=setting.l2, features=[*signals_of(lists), *setting.extras]).fit(queries, lists, gains)
        # Anew, since `index` takes the parts that the ways share to other documents.
        fit = ways(embedder, train.documents, adapted=adapted)[setting.way]
        found = fit(queries, train.relevant).index(test.documents).retrieve_many(list(test.queries.values()), k=FETCH)
        started = time.process_time()
        rankings = reranked(ranker, list(test.queries.values()), found)
        milliseconds = (time.process_time() - started) * 1e3 / len(rankings)
        table.add(setting.way, dict(zip(test.queries, rankings, strict=True)), milliseconds, over="Hybrid, fitted")
        weights = ", ".join(f"{feature} {weight:.2f}" for feature, weight in ranker.weights().items())
        notes.append(f"{setting}\n  weights: {weights}")
    best = table.rows[settings[-1].way]["nDCG@10"]
    for setting in settings[:-1]:
        added = paired_difference(table.rows[setting.way]["nDCG@10"], best)
        notes.append(f"the chosen way adds {added} on test to: {setting.way}")
    print("\n".join(notes))
    return table, settings[-1].way


def over_seeds(name: str, embedder: Embedder, count: int) -> list[float]:
    """Show how far the figure of an adapter depends on the seed of its fit."""
    train, test = collection(name, "train"), collection(name, "test")
    learnt = {id for ids in train.relevant for id in ids}
    seen = [bool(learnt.intersection(ids)) for ids in test.relevant]
    found: list[float] = []
    print(f"\n{name}: nDCG@10 on test of an adapter alone, by the seed of its fit")
    for seed in range(count):
        adapter = Adapter(embedder, Contrast(seed=seed), seed=seed)
        adapter.fit(list(train.queries.values()), train.relevant, train.documents)
        rankings, _ = searched(Dense(adapter).index(test.documents), test)
        gains = [ndcg(ranking, test.gains[id]) for id, ranking in rankings.items()]
        parts = [mean([gain for gain, inside in zip(gains, seen, strict=True) if inside == kind])
                 for kind in (True, False)]  # fmt: skip
        found.append(mean(gains))
        print(f"seed {seed}: {found[-1]:.4f} (seen {parts[0]:.3f}, other {parts[1]:.3f}), strength "
              f"{adapter.report.strength:.2f}, {'' if adapter.report.kept else 'not '}kept", flush=True)  # fmt: skip
    spread = statistics.stdev(found) if count > 1 else 0.0
    print(f"over {count} seeds: {mean(found):.4f}, deviation {spread:.4f}, {min(found):.4f} to {max(found):.4f}")
    return found


def reached(name: str, table: Table, way: str) -> bool:
    """Say which targets the chosen way meets."""
    best = table.rows[way]
    met = {metric: mean(best[metric]) >= target for metric, target in TARGETS[name].items()}
    print(f"{name} targets:", ", ".join(f"{metric} {'met' if yes else 'MISSED'}" for metric, yes in met.items()))
    return all(met.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cache", type=Path, required=True, help="where benchmarks/retrieval.py keeps vectors")
    parser.add_argument("--model", default="", help="a model for sentence-transformers, where the cache has no vectors")
    parser.add_argument("--sets", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--adapter", action="store_true", help="with an adapter as well (a fit per fold: minutes)")
    parser.add_argument("--seeds", type=int, default=0, help="only fit so many adapters by other seeds")
    parser.add_argument("--json", type=Path, help="write the figures of every query here")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"skipped: there are no data in {DATA}")
        return 0
    results: dict[str, object] = {}
    met: list[bool] = []
    for name in options.sets:
        embedder = recorded(name, options.model, options.cache)
        if options.seeds:
            results[name] = over_seeds(name, embedder, options.seeds)
            continue
        table, way = one_set(name, embedder, adapted=options.adapter)
        met.append(reached(name, table, way))
        results[name] = table.rows
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
