"""What refinements of retrieval bring without a model, and what every technique costs in calls and milliseconds.

    python benchmarks/refinements.py quality                     # passages found by BM25, vectors from the corpus
    python benchmarks/refinements.py quality --minilm FOLDER     # vectors of all-MiniLM-L6-v2 exported to ONNX
    python benchmarks/refinements.py cost

`quality`: the questions of Chroma's chunking evaluation (2 of its 5 corpora as questions, 3 to search in), measured as
in `chunking.py`: recall is the share of the excerpts' characters that the hits hold, precision the share of the hits'
characters that are excerpts. Questions on the corpus "finance" are left out: whole passages stand in it twice and the
labels name one place, so that finding the other counts as a miss. Every refinement stands below the retriever that it
refines, with the paired gain in recall. Compare rows of like length only: "characters" is the text that all five hits
bring into the prompt together.

`cost`: model calls and embedding requests are counted; milliseconds are processor time of the library's own, with a
model and an embedder that answer at once, medians over 50 searches among 2,000 passages, 5 hits of 20 fetched.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from chunking import SHARED, Remembering, corpora, jsonl, score

from llmopt._stats import paired_difference
from llmopt.chunking import Recursive, Sentence
from llmopt.interfaces import Classifier, Embedder, Reranker, Retriever
from llmopt.models import LatentSemantic, OnnxEmbedder
from llmopt.reranking import (
    MMR,
    DropDuplicates,
    Learned,
    Listwise,
    NewestFirst,
    Pairwise,
    Pointwise,
    Quota,
    ReadingOrder,
    Rules,
)
from llmopt.retrieval import (
    BM25,
    Contextual,
    Dense,
    Equals,
    Filtered,
    FunctionRetriever,
    Hybrid,
    HyDE,
    MultiQuery,
    Parent,
    SentenceWindow,
    SubQuestions,
)
from llmopt.routing import Keyword, Linear, ModelClassifier, Nearest
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.types import Document, Hit, Matrix, Message, TextKind

K, FETCHED = 5, 20
REPEATING = "finance"
ROUNDS = 50


@dataclass(frozen=True)
class Refined:
    """A retriever, and a reranker behind it if there is one."""

    retriever: Retriever
    reranker: Reranker | None = None

    def hits(self, question: str) -> Sequence[Hit]:
        """Return the best five."""
        if self.reranker is None:
            return self.retriever.retrieve(question, k=K)
        return self.reranker.rerank(question, self.retriever.retrieve(question, k=FETCHED), k=K)


def contenders(documents: Sequence[Document], embedder: Embedder) -> dict[str, tuple[Refined, str]]:
    """Return what is compared, each with the name of what it refines."""

    def by_words(tokens: int) -> BM25:
        return BM25().index(Recursive(tokens, 0).chunk_many(documents))

    small, large = (Recursive(tokens, 0).chunk_many(documents) for tokens in (200, 400))
    overlapping = Recursive(200, 100).chunk_many(documents)
    words = BM25().index(small)
    shared = BM25().index(overlapping)
    vectors = Dense(embedder).index(small)
    return {
        "BM25, 200 tokens": (Refined(words), ""),
        "BM25, then MMR": (Refined(words, MMR(embedder)), "BM25, 200 tokens"),
        "Dense, 200 tokens": (Refined(vectors), ""),
        "Dense, then MMR 0.7": (Refined(vectors, MMR(embedder)), "Dense, 200 tokens"),
        "Dense, then MMR 0.9": (Refined(vectors, MMR(embedder, 0.9)), "Dense, 200 tokens"),
        "Hybrid, 200 tokens": (Refined(Hybrid([BM25(), Dense(embedder)]).index(small)), "BM25, 200 tokens"),
        "BM25, 200 overlap 100": (Refined(shared), ""),
        "DropDuplicates 0.9": (Refined(shared, Rules([DropDuplicates()])), "BM25, 200 overlap 100"),
        "DropDuplicates 0.3": (Refined(shared, Rules([DropDuplicates(0.3)])), "BM25, 200 overlap 100"),
        "BM25, 400 tokens": (Refined(BM25().index(large)), ""),
        "Parent 400, passages 100": (Refined(Parent(Recursive(100, 0), BM25()).index(large)), "BM25, 400 tokens"),
        "Parent 400, sentences": (Refined(Parent(Sentence(100, 0), BM25()).index(large)), "BM25, 400 tokens"),
        "BM25, 165 tokens": (Refined(by_words(165)), ""),
        "SentenceWindow 2, 2": (Refined(SentenceWindow(BM25()).index(documents)), "BM25, 165 tokens"),
        "BM25, 285 tokens": (Refined(by_words(285)), ""),
        "SentenceWindow 4, 4": (
            Refined(SentenceWindow(BM25(), before=4, after=4).index(documents)),
            "BM25, 285 tokens",
        ),
    }


def quality(embedder: Embedder | None) -> None:
    """Print recall, precision and length of every contender."""
    documents = [Document(name, text) for name, text in corpora().items()]
    listed = jsonl(SHARED / "data" / "chroma-chunking-dev" / "questions.jsonl")
    questions = [one for one in listed if one["corpus"] != REPEATING]
    if embedder is None:
        embedder = LatentSemantic().fit([passage.text for passage in Recursive(200, 0).chunk_many(documents)])
    print(f"{'':26} {'characters':>10} {'recall':>7} {'precision':>9}  gain in recall")
    rows: dict[str, list[float]] = {}
    for name, (refined, over) in contenders(documents, embedder).items():
        found = [[hit.document for hit in refined.hits(str(one["question"]))] for one in questions]
        scores = [score(question, hits) for question, hits in zip(questions, found, strict=True)]
        rows[name] = [recall for recall, _, _ in scores]
        characters = statistics.mean(sum(len(document.text) for document in hits) for hits in found)
        recall, precision = (100 * statistics.mean(one[place] for one in scores) for place in (0, 1))
        gain = f"{paired_difference(rows[over], rows[name])} over {over}" if over else ""
        print(f"{name:26} {characters:10.0f} {recall:7.1f} {precision:9.1f}  {gain}", flush=True)


def replies(messages: Sequence[Message]) -> str:
    """Answer what the techniques of the library ask for, at once."""
    asked = messages[0].content
    if "other wordings" in asked or "Split the" in asked:
        return '{"queries": ["one wording of it", "another wording of it", "a third wording of it"]}'
    if "Grade from" in asked:
        return '{"grade": 5}'
    if "A or B" in asked:
        return "A"
    if "You sort texts" in asked:
        return '{"label": "one", "confidence": 0.9}'
    if "You rank passages" in asked:
        return " > ".join(f"[{number}]" for number in re.findall(r"passage \[(\d+)\]", messages[1].content))
    return "A passage of some words that might stand in a document."


@dataclass(repr=False, eq=False)
class Instant(Embedder):
    """Vectors that are there already; what is new is made once."""

    requests: int = field(default=0, init=False)
    rows: dict[str, Matrix] = field(default_factory=dict[str, Matrix], init=False)

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Look up, and count the request."""
        self.requests += 1
        fresh = [text for text in texts if text not in self.rows]
        if fresh:
            self.rows.update(zip(fresh, FakeEmbedder(384).encode(fresh, kind=kind), strict=True))
        return np.stack([self.rows[text] for text in texts])


