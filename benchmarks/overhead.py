"""Processor time of a model call: the bare openai client, the adapter, and the whole stack of wrappers.

    python benchmarks/overhead.py --json benchmarks/results/overhead.json

A local server in a process of its own answers at once. The variants take turns in small blocks, so that noise
hits all of them alike; figures are medians over the blocks, differences medians of the differences of
neighbouring blocks. With `openai[aiohttp]` (the extra `fast`) installed both transports are measured.

Targets: the whole stack, cache off, at most 0.3 ms above the bare client with its usual transport; with the
aiohttp transport at most 1.2 ms in all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import openai

from llmopt._trace import record
from llmopt.models import OpenAIChat
from llmopt.models.pricing import Price
from llmopt.models.stack import wrap
from llmopt.models.wrappers.budget import Budget
from llmopt.testing.server import spawn_server
from llmopt.types import Message, Options

Call = Callable[[], Awaitable[object]]
Measured = Mapping[str, Sequence[float]]
Kind = Literal["httpx", "aiohttp"]

BARE, ADAPTER, USUAL, WHOLE = "bare openai client", "OpenAIChat", "usual stack", "whole stack, traced"
MOST_ABOVE_BARE, MOST_WITH_FAST = 0.3, 1.2
MODEL = "gpt-6-luna"
PROMPT = "What does the grammar of the language say about the order of evaluation? " * 20


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: milliseconds of processor time per call."""

    transport: str
    variant: str
    median: float
    low: float
    high: float
    above_bare: float
    ratio: float


def transports() -> list[Kind]:
    """Return the transports that are installed."""
    try:
        asyncio.run(openai.DefaultAioHttpClient().aclose())
    except (AttributeError, RuntimeError):
        return ["httpx"]
    return ["httpx", "aiohttp"]


def bare_call(client: openai.AsyncOpenAI) -> Call:
    """Return the call as a user of the openai package writes it."""

    async def bare() -> object:
        reply = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": PROMPT}], temperature=0, max_completion_tokens=500
        )
        return reply.choices[0].message.content

    return bare


def our_calls(base_url: str, transport: Kind) -> Mapping[str, Call]:
    """Return the same call through the adapter and through the stacks."""
    messages, options = [Message("user", PROMPT)], Options(temperature=0, max_tokens=500)
    chat = OpenAIChat(MODEL, base_url=base_url, transport=transport, prices=Price(1.0, 4.0))
    usual = wrap(chat)
    budget = Budget(calls=10**9, tokens=10**12, dollars=1e6)
    whole = wrap(chat, budget=budget, requests_per_minute=1e9, tokens_per_minute=1e12)

    async def traced() -> object:
        with record("benchmark", "benchmark"):
            return (await whole.acomplete(messages, options)).text

    return {
        ADAPTER: lambda: chat.acomplete(messages, options),
        USUAL: lambda: usual.acomplete(messages, options),
        WHOLE: traced,
    }


async def measure(calls: Mapping[str, Call], blocks: int, size: int) -> Measured:
    """Return the milliseconds per call of every block of every variant."""
    for call in calls.values():  # connections, lazy imports, caches
        await block(call, size)
    milliseconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(blocks):
        names = list(calls) if number % 2 == 0 else list(calls)[::-1]
        for name in names:
            milliseconds[name].append(await block(calls[name], size))
    return milliseconds


async def block(call: Call, size: int) -> float:
    started = time.process_time()
    for _ in range(size):
        await call()
    return (time.process_time() - started) / size * 1000


async def run(base_url: str, transport: Kind, blocks: int, size: int) -> Measured:
    http_client = openai.DefaultAioHttpClient() if transport == "aiohttp" else None
    async with openai.AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0, http_client=http_client) as client:
        return await measure({BARE: bare_call(client), **our_calls(base_url, transport)}, blocks, size)


def rows(transport: str, measured: Measured) -> list[Row]:
    floor = statistics.median(measured[BARE])
    lines: list[Row] = []
    for name, values in measured.items():
        low, median, high = statistics.quantiles(values, n=4)
        above = statistics.median(mine - bare for mine, bare in zip(values, measured[BARE], strict=True))
        lines.append(Row(transport, name, median, low, high, above, median / floor))
    return lines


def show(table: Sequence[Row], blocks: int, size: int) -> None:
    print(f"Processor time of one call, ms; medians of {blocks} blocks of {size} calls, quartiles in brackets")
    print(f"{'transport':10}{'variant':22}{'ms':>7}{'':16}{'above bare':>12}{'ratio':>8}")
    for row in table:
        spread = f"[{row.low:.2f}, {row.high:.2f}]"
        print(f"{row.transport:10}{row.variant:22}{row.median:7.2f} {spread:15}{row.above_bare:+12.2f}{row.ratio:8.2f}")
    for row in table:
        if row.variant == WHOLE and row.transport == "httpx":
            verdict(f"whole stack above the bare client: {row.above_bare:+.2f} ms", row.above_bare, MOST_ABOVE_BARE)
        if row.variant == WHOLE and row.transport == "aiohttp":
            verdict(f"whole stack with the extra `fast`: {row.median:.2f} ms in all", row.median, MOST_WITH_FAST)


def verdict(words: str, value: float, most: float) -> None:
    print(f"{words}, at most {most}: {'reached' if value <= most else 'MISSED'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--blocks", type=int, default=20, help="blocks per variant")
    parser.add_argument("--size", type=int, default=50, help="calls per block")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    blocks, size, path = int(arguments.blocks), int(arguments.size), arguments.json
    table: list[Row] = []
    with spawn_server() as base_url:
        for transport in transports():
            table += rows(transport, asyncio.run(run(base_url, transport, blocks, size)))
    show(table, blocks, size)
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        versions = {"openai": openai.__version__, "python": platform.python_version()}
        report = {"versions": versions, "blocks": blocks, "size": size, "rows": [asdict(row) for row in table]}
        path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
