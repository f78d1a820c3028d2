"""All weights of an embedding model tuned on SciFact's train queries, shown on its test queries.

    python benchmarks/fine_tuning.py --model FOLDER --folder FOLDER       # two hours and more on 2 cores
    python benchmarks/fine_tuning.py --model FOLDER --folder FOLDER --documents 1000 --tokens 64 --epochs 1 --rate 5e-5

Needs the extra `local`. "seen" are the test queries with a document that a train query has, too.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from retrieval import Collection, Table, collection, searched

from llmopt.models import SentenceTransformerEmbedder
from llmopt.retrieval import BM25, Dense, FineTuning, Hybrid


def smaller(data: Collection, wanted: set[str], documents: int) -> Collection:
    """Return the set with its labelled documents and the first others, so many in all."""
    labelled = [one for one in data.documents if one.id in wanted]
    others = [one for one in data.documents if one.id not in wanted]
    return replace(data, documents=[*labelled, *others[: max(0, documents - len(labelled))]])


def shortened(model: str, tokens: int, folder: str) -> str:
    """Write a copy of the model that reads fewer tokens, and return its folder."""
    loaded: Any = importlib.import_module("sentence_transformers").SentenceTransformer(model, device="cpu")
    loaded.max_seq_length = tokens
    loaded.save_pretrained(f"{folder}-{tokens}")
    return f"{folder}-{tokens}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", required=True, help="a model for sentence-transformers")
    parser.add_argument("--folder", required=True, help="where the tuned model is written")
    parser.add_argument("--documents", type=int, default=5_183, help="documents to rank, the labelled ones always")
    parser.add_argument("--tokens", type=int, help="read so much of every text only")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2e-5)
    options = parser.parse_args(arguments)
    train, test = collection("scifact", "train"), collection("scifact", "test")
    wanted = {id for data in (train, test) for ids in data.relevant for id in ids}
    train, test = (smaller(data, wanted, options.documents) for data in (train, test))
    labels = (list(train.queries.values()), train.relevant)
    model = options.model if options.tokens is None else shortened(options.model, options.tokens, options.folder)
    embedder = SentenceTransformerEmbedder(model, device="cpu")
    started, busy = time.perf_counter(), time.process_time()
    tuning = FineTuning(embedder, options.folder, epochs=options.epochs, rate=options.rate)
    tuning.fit(*labels, train.documents, progress=True)
    print(f"{time.perf_counter() - started:.0f} s, {time.process_time() - busy:.0f} s of processor time")
    print(tuning.report, flush=True)
    table = Table(test, train)
    table.add("Dense", *searched(Dense(embedder).index(test.documents), test))
    table.add("FineTuning", *searched(Dense(tuning.tuned).index(test.documents), test), over="Dense")
    words = BM25()
    for name, dense in (("Hybrid", Dense(embedder)), ("FineTuning in hybrid", Dense(tuning.tuned))):
        table.add(name, *searched(Hybrid([words, dense]).index(test.documents), test), over="Dense")


if __name__ == "__main__":
    main()