@dataclass(frozen=True)
class Cost:
    """What one use takes."""

    calls: float
    requests: float
    milliseconds: float


def costs(use: Callable[[], object], model: FakeModel, embedder: Instant) -> Cost:
    """Run and count."""
    use()
    calls, requests = len(model.requests), embedder.requests
    taken: list[float] = []
    for _ in range(ROUNDS):
        started = time.process_time()
        use()
        taken.append((time.process_time() - started) * 1e3)
    counted = ((len(model.requests) - calls) / ROUNDS, (embedder.requests - requests) / ROUNDS)
    return Cost(*counted, statistics.median(taken))


def cost() -> None:
    """Print calls, embedding requests and milliseconds of every technique."""
    random = np.random.default_rng(0)
    vocabulary = [f"word{number}" for number in range(5_000)]
    texts = [" ".join(random.choice(vocabulary, 80).tolist()) for _ in range(2_000)]
    documents = [Document(str(number), text, {"date": f"{2000 + number % 26}-01-01", "half": number % 2})
                 for number, text in enumerate(texts)]  # fmt: skip
    model, embedder = FakeModel(replies), Instant()
    question = " ".join(texts[7].split()[:8])
    bm25, dense = BM25().index(documents), Dense(embedder).index(documents)
    hits = bm25.retrieve(question, k=FETCHED)
    uses: dict[str, Callable[[], object]] = {}
    for name, retriever in retrievers(bm25, dense, documents, model, embedder).items():
        uses[name] = searching(retriever, question)
    for name, reranker in rerankers(model, embedder, question, hits).items():
        uses[name] = reranking(reranker, question, hits)
    for name, classifier in classifiers(model, embedder).items():
        uses[name] = classifying(classifier, question)
    print(f"{'':22} {'model calls':>11} {'embeddings':>10} {'CPU ms':>8}")
    for name, use in uses.items():
        taken = costs(use, model, embedder)
        print(f"{name:22} {taken.calls:11g} {taken.requests:10g} {taken.milliseconds:8.2f}", flush=True)
    before = len(model.requests)
    Contextual(Recursive(60, 0), BM25(), model).index(documents[:20])
    print(f"Contextual, at indexing: {len(model.requests) - before} calls for 20 documents, "
          f"{len(Recursive(60, 0).chunk_many(documents[:20]))} passages")  # fmt: skip


