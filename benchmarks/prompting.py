"""What prompt strategies cost beside the model: processor time, latency, and the search for examples.

    python benchmarks/prompting.py --json benchmarks/results/prompting.json

- Overhead: processor time of `arun` with a model that answers at once, less that of the bare model call, at
  5 contexts of 500 tokens; variants take turns in blocks, the figures are medians over the blocks.
- Latency: self-consistency with ten samples against a single call and against ten bare calls at once, over a
  local server that takes 50 ms; the best of the rounds beside the median, because a busy machine delays ten
  calls more than one, and the processor time, which says where the difference to one call comes from: the
  client's ten requests. `pip install llmopt[fast]` halves it.
- Nearest examples: `FewShot.prepare` over 100,000 examples against the bare matrix product of numpy; lower
  quartiles of alternating rounds.
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
from pydantic import BaseModel

from llmopt.interfaces import ChatModel, Embedder, PromptStrategy
from llmopt.models import OpenAIChat
from llmopt.prompting import (
    ChainOfThought,
    Direct,
    FewShot,
    Grounded,
    ReAct,
    Repair,
    SelfConsistency,
    Shot,
    Structured,
    Template,
    Tool,
)
from llmopt.retrieval import Dense
from llmopt.testing.server import spawn_server
from llmopt.types import Completion, Document, Hit, Matrix, Message, Options, TextKind, Usage

MOST_MILLISECONDS = 0.3
MOST_TIMES_PRODUCT = 1.2
QUESTION = "What does the grammar say about the order of evaluation?"
SENTENCE = "the value of an expression is evaluated from left to right unless the grammar says "  # 15 tokens
CONTEXTS = [Hit(Document(f"d{rank}", f"{rank} {SENTENCE * 33}"), -float(rank)) for rank in range(5)]
SHOTS = [Shot(f"What is example {number} about?", f"It is about {number}.") for number in range(4)]


class Instant(ChatModel):
    """Answers at once."""

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Return the same reply, as JSON where a schema is asked for."""
        text = (
            "Left to right [1].\nAnswer: left to right [1]" if options.schema is None else '{"order": "left to right"}'
        )
        return Completion(text, Usage(2500, 10, calls=1), cost=0.0)


class Ruling(BaseModel):
    """What the grammar says."""

    order: str


def look(word: str) -> str:
    """Look a word up."""
    return word


class Randomly(Embedder):
    """Unit rows at random, the same for the same number of texts drawn before: only the time counts."""

    def __init__(self, dimensions: int = 384) -> None:
        self.dimensions = dimensions
        self._random = np.random.default_rng(7)

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return random rows."""
        return self._random.standard_normal((len(texts), self.dimensions), dtype=np.float32)


def passes(answer: str) -> str | None:
    """Find nothing wrong."""
    return None if answer else "empty"


def strategies() -> Mapping[str, PromptStrategy]:
    return {
        "Direct": Direct("Be brief."),
        "Grounded": Grounded(),
        "Grounded, budget": Grounded(max_context_tokens=10_000),
        "Grounded, budget reached": Grounded(max_context_tokens=1_500),
        "Template": Template("{contexts}\n\n{question}"),
        "ChainOfThought": ChainOfThought(Grounded()),
        "FewShot": FewShot(Grounded(), SHOTS),
        "ChainOfThought(FewShot)": ChainOfThought(FewShot(Grounded(), SHOTS)),
        "Structured": Structured(Ruling, Grounded()),
        "Repair, nothing wrong": Repair(Grounded(), passes),
        "ReAct, no tool called": ReAct([Tool(look)], Grounded()),
    }


async def overheads(blocks: int, size: int) -> dict[str, float]:
    """Return milliseconds per question beyond the model call."""
    model, variants = Instant(), strategies()

    async def bare() -> object:
        return await model.acomplete([Message("user", QUESTION)])

    def asking(strategy: PromptStrategy) -> Callable[[], Awaitable[object]]:
        return lambda: strategy.arun(model, QUESTION, CONTEXTS)

    calls: dict[str, Callable[[], Awaitable[object]]] = {"": bare}
    calls |= {name: asking(strategy) for name, strategy in variants.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(blocks):
        for name, call in calls.items():
            started = time.process_time()
            for _ in range(size):
                await call()
            taken[name].append((time.process_time() - started) / size * 1000)
    base = statistics.median(taken.pop(""))
    return {name: statistics.median(values) - base for name, values in taken.items()}


async def latencies(base_url: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return milliseconds, of the clock and of the processor, of one call, ten calls and ten samples, alternating."""
    model = OpenAIChat("m", base_url=base_url)
    at_once = SelfConsistency(Direct(), samples=10, early_stop=False)
    early = SelfConsistency(Direct(), samples=10)
    variants: dict[str, Callable[[str], Awaitable[object]]] = {
        "one call": lambda question: Direct().arun(model, question),
        "ten bare calls at once": lambda question: asyncio.gather(*[model.acomplete(question) for _ in range(10)]),
        "ten samples at once": lambda question: at_once.arun(model, question),
        "ten samples, early stop": lambda question: early.arun(model, question),
    }
    taken: dict[str, dict[str, list[float]]] = {name: {"clock": [], "processor": []} for name in variants}
    for number in range(rounds + 2):
        for name, ask in variants.items():
            started, worked = time.perf_counter(), time.process_time()
            await ask(f"question {number}")
            taken[name]["clock"].append((time.perf_counter() - started) * 1000)
            taken[name]["processor"].append((time.process_time() - worked) * 1000)
    return {name: {what: sorted(values[2:]) for what, values in kinds.items()} for name, kinds in taken.items()}


