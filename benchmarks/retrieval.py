"""Retrieval on real relevance labels, beside published figures: what every step adds, with paired intervals.

    python benchmarks/retrieval.py                                    # words only
    python benchmarks/retrieval.py --model FOLDER --cache FOLDER      # with a sentence-transformers model
    python benchmarks/retrieval.py --cache FOLDER --sets scifact      # vectors are kept: no model needed again
    python benchmarks/retrieval.py --pairs 100000                     # time and memory of fitting an adapter

Data: ../shared/data/<set> (corpus.jsonl, queries.jsonl, qrels). The model is any local folder or hub name that
sentence-transformers loads, all-MiniLM-L6-v2 for the published figures; its vectors are kept in the cache
folder as <set>/{corpus,queries}.npy with their ids. Whatever is fitted is fitted on the train split and shown
on the test split; "seen" are the test queries with a document that a train query has, too.

nDCG@10 has linear gains and is what trec_eval calls ndcg_cut_10.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from llmopt._stats import paired_difference
from llmopt.interfaces import Embedder, IndexedRetriever
from llmopt.models.local.sentence_transformer_embedder import SentenceTransformerEmbedder
from llmopt.retrieval import BM25, Adapter, Contrast, Dense, Hybrid, Ridge, Rotation
from llmopt.types import Document, Matrix, TextKind

DATA = Path(__file__).parents[2] / "shared" / "data"
SPLITS = {"cmrc2018-dev": "dev"}
PUBLISHED = {
    "scifact": "nDCG@10: BM25 0.679, MiniLM 0.645, bge-base 0.741",
    "llamaindex-10k-embft": "fine-tuned bge-small: nDCG@10 0.754, hit@5 0.844; ada-002: hit@5 0.871",
    "anthropic-docs-rag": "R@3 0.659, MRR 0.737; with a paid re-ranker MRR 0.865",
    "cmrc2018-dev": "none for retrieval",
    "domainrag-zh": "recorded runs of the set, below",
}
TARGETS = {"BM25": 0.67, "Dense": 0.64, "Hybrid, fitted": 0.735, "Adapter": 0.78}


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, the queries of one split, and the gain of every judged document."""

    name: str
    documents: Sequence[Document]
    queries: Mapping[str, str]
    gains: Mapping[str, Mapping[str, float]]

    @property
    def relevant(self) -> list[list[str]]:
        """The ids of the relevant documents of every query."""
        return [[id for id, gain in self.gains[query].items() if gain > 0] for query in self.queries]


