"""A whole RAG query through a pipeline beside the same requests by the plain openai client and numpy.

    python benchmarks/rag_query.py --json benchmarks/results/rag_query.json

10,000 vectors of 384 dimensions, k = 4, a local server without latency in a process of its own. Both sides embed
the question by one request, take the top 4 by one matrix product, and ask the model by one request with the same
prompt. They take turns in small blocks; figures are medians over the blocks.

Target: at most 1.15 of the plain code, tracing on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openai

from llmopt.interfaces import Embedder
from llmopt.models import OpenAIChat, OpenAIEmbedder
from llmopt.pipeline import Pipeline
from llmopt.prompting import Grounded
from llmopt.retrieval import Dense
from llmopt.testing.server import spawn_server
from llmopt.types import Document, Hit, Matrix, TextKind

DOCUMENTS, DIMENSIONS, K = 10_000, 384, 4
TARGET = 1.15
Row = npt.NDArray[np.float32]
Query = Callable[[str], Awaitable[object]]


class Prepared(Embedder):
    """Documents have their rows already; questions go to the server."""

    def __init__(self, rows: Mapping[str, Row], inner: Embedder) -> None:
        self.rows = rows
        self.inner = inner

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Hand out the rows, or ask the server."""
        if kind == "query":
            return await self.inner.aencode(texts, kind=kind)
        return np.stack([self.rows[text] for text in texts])


def plain(client: openai.AsyncOpenAI, rows: Matrix, documents: Sequence[Document]) -> Query:
    """Return the query as one writes it without a library."""

    async def ask(question: str) -> object:
        made = await client.embeddings.create(model="e", input=[question], dimensions=DIMENSIONS)
        query = np.asarray(made.data[0].embedding, np.float32)
        cosines = rows @ (query / np.linalg.norm(query))
        best = np.argpartition(-cosines, K)[:K]
        ranked: list[int] = best[np.argsort(-cosines[best])].tolist()
        chosen = [Hit(documents[place], float(cosines[place])) for place in ranked]
        messages = [{"role": m.role, "content": m.content} for m in Grounded().messages(question, chosen)]
        reply = await client.chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]
        return reply.choices[0].message.content

    return ask


async def measure(base_url: str, blocks: int, size: int) -> dict[str, list[float]]:
    """Return milliseconds per query of every block, wall and processor time of both sides."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(DOCUMENTS, DIMENSIONS)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    documents = [Document(f"d{n}", f"Passage {n} says what there is to say about it. " * 8) for n in range(DOCUMENTS)]
    client = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)
    prepared = {document.text: row for document, row in zip(documents, rows, strict=True)}
    embedder = Prepared(prepared, OpenAIEmbedder("e", base_url=base_url, dimensions=DIMENSIONS))
    retriever = await Dense(embedder).aindex(documents)
    pipeline = Pipeline(model=OpenAIChat("m", base_url=base_url), prompt=Grounded(), retriever=retriever, k=K)
    sides: dict[str, Query] = {"plain": plain(client, rows, documents), "llmopt": pipeline.arun}
    figures: dict[str, list[float]] = {f"{side} {kind}": [] for side in sides for kind in ("wall", "cpu")}
    for block in range(blocks + 1):
        for side, ask in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for number in range(size):
                await ask(f"Question {number} about passage {number * 7}?")
            if block:  # the first one warms up
                figures[f"{side} wall"].append((time.perf_counter() - wall) / size * 1000)
                figures[f"{side} cpu"].append((time.process_time() - cpu) / size * 1000)
    return figures


def main() -> None:
    """Measure, print a table, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=15)
    parser.add_argument("--size", type=int, default=40)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with spawn_server(dimensions=DIMENSIONS) as base_url:
        figures = asyncio.run(measure(base_url, arguments.blocks, arguments.size))
    medians = {name: statistics.median(values) for name, values in figures.items()}
    for name, value in medians.items():
        print(f"{name:14} {value:6.2f} ms a query  ({min(figures[name]):.2f}-{max(figures[name]):.2f})")
    ratios = {
        kind: statistics.median(
            ours / theirs for ours, theirs in zip(figures[f"llmopt {kind}"], figures[f"plain {kind}"], strict=True)
        )
        for kind in ("wall", "cpu")
    }
    print(f"llmopt / plain: wall {ratios['wall']:.2f}, cpu {ratios['cpu']:.2f}; target at most {TARGET}")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps({"milliseconds": medians, "ratios": ratios, "target": TARGET}, indent=1))


if __name__ == "__main__":
    main()
