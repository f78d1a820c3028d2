"""The four metrics through a local server: wall time, CPU, requests, characters, and what faults leave over.

    python benchmarks/evaluation.py [--samples 200] [--json benchmarks/results/evaluation.json]

200 samples of 4 contexts, a judge's server of 50 ms in a process of its own, 64 requests in flight. Goals, with
the figures of other tools on a machine of the same kind: at most a sixth of the wall time of the fastest Ragas
configuration (12.7 s), below the 4.2 s that the bare openai client needs for Ragas' own prompts, at most a fifth
of its CPU (11.1 s), at most 5 chat requests and 1 embedding request per sample, at most 40 % of its 38,900 prompt
characters, and within 1.6 of requests x latency / in flight with the extra `fast`. Under faults (10 % 429, 5 % 500,
2 % malformed JSON, 1 % resets) all scores must come, three times in a row.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from llmopt.evaluation import (
    AnswerRelevancy,
    ContextPrecision,
    ContextRecall,
    Evaluator,
    Faithfulness,
    ModelJudge,
    Report,
)
from llmopt.models import chat_model, embedder
from llmopt.testing.server import Fault, server_statistics, spawn_server
from llmopt.types import Sample

LATENCY, IN_FLIGHT, CONTEXTS = 0.05, 64, 4
WORDS = re.findall(r"\w+", "the rain falls on the old town in spring while people walk home under trees and lamps")
FAULTS = (
    Fault("rate_limit", rate=0.10, retry_after=0.2),
    Fault("server_error", rate=0.05),
    Fault("malformed_content", rate=0.02, path="/v1/chat/completions"),
    Fault("reset", rate=0.01),
)


def reply(body: Mapping[str, object]) -> str:
    """Judge by what is asked, always in the right form."""
    messages = cast("Sequence[Mapping[str, str]]", body["messages"])
    asked = messages[-1]["content"]
    form = asked[asked.rindex("Form:") :]
    ids = re.findall(r"\d+", found.group(1)) if (found := re.search(r"each id of ([\d, ]+)\.", asked)) else ["1"]
    if '"claims"' in form:
        return json.dumps({"claims": ["The rain falls on the town.", "People walk home.", "It is spring."]})
    if '"questions"' in form:
        implied = [{"question": f"What falls on the town, {number}?", "noncommittal": 0} for number in range(3)]
        return json.dumps({"questions": implied})
    if '"statements"' in form:
        statement = {"statement": "The rain falls.", "reason": "It is said.", "verdict": 1}
        return json.dumps({"statements": [statement, {**statement, "verdict": 0}]})
    return json.dumps({"verdicts": [{"id": int(n), "reason": "It is said.", "verdict": int(n) % 2} for n in ids]})


def samples(count: int) -> list[Sample]:
    chance = random.Random(0)

    def text(words: int) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(words)) + "."

    return [
        Sample(
            question=f"What about case {number}: {text(10)}",
            answer=f"{text(20)} {text(20)}",
            contexts=[text(90) for _ in range(CONTEXTS)],
            reference=text(25),
        )
        for number in range(count)
    ]


def evaluator(base_url: str) -> Evaluator:
    judge = ModelJudge(chat_model("judge", base_url=base_url, api_key="none", concurrency=IN_FLIGHT, attempts=10))
    vectors = embedder("vectors", base_url=base_url, api_key="none")
    metrics = [Faithfulness(judge), AnswerRelevancy(judge, vectors), ContextPrecision(judge), ContextRecall(judge)]
    return Evaluator(metrics, concurrency=IN_FLIGHT, progress=False, prompts=True)


def characters(report: Report) -> float:
    sizes = [sum(len(m.content) for call in row.calls for m in call.messages) for row in report]
    return sum(sizes) / len(sizes)


def scored(report: Report) -> int:
    return sum(summary.scored for summary in report.summaries())


def timed(base_url: str, set_of: list[Sample], journal: Path | None) -> tuple[Report, dict[str, float]]:
    measure = evaluator(base_url)
    measure.run(set_of[:1])  # imports and connections
    server_statistics(base_url, reset=True)
    cpu, start = time.process_time(), time.perf_counter()
    report = measure.run(set_of, journal=journal)
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    seen = server_statistics(base_url)
    floor = seen.requests * LATENCY / IN_FLIGHT
    return report, {
        "wall s": wall,
        "CPU s": used,
        "CPU ms per request": 1000 * used / seen.requests,
        "requests per sample": seen.requests / len(set_of),
        "in flight at most": seen.max_in_flight,
        "requests x latency / in flight, s": floor,
        "wall / that": wall / floor,
        "scores": scored(report),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    set_of = samples(arguments.samples)
    here = f"{__file__}:reply"
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, spawn_server(here, latency=LATENCY) as url:
        report, plain = timed(url, set_of, None)
        figures["plain"] = {**plain, "prompt characters per sample": characters(report)}
        figures["with a journal"] = timed(url, set_of, Path(folder) / "journal")[1]
    faults: list[dict[str, float]] = []
    for seed in range(3):
        with spawn_server(here, latency=LATENCY, faults=FAULTS, seed=seed) as url:
            faults.append(timed(url, set_of, None)[1])
    figures["with faults"] = faults
    for name, value in figures.items():
        for number, row in enumerate(cast("list[dict[str, float]]", value if isinstance(value, list) else [value]), 1):
            print(name, number if isinstance(value, list) else "")
            for what, figure in row.items():
                print(f"  {what}: {figure:,.3f}".rstrip("0").rstrip("."))
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
