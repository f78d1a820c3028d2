"""Retrieval on real relevance labels, beside published figures.

    python benchmarks/retrieval.py                                    # words only
    python benchmarks/retrieval.py --model FOLDER --cache FOLDER      # with a sentence-transformers model

Data: ../shared/data/<set> (corpus.jsonl, queries.jsonl, qrels/test.tsv). The model is any local folder or
hub name that sentence-transformers loads, all-MiniLM-L6-v2 for the published figures; what it computes is
kept in the cache folder as <set>/{corpus,queries}.npy with their ids, so that a second run needs no model.

nDCG@10 has linear gains and is what trec_eval calls ndcg_cut_10. Targets on SciFact: BM25 >= 0.67,
Dense >= 0.64, Hybrid above both.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from llmopt.interfaces import Embedder, Retriever
from llmopt.models.sentence_transformer_embedder import SentenceTransformerEmbedder
from llmopt.retrieval import BM25, Dense, Hybrid
from llmopt.types import Document, Matrix, TextKind

DATA = Path(__file__).parents[2] / "shared" / "data"
PUBLISHED = {"BM25": 0.679, "Dense": 0.645}
TARGETS = {"BM25": 0.67, "Dense": 0.64}


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, the queries of the test split, and the gain of every judged document."""

    name: str
    documents: Sequence[Document]
    queries: Mapping[str, str]
    gains: Mapping[str, Mapping[str, float]]


def lines_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def collection(name: str, split: str = "test") -> Collection:
    folder = DATA / name
    documents = [
        Document(row["_id"], f"{row.get('title') or ''} {row['text']}".strip())
        for row in lines_of(folder / "corpus.jsonl")
    ]
    gains: dict[str, dict[str, float]] = {}
    for line in (folder / "qrels" / f"{split}.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, gain = line.split("\t")
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


def recorded(data: Collection, model: str, cache: Path) -> Recorded:
    """Return the vectors of all documents and queries, from the cache or from the model."""
    rows: dict[str, Matrix] = {}
    texts = {
        "corpus": {document.id: document.text for document in data.documents},
        "queries": {row["_id"]: row["text"] for row in lines_of(DATA / data.name / "queries.jsonl")},
    }
    for what, ids_file in (("queries", "query_ids.json"), ("corpus", "corpus_ids.json")):
        path = cache / data.name / f"{what}.npy"
        if not path.exists():
            started = time.perf_counter()
            embedder = SentenceTransformerEmbedder(model, device="cpu")
            vectors = embedder.encode(list(texts[what].values()), kind="query" if what == "queries" else "document")
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, vectors)
            (path.parent / ids_file).write_text(json.dumps(list(texts[what])), encoding="utf-8")
            print(f"embedded {len(vectors)} {what} in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        ids = json.loads((path.parent / ids_file).read_text("utf-8"))
        rows.update(zip([texts[what][id] for id in ids], np.load(path), strict=True))
    return Recorded(rows)


def ndcg(ranking: Sequence[str], gains: Mapping[str, float], k: int = 10) -> float:
    """Return the gain of the ranking, discounted by log2(rank + 1), over that of the best ranking."""
    found = sum(gains.get(id, 0.0) / math.log2(rank + 1) for rank, id in enumerate(ranking[:k], start=1))
    best = sorted(gains.values(), reverse=True)[:k]
    return found / sum(gain / math.log2(rank + 1) for rank, gain in enumerate(best, start=1))


@dataclass(frozen=True, slots=True)
class Row:
    """One retriever on one collection; `half` is half of the 95 % interval of nDCG@10."""

    name: str
    ndcg10: float
    half: float
    recall100: float
    reciprocal_rank10: float
    milliseconds: float
    index_seconds: float
    scores: Sequence[float]


def measured(name: str, retriever: Retriever, data: Collection, index_seconds: float) -> Row:
    scores: list[float] = []
    recalls: list[float] = []
    ranks: list[float] = []
    started = time.perf_counter()
    found = {id: [hit.document.id for hit in retriever.retrieve(query, k=100)] for id, query in data.queries.items()}
    milliseconds = (time.perf_counter() - started) * 1e3 / len(found)
    for id, ranking in found.items():
        relevant = {document for document, gain in data.gains[id].items() if gain > 0}
        scores.append(ndcg(ranking, data.gains[id]))
        recalls.append(len(relevant.intersection(ranking)) / len(relevant))
        ranks.append(next((1 / rank for rank, id in enumerate(ranking[:10], start=1) if id in relevant), 0.0))
    half = 1.96 * float(np.std(scores, ddof=1)) / math.sqrt(len(scores))
    return Row(
        name, float(np.mean(scores)), half, float(np.mean(recalls)), float(np.mean(ranks)), milliseconds,
        index_seconds, scores,
    )  # fmt: skip


def rows_of(data: Collection, embedder: Embedder | None) -> list[Row]:
    retrievers: dict[str, BM25 | Dense | Hybrid] = {"BM25": BM25()}
    if embedder is not None:
        retrievers["Dense"] = Dense(embedder)
        retrievers["Hybrid"] = Hybrid([BM25(), Dense(embedder)])
    rows: list[Row] = []
    for name, retriever in retrievers.items():
        started = time.perf_counter()
        retriever.index(data.documents)
        rows.append(measured(name, retriever, data, time.perf_counter() - started))
    return rows


def show(data: Collection, rows: Sequence[Row]) -> None:
    print(f"{data.name}: {len(data.documents)} documents, {len(data.queries)} queries")
    print(
        f"{'':10} {'nDCG@10':>16} {'published':>9} {'target':>7} {'R@100':>6} {'MRR@10':>7} {'ms/query':>9} "
        f"{'index s':>8}"
    )
    for row in rows:
        published = f"{PUBLISHED[row.name]:.3f}" if row.name in PUBLISHED else ""
        target = f"{TARGETS[row.name]:.2f}" if row.name in TARGETS else ""
        print(
            f"{row.name:10} {row.ndcg10:8.4f} ± {row.half:.3f} {published:>9} {target:>7} {row.recall100:6.3f} "
            f"{row.reciprocal_rank10:7.3f} {row.milliseconds:9.2f} {row.index_seconds:8.2f}"
        )


def reached(rows: Sequence[Row]) -> bool:
    figures = {row.name: row.ndcg10 for row in rows}
    parts = max(figures["BM25"], figures.get("Dense", 0.0))
    return all(figures[name] >= target for name, target in TARGETS.items() if name in figures) and (
        "Hybrid" not in figures or figures["Hybrid"] > parts
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", help="a model for sentence-transformers, needed where the cache has no vectors")
    parser.add_argument("--cache", type=Path, help="where vectors are kept")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(arguments)
    if options.model and not options.cache:
        parser.error("--model needs --cache")
    data = collection("scifact")
    embedder = recorded(data, options.model or "", options.cache) if options.cache else None
    rows = rows_of(data, embedder)
    show(data, rows)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    return 0 if reached(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