def lines_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def collection(name: str, split: str) -> Collection:
    folder = DATA / name
    documents = [
        Document(row["_id"], f"{row.get('title') or ''} {row['text']}".strip())
        for row in lines_of(folder / "corpus.jsonl")
        if row.get("part", split) == split
    ]
    known = {document.id for document in documents}
    gains: dict[str, dict[str, float]] = {}
    for line in (folder / "qrels" / f"{split}.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, gain = line.split("\t")
        if document in known:
            gains.setdefault(query, {})[document] = float(gain)
    queries = {row["_id"]: row["text"] for row in lines_of(folder / "queries.jsonl") if row["_id"] in gains}
    return Collection(name, documents, queries, gains)


@dataclass(repr=False, eq=False)
class Recorded(Embedder):
    """Vectors of known texts."""

    rows: Mapping[str, Matrix] = field(repr=False)

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Look them up."""
        return np.array([self.rows[text] for text in texts], np.float32)


def recorded(name: str, model: str, cache: Path) -> Recorded:
    """Return the vectors of all documents and queries of a set, from the cache or from the model."""
    rows: dict[str, Matrix] = {}
    for what, ids_file in (("queries", "query_ids.json"), ("corpus", "corpus_ids.json")):
        lines = lines_of(DATA / name / f"{what}.jsonl")
        texts = {row["_id"]: f"{row.get('title') or ''} {row['text']}".strip() for row in lines}
        path = cache / name / f"{what}.npy"
        if not path.exists():
            embedder = SentenceTransformerEmbedder(model, device="cpu")
            vectors = embedder.encode(list(texts.values()), kind="query" if what == "queries" else "document")
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, vectors)
            (path.parent / ids_file).write_text(json.dumps(list(texts)), encoding="utf-8")
        ids = json.loads((path.parent / ids_file).read_text("utf-8"))
        rows.update(zip([texts[id] for id in ids], np.load(path), strict=True))
    return Recorded(rows)


def ndcg(ranking: Sequence[str], gains: Mapping[str, float], k: int = 10) -> float:
    """Return the gain of the ranking, discounted by log2(rank + 1), over that of the best ranking."""
    found = sum(gains.get(id, 0.0) / math.log2(rank + 1) for rank, id in enumerate(ranking[:k], start=1))
    best = sorted(gains.values(), reverse=True)[:k]
    return found / sum(gain / math.log2(rank + 1) for rank, gain in enumerate(best, start=1))


Rankings = Mapping[str, Sequence[str]]
Labels = tuple[list[str], list[list[str]]]


def searched(retriever: IndexedRetriever, data: Collection) -> tuple[Rankings, float]:
    """Return the best 100 of every query, and milliseconds per query asked one by one."""
    started = time.perf_counter()
    found = {id: [hit.document.id for hit in retriever.retrieve(query, k=100)] for id, query in data.queries.items()}
    return found, (time.perf_counter() - started) * 1e3 / len(found)


def figures(found: Rankings, data: Collection) -> dict[str, list[float]]:
    """Return every metric for every query."""
    table: dict[str, list[float]] = {name: [] for name in ("nDCG@10", "hit@5", "R@3", "R@100", "MRR")}
    for (id, ranking), relevant in zip(found.items(), data.relevant, strict=True):
        ranks = [rank for rank, document in enumerate(ranking, start=1) if document in relevant]
        table["nDCG@10"].append(ndcg(ranking, data.gains[id]))
        table["hit@5"].append(float(bool(ranks) and ranks[0] <= 5))
        table["R@3"].append(sum(rank <= 3 for rank in ranks) / len(relevant))
        table["R@100"].append(len(ranks) / len(relevant))
        table["MRR"].append(1 / ranks[0] if ranks and ranks[0] <= 10 else 0.0)
    return table


class Table:
    """Prints a row per retriever as it comes, with the paired gain over an earlier one."""

    def __init__(self, data: Collection, train: Collection | None) -> None:
        self._data = data
        learnt = {id for ids in train.relevant for id in ids} if train else set[str]()
        self._seen = [bool(learnt.intersection(ids)) for ids in data.relevant]
        self.rows: dict[str, dict[str, list[float]]] = {}
        print(f"\n{data.name}: {len(data.documents)} documents, {len(data.queries)} queries, "
              f"{sum(self._seen)} of them about documents of train queries")  # fmt: skip
        print(f"published: {PUBLISHED[data.name]}")
        print(f"{'':26} {'nDCG@10':>8} {'seen':>6} {'other':>6} {'hit@5':>6} {'R@3':>6} {'R@100':>6} {'MRR':>6} "
              f"{'ms':>6}  gain in nDCG@10")  # fmt: skip

    def add(self, name: str, found: Rankings, milliseconds: float, over: str = "") -> None:
        """Print a row."""
        self.rows[name] = row = figures(found, self._data)
        gains = row["nDCG@10"]
        seen = [gain for gain, is_seen in zip(gains, self._seen, strict=True) if is_seen]
        other = [gain for gain, is_seen in zip(gains, self._seen, strict=True) if not is_seen]
        shown = [mean(gains), mean(seen), mean(other), *(mean(row[key]) for key in ("hit@5", "R@3", "R@100", "MRR"))]
        numbers = f"{shown[0]:8.4f} " + " ".join(f"{value:6.3f}" for value in shown[1:])
        gain = f"{paired_difference(self.rows[over]['nDCG@10'], gains)} over {over}" if over else ""
        print(f"{name:26} {numbers} {milliseconds:6.2f}  {gain}", flush=True)


def mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def english(name: str, embedder: Embedder | None) -> Table:
    """Show what every step adds on a set with English text."""
    test = collection(name, "test")
    train = collection(name, "train") if (DATA / name / "qrels" / "train.tsv").exists() else None
    table = Table(test, train)
    words = BM25().index(test.documents)
    table.add("BM25", *searched(words, test))
    if embedder is None:
        return table
    table.add("Dense", *searched(Dense(embedder).index(test.documents), test))
    table.add("Hybrid", *searched(Hybrid([BM25(), Dense(embedder)]).index(test.documents), test), over="BM25")
    if train is None:
        return table
    labels = (list(train.queries.values()), train.relevant)
    fitted = Hybrid([BM25(), Dense(embedder)]).index(train.documents).fit(*labels).index(test.documents)
    table.add("Hybrid, fitted", *searched(fitted, test), over="Hybrid")
    reports: list[str] = [f"fitted hybrid: {fitted.fitted}"]
    for learning, label in ((Ridge(), "Adapter, ridge"), (Rotation(), "Adapter, rotation"), (Contrast(), "Adapter")):
        started = time.perf_counter()
        adapter = Adapter(embedder, learning).fit(*labels, train.documents)
        reports.append(f"{label} ({time.perf_counter() - started:.0f} s): {adapter.report}")
        table.add(label, *searched(Dense(adapter).index(test.documents), test), over="Dense")
    both = adapter_and_weights(embedder, train, labels).index(test.documents)
    table.add("Adapter in fitted hybrid", *searched(both, test), over="Hybrid, fitted")
    print(*reports, sep="\n")
    return table


def adapter_and_weights(embedder: Embedder, train: Collection, labels: Labels) -> Hybrid:
    """Return a hybrid whose weights are fitted on queries that its adapter had not learnt from."""
    queries, relevant = labels
    half: list[int] = np.random.default_rng(0).permutation(len(queries)).tolist()
    parts = [([queries[n] for n in numbers], [relevant[n] for n in numbers])
             for numbers in (half[: len(half) // 2], half[len(half) // 2 :])]  # fmt: skip
    adapter = Adapter(embedder).fit(*parts[0], train.documents)
    hybrid = Hybrid([BM25(), Dense(adapter)]).index(train.documents).fit(*parts[1])
    adapter.fit(queries, relevant, train.documents)  # documents keep their vectors: the index stays good
    return hybrid


def chinese(name: str) -> Table:
    """Show BM25 by pairs of characters beside single characters, and the runs that came with the set."""
    test = collection(name, SPLITS.get(name, "test"))
    table = Table(test, None)
    letters = BM25(stop_words=()).index(Document(one.id, " ".join(one.text)) for one in test.documents)
    spaced = Collection(name, test.documents, {id: " ".join(text) for id, text in test.queries.items()}, test.gains)
    table.add("single characters", *searched(letters, spaced))
    table.add("BM25", *searched(BM25().index(test.documents), test), over="single characters")
    runs: dict[str, dict[str, list[str]]] = {}
    if (DATA / name / "runs.jsonl").exists():
        for row in lines_of(DATA / name / "runs.jsonl"):
            runs.setdefault(row["run"], {}).setdefault(row["query_id"], []).append(row["doc_id"])
    for run, found in runs.items():
        table.add(f"recorded run {run}", {id: found.get(id, []) for id in test.queries}, math.nan)
    return table


@dataclass(repr=False, eq=False)
class Numbered(Embedder):
    """Rows by number."""

    queries: Matrix = field(repr=False)
    documents: Matrix = field(repr=False)

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Look them up."""
        return (self.queries if kind == "query" else self.documents)[[int(text) for text in texts]]


def fit_many(count: int) -> None:
    """Time the fitting of an adapter on made-up pairs of 384 dimensions, each with a document of its own."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((count, 384), dtype=np.float32)
    turn = 0.03 * random.standard_normal((384, 384), dtype=np.float32)
    queries = rows + rows @ turn + 3 * random.standard_normal(rows.shape, dtype=np.float32)
    units = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in (queries, rows)]
    names = [str(number) for number in range(count)]
    documents = [Document(name, name) for name in names]
    for learning in (Contrast(), Ridge(), Rotation()):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started, worked = time.perf_counter(), time.process_time()
        adapter = Adapter(Numbered(*units), learning).fit(names, [[name] for name in names], documents)
        seconds, busy = time.perf_counter() - started, time.process_time() - worked
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        data = (units[0].nbytes + units[1].nbytes) / 1e6
        print(f"{type(learning).__name__:9} {count:,} pairs: {seconds:.1f} s ({busy:.1f} s of processor time), "
              f"{more:.0f} MB above the {data:.0f} MB of data\n{adapter.report}", flush=True)  # fmt: skip


def reached(tables: Mapping[str, Table]) -> bool:
    """Say which targets of SciFact are met."""
    if "scifact" not in tables:
        return True
    found = {name: mean(row["nDCG@10"]) for name, row in tables["scifact"].rows.items()}
    met = {name: found[name] >= target for name, target in TARGETS.items() if name in found}
    if "Hybrid" in found:
        met["Hybrid above its parts"] = found["Hybrid"] > max(found["BM25"], found["Dense"])
    print("\nSciFact targets:", ", ".join(f"{name} {'met' if yes else 'MISSED'}" for name, yes in met.items()))
    return all(met.values())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default="", help="a model for sentence-transformers, where the cache has no vectors")
    parser.add_argument("--cache", type=Path, help="where vectors are kept")
    parser.add_argument("--sets", nargs="*", default=list(PUBLISHED), choices=list(PUBLISHED))
    parser.add_argument("--pairs", type=int, help="only fit an adapter on so many pairs")
    parser.add_argument("--json", type=Path, help="write the figures of every query here")
    options = parser.parse_args(arguments)
    if options.pairs:
        fit_many(options.pairs)
        return 0
    if options.model and not options.cache:
        parser.error("--model needs --cache")
    tables: dict[str, Table] = {}
    for name in options.sets:
        if name in {"cmrc2018-dev", "domainrag-zh"}:
            tables[name] = chinese(name)
        else:
            tables[name] = english(name, recorded(name, options.model, options.cache) if options.cache else None)
    if options.json:
        figures_of = {name: table.rows for name, table in tables.items()}
        options.json.write_text(json.dumps(figures_of, indent=1), encoding="utf-8")
    return 0 if reached(tables) else 1


if __name__ == "__main__":
    sys.exit(main())
