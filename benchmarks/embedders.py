"""Local embedders: how fast they load and embed, and what `LatentSemantic` finds that equal words do not.

    python benchmarks/embedders.py speed --onnx FOLDER --model FOLDER
    python benchmarks/embedders.py quality [--onnx FOLDER]

`speed` runs each embedder in a process of its own: seconds from nothing to the first vector (imports, and for
`LatentSemantic` the fit, included), short texts (the demo's questions) and long ones (passages of 256 tokens) a
second, and peak memory. Seconds are of the processor, so that a busy machine disturbs all alike: divide by the
cores that share the work for the time on the clock. The ratios are to sentence-transformers. `--onnx` is a
folder that `export_onnx` made, `--model` the same model for sentence-transformers; what is not installed is left
out.

`quality` searches the Python reference, cut to 220 tokens with an overlap of 40, for the demo's answerable
questions: hit@5 (a passage of a gold topic among the first five) and MRR by category.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from llmopt.chunking import Recursive
from llmopt.demo import demo_samples, python_reference
from llmopt.errors import MissingExtraError
from llmopt.interfaces import Embedder
from llmopt.models import LatentSemantic, OnnxEmbedder, SentenceTransformerEmbedder
from llmopt.models.local._subwords import learn_subwords
from llmopt.retrieval import BM25
from llmopt.types import Document, Matrix, Sample

LONG_TEXTS = 64
SHORT_ROUNDS = 3
DIMENSIONS = (64, 128, 256, 384)


def passages(tokens: int = 220, overlap: int = 40) -> list[Document]:
    return Recursive(max_tokens=tokens, overlap=overlap).chunk_many(python_reference())


def make(name: str, folder: str) -> Embedder:
    if name == "LatentSemantic":
        return LatentSemantic().fit([passage.text for passage in passages()])
    return OnnxEmbedder(folder) if name == "OnnxEmbedder" else SentenceTransformerEmbedder(folder, device="cpu")


def measure_one(name: str, folder: str) -> dict[str, float]:
    """Measure one embedder in this process, which has imported none of the engines before."""
    short = [sample.question for sample in demo_samples()] * 2
    long = [passage.text for passage in passages(256, 0) if len(passage.text) > 700][:LONG_TEXTS]
    started = time.process_time()
    embedder = make(name, folder)
    embedder.encode(["first"], kind="query")
    loaded = time.process_time() - started
    rates: dict[str, float] = {}
    for kind, texts in (("short", short), ("long", long)):
        embedder.encode(texts[:32], kind="document")
        seconds: list[float] = []
        for _ in range(SHORT_ROUNDS if kind == "short" else 1):
            started = time.process_time()
            embedder.encode(texts, kind="document")
            seconds.append(time.process_time() - started)
        rates[kind] = len(texts) / statistics.median(seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"load_s": loaded, "short_per_s": rates["short"], "long_per_s": rates["long"], "peak_mb": peak}


def measure_all(folders: dict[str, str]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for name, folder in folders.items():
        command = [sys.executable, __file__, "one", name, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name}: left out, {done.stderr.strip().splitlines()[-1]}")
        else:
            found[name] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def speed(folders: dict[str, str]) -> dict[str, dict[str, float]]:
    found = measure_all(folders)
    print(f"{'':28}{'load s':>9}{'short/s':>10}{'256 tok/s':>11}{'peak MB':>9}")
    for name, row in found.items():
        print(f"{name:28}{row['load_s']:9.2f}{row['short_per_s']:10.0f}{row['long_per_s']:11.1f}{row['peak_mb']:9.0f}")
    base = found.get("SentenceTransformerEmbedder")
    for name, row in found.items():
        if base is not None and row is not base:
            print(
                f"{name} against sentence-transformers: loads {base['load_s'] / row['load_s']:.1f} times as fast, "
                f"embeds short texts {row['short_per_s'] / base['short_per_s']:.1f}, long ones "
                f"{row['long_per_s'] / base['long_per_s']:.1f} times, with {row['peak_mb'] / base['peak_mb']:.2f} of "
                "the memory"
            )
    return found


Ranker = Callable[[Sequence[str]], Matrix]


def tf_idf(texts: Sequence[str]) -> Ranker:
    """Cosine of the very rows that `LatentSemantic` projects."""
    subwords = learn_subwords(texts, LatentSemantic().vocabulary)
    rows = subwords.rows(texts)

    def rank(questions: Sequence[str]) -> Matrix:
        asked = subwords.rows(questions)
        dense = np.zeros((len(asked), asked.width), np.float32)
        for number, (start, end) in enumerate(zip(asked.starts, asked.starts[1:], strict=False)):
            dense[number, asked.columns[start:end]] = asked.values[start:end]
        scores: Matrix = rows.times(np.ascontiguousarray(dense.T)).T
        return scores

    return rank


def cosine(embedder: Embedder, texts: Sequence[str]) -> Ranker:
    documents = embedder.encode(texts, kind="document")
    return lambda questions: embedder.encode(questions, kind="query") @ documents.T


def by_words(documents: Sequence[Document]) -> Ranker:
    index = BM25().index(documents)
    places = {document.id: number for number, document in enumerate(documents)}

    def rank(questions: Sequence[str]) -> Matrix:
        scores = np.zeros((len(questions), len(documents)), np.float32)
        for row, question in zip(scores, questions, strict=True):
            for hit in index.retrieve(question, k=100):
                row[places[hit.document.id]] = hit.score
        return scores

    return rank


def plus(one: Ranker, other: Ranker) -> Ranker:
    """Cosines added up: what rows of both kinds put side by side give."""
    return lambda questions: one(questions) + other(questions)


def quality(onnx: str) -> dict[str, dict[str, list[float]]]:
    documents = passages()
    texts = [document.text for document in documents]
    plain = tf_idf(texts)
    rankers: dict[str, Ranker] = {"BM25": by_words(documents), "TF-IDF of word pieces": plain}
    for dimensions in DIMENSIONS:
        rankers[f"LatentSemantic({dimensions})"] = cosine(LatentSemantic(dimensions).fit(texts), texts)
    rankers["LatentSemantic(256) + TF-IDF"] = plus(rankers["LatentSemantic(256)"], plain)
    if onnx:
        rankers["OnnxEmbedder"] = cosine(OnnxEmbedder(onnx), texts)
    samples = [sample for sample in demo_samples() if sample.answerable]
    found = {name: figures(rank(questions_of(samples)), samples, documents) for name, rank in rankers.items()}
    categories = list(next(iter(found.values())))
    print(f"{len(documents)} passages, {len(samples)} questions; hit@5 / MRR")
    print(f"{'':30}" + "".join(f"{category:>14}" for category in categories))
    for name, row in found.items():
        print(f"{name:30}" + "".join(f"{hit:8.2f} /{rank:4.2f}" for hit, rank in row.values()))
    return found


def questions_of(samples: Sequence[Sample]) -> list[str]:
    return [sample.question for sample in samples]


def figures(scores: Matrix, samples: Sequence[Sample], documents: Sequence[Document]) -> dict[str, list[float]]:
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row, sample in zip(scores, samples, strict=True):
        order: list[int] = np.argsort(-row, kind="stable").tolist()
        place = next(at for at, number in enumerate(order, 1) if documents[number].source in sample.gold)
        for category in (sample.category, "all"):
            rows[category].append((float(place <= 5), 1 / place))
    return {category: np.mean(rows[category], axis=0).tolist() for category in sorted(rows)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", help="speed, quality, or (internal) one NAME FOLDER")
    parser.add_argument("--onnx", default="", help="a folder that export_onnx made")
    parser.add_argument("--model", default="", help="the same model for sentence-transformers")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    if given.what[0] == "one":
        try:
            print(json.dumps(measure_one(given.what[1], given.what[2] if len(given.what) > 2 else "")))
        except MissingExtraError as error:
            sys.exit(str(error))
        return
    folders = {"SentenceTransformerEmbedder": given.model, "OnnxEmbedder": given.onnx, "LatentSemantic": ""}
    runs: dict[str, Callable[[], object]] = {
        "speed": lambda: speed({name: at for name, at in folders.items() if at or name == "LatentSemantic"}),
        "quality": lambda: quality(given.onnx),
    }
    figures_found = {name: runs[name]() for name in given.what}
    if given.json is not None:
        given.json.write_text(json.dumps(figures_found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
