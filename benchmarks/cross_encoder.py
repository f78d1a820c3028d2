"""A cross-encoder trained on a few hundred labelled questions, as reranker: what it brings, and what it takes.

    python benchmarks/cross_encoder.py --model FOLDER --cache FOLDER --trained FOLDER

The folder of --model holds all-MiniLM-L6-v2, whose weights the cross-encoder starts from with a new head; its vectors
are kept in the cache by benchmarks/retrieval.py. Trained on SciFact's train split: every question with its documents
and with others that the fitted hybrid ranks among the first thirty, one epoch, binary cross-entropy. The trained
model is kept in --trained, which `CrossEncoder` loads. Shown on test: the fitted hybrid, its first hits reordered by
the cross-encoder alone, and by the sum of the ranks that both give.
"""

from __future__ import annotations

import argparse
import importlib
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from retrieval import Collection, collection, mean, ndcg, recorded

from llmopt._stats import paired_difference
from llmopt.reranking import CrossEncoder
from llmopt.retrieval import BM25, Dense, Hybrid
from llmopt.types import Hit

FETCH, DEEP, NEGATIVES, LONGEST, BATCH = 20, 30, 5, 192, 16
RATE, WARMUP = 5e-5, 0.1

Found = Mapping[str, Sequence[Hit]]
Pair = tuple[str, str, float]


def pairs_of(data: Collection, found: Found) -> list[Pair]:
    """Return questions with documents, 1 for the right ones, in random order."""
    texts = {document.id: document.text for document in data.documents}
    random.seed(0)
    pairs: list[Pair] = []
    for id, question in data.queries.items():
        right = [document for document, gain in data.gains[id].items() if gain > 0]
        wrong = [hit.document.id for hit in found[id] if hit.document.id not in data.gains[id]]
        chosen = random.sample(wrong, min(NEGATIVES, len(wrong)))
        pairs += [(question, texts[document], 1.0) for document in right]
        pairs += [(question, texts[document], 0.0) for document in chosen]
    random.shuffle(pairs)
    return pairs


def train(base: str, pairs: Sequence[Pair], folder: Path) -> None:
    """Train and keep a cross-encoder."""
    torch: Any = importlib.import_module("torch")  # untyped here: the extra `local` brings it
    make: Any = importlib.import_module("sentence_transformers").CrossEncoder
    torch.manual_seed(0)
    trainable = make(base, num_labels=1, max_length=LONGEST, device="cpu")
    network, tokenizer = trainable.model, trainable.tokenizer
    network.train()
    steps = -(-len(pairs) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)

    def pace(step: int) -> float:
        return min((step + 1) / (WARMUP * steps), 1 - step / steps)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, pace)
    started = time.perf_counter()
    for step in range(steps):
        batch = pairs[step * BATCH : (step + 1) * BATCH]
        encoded = tokenizer([pair[0] for pair in batch], [pair[1] for pair in batch], padding=True, truncation=True,
                            max_length=LONGEST, return_tensors="pt")  # fmt: skip
        logits = network(**encoded).logits[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([pair[2] for pair in batch]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            seconds = time.perf_counter() - started
            print(f"step {step} of {steps}, loss {loss.item():.3f}, {seconds:.0f} s", flush=True)
    network.eval()
    trainable.save_pretrained(str(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--cache", type=Path, required=True, help="vectors that benchmarks/retrieval.py has kept")
    parser.add_argument("--trained", type=Path, required=True, help="where the cross-encoder is kept")
    arguments = parser.parse_args()
    data, test = collection("scifact", "train"), collection("scifact", "test")
    embedder = recorded("scifact", arguments.model, arguments.cache)
    hybrid = Hybrid([BM25(), Dense(embedder)]).index(data.documents)
    hybrid.fit(list(data.queries.values()), data.relevant)
    if not (arguments.trained / "config.json").is_file():
        found = {id: hybrid.retrieve(question, k=DEEP) for id, question in data.queries.items()}
        train(arguments.model, pairs_of(data, found), arguments.trained)

    reranker = CrossEncoder(str(arguments.trained), device="cpu")
    started = time.perf_counter()
    base, alone, together = list[float](), list[float](), list[float]()
    for id, question in test.queries.items():
        hits = hybrid.retrieve(question, k=100)
        first = reranker.rerank(question, hits[:FETCH], k=FETCH)
        ranks = {hit.document.id: rank for rank, hit in enumerate(first)}
        fused = sorted(hits[:FETCH], key=lambda hit: ranks[hit.document.id] + hits.index(hit))
        for quality, ranked in ((base, hits), (alone, first), (together, fused)):
            quality.append(ndcg([hit.document.id for hit in ranked], test.gains[id]))
    milliseconds = 1e3 * (time.perf_counter() - started) / len(test.queries)
    print(f"{'fitted Hybrid':32}{mean(base):7.3f}")
    print(
        f"{f'CrossEncoder over {FETCH}':32}{mean(alone):7.3f}  {paired_difference(base, alone)}  {milliseconds:.0f} ms"
    )
    print(f"{'ranks of both, added':32}{mean(together):7.3f}  {paired_difference(base, together)}")


if __name__ == "__main__":
    main()
