"""Two knowledge bases behind one question box: routed to one of them, beside one index over both.

    python benchmarks/routes.py --cache FOLDER

Scientific abstracts (scifact) and a company's annual report (llamaindex-10k-embft): the questions of both test splits,
mixed, through whole pipelines by `Pipeline.run`. The classifier is `Linear` over the vectors of all-MiniLM-L6-v2 that
benchmarks/retrieval.py keeps in the cache folder, fitted on the train questions; the report that the test questions
are about is another company's. "By hand" sends every question where it belongs: more than that no classifier can
bring. nDCG@10, and its gain over one index with the 95 % interval, both paired.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval import Recorded, collection, mean, ndcg, recorded

from llmopt._stats import paired_difference
from llmopt.interfaces import Classifier, Retriever
from llmopt.pipeline import Pipeline
from llmopt.prompting import Direct
from llmopt.retrieval import BM25, Dense, Hybrid
from llmopt.routing import Linear
from llmopt.testing import FakeModel
from llmopt.types import Document

BASES = ("scifact", "llamaindex-10k-embft")
K = 10


@dataclass(repr=False)
class ByHand(Classifier):
    """What is known of every question."""

    labels: Mapping[str, str]

    def predict(self, text: str) -> dict[str, float]:
        """Look it up."""
        return {name: float(name == self.labels[text]) for name in BASES}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="vectors that benchmarks/retrieval.py has kept")
    arguments = parser.parse_args()
    tests = {name: collection(name, "test") for name in BASES}
    trains = {name: collection(name, "train") for name in BASES}
    rows = {text: row for name in BASES for text, row in recorded(name, "", arguments.cache).rows.items()}
    embedder = Recorded(rows)

    texts = [text for train in trains.values() for text in train.queries.values()]
    labels = [name for name, train in trains.items() for _ in train.queries]
    linear = Linear(embedder).fit(texts, labels)
    by_hand = ByHand({text: name for name, test in tests.items() for text in test.queries.values()})

    def index(documents: list[Document]) -> Retriever:
        return Hybrid([BM25(), Dense(embedder)]).index(documents)

    both = [document for test in tests.values() for document in test.documents]
    plain = Pipeline(model=FakeModel("-"), prompt=Direct(), retriever=index(both), k=K)
    routes = {name: plain.but(retriever=index(list(test.documents))) for name, test in tests.items()}

    def routed(classifier: Classifier, margin: float) -> Pipeline:
        return plain.but(classifier=classifier, routes=routes, margin=margin)

    contenders = {
        "one index over both": plain,
        "routed by Linear": routed(linear, 0.0),
        "routed, both below 0.5": routed(linear, 0.5),
        "routed by hand": routed(by_hand, 0.0),
    }
    questions = [(text, test.gains[id]) for test in tests.values() for id, text in test.queries.items()]
    wrong = mean([float(linear.classify(text).label != by_hand.classify(text).label) for text, _ in questions])
    print(f"{len(both)} documents, {len(questions)} questions; Linear sends {wrong:.1%} of them to the wrong base")
    base: list[float] = []
    for name, pipeline in contenders.items():
        found = [[hit.document.id for hit in pipeline.run(text).contexts] for text, _ in questions]
        quality = [ndcg(ids, gains) for ids, (_, gains) in zip(found, questions, strict=True)]
        base = base or quality
        gain = "" if quality is base else f"  {paired_difference(base, quality)} over one index"
        print(f"{name:24}{mean(quality):7.3f}{gain}", flush=True)


if __name__ == "__main__":
    main()