async def nearest(count: int, rounds: int) -> dict[str, float]:
    """Return milliseconds of choosing examples and of the bare product, lower quartiles of alternating rounds."""
    embedder = Randomly()
    shots = [Shot(f"What is example {number} about?", "answer") for number in range(count)]
    strategy = FewShot(Direct(), shots, Dense(embedder), count=4)
    await strategy.prepare(QUESTION)
    matrix = embedder.encode(["x"] * count, kind="document")
    chosen, product = list[float](), list[float]()
    for _ in range(rounds):
        query = embedder.encode([QUESTION], kind="query")[0]
        started = time.perf_counter()
        _ = matrix @ query
        product.append((time.perf_counter() - started) * 1000)
        started = time.perf_counter()
        await strategy.prepare(QUESTION)
        chosen.append((time.perf_counter() - started) * 1000)
    values = {"choose 4 examples": chosen, "bare matrix product": product}
    return {name: statistics.quantiles(taken, n=4)[0] for name, taken in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--blocks", type=int, default=15, help="blocks per variant")
    parser.add_argument("--size", type=int, default=100, help="questions per block")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of the latencies and of the search")
    parser.add_argument("--examples", type=int, default=100_000, help="examples to choose from")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    overhead = asyncio.run(overheads(arguments.blocks, arguments.size))
    print(f"milliseconds beyond the model call, 5 contexts of 500 tokens (at most {MOST_MILLISECONDS})")
    for name, milliseconds in overhead.items():
        print(f"  {name:28}{milliseconds:8.3f}")
    with spawn_server(latency=0.05) as base_url:
        latency = asyncio.run(latencies(base_url, arguments.rounds))
    print("milliseconds against a server that takes 50")
    for name, taken in latency.items():
        clock, processor = taken["clock"], statistics.median(taken["processor"])
        print(f"  {name:28}{statistics.median(clock):8.1f}{clock[0]:8.1f} at best{processor:8.1f} of the processor")
    search = asyncio.run(nearest(arguments.examples, 4 * arguments.rounds))
    ratio = search["choose 4 examples"] / search["bare matrix product"]
    print(
        f"nearest of {arguments.examples:,} examples, 384 dimensions (at most {MOST_TIMES_PRODUCT} times the product)"
    )
    for name, milliseconds in search.items():
        print(f"  {name:28}{milliseconds:8.2f}")
    print(f"  {'ratio':28}{ratio:8.2f}")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        found = {"overhead_ms": overhead, "latency_ms": latency, "search_ms": search, "search_ratio": ratio}
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