def retrievers(
    bm25: BM25, dense: Dense, documents: Sequence[Document], model: FakeModel, embedder: Instant
) -> dict[str, Retriever]:
    parts = Recursive(60, 0)
    return {
        "BM25": bm25,
        "Dense": dense,
        "Hybrid": Hybrid([BM25(), Dense(embedder)]).index(documents),
        "Filtered": Filtered(bm25, Equals("half", 1)),
        "FunctionRetriever": FunctionRetriever(lambda _, k: documents[:k]),
        "Parent": Parent(parts, BM25()).index(documents),
        "SentenceWindow": SentenceWindow(BM25()).index(documents),
        "HyDE": HyDE(dense, model),
        "MultiQuery": MultiQuery(bm25, model),
        "SubQuestions": SubQuestions(bm25, model),
        "Contextual, searching": Contextual(parts, BM25(), model).index(documents),
    }


def rerankers(model: FakeModel, embedder: Instant, question: str, hits: Sequence[Hit]) -> dict[str, Reranker]:
    return {
        "Rules, 3 of them": Rules([NewestFirst(), DropDuplicates(), Quota(2)]),
        "MMR": MMR(embedder),
        "Pointwise": Pointwise(model),
        "Listwise": Listwise(model),
        "Listwise 10, 5": Listwise(model, window=10, step=5),
        "Pairwise": Pairwise(model),
        "Learned": Learned().fit([question], [hits], [{hits[3].document.id: 1}]),
        "ReadingOrder": ReadingOrder(),
    }


def classifiers(model: FakeModel, embedder: Instant) -> dict[str, Classifier]:
    texts = [f"word{number} word{number % 7} word{number % 11}" for number in range(200)]
    labels = ["one" if number % 2 else "two" for number in range(200)]
    return {
        "Keyword": Keyword({"one": ["word1", "word3"], "two": ["word2"]}, default="two"),
        "Nearest": Nearest(embedder).fit(texts, labels),
        "Linear": Linear(embedder).fit(texts, labels),
        "ModelClassifier": ModelClassifier(model, {"one": "odd", "two": "even"}),
    }


def searching(retriever: Retriever, question: str) -> Callable[[], object]:
    return lambda: retriever.retrieve(question, k=K)


def reranking(reranker: Reranker, question: str, hits: Sequence[Hit]) -> Callable[[], object]:
    return lambda: reranker.rerank(question, hits, k=K)


def classifying(classifier: Classifier, question: str) -> Callable[[], object]:
    return lambda: classifier.classify(question)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["quality", "cost"])
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2 as ONNX")
    options: Any = parser.parse_args()
    if options.part == "cost":
        cost()
    else:
        quality(None if options.minilm is None else Remembering(OnnxEmbedder(options.minilm)))


if __name__ == "__main__":
    main()
