"""The four metrics through a local server: wall time, CPU, requests, characters, and what faults leave over.

    python benchmarks/evaluation.py [--samples 200] [--peers PYTHON] [--json benchmarks/results/evaluation.json]

With `--peers` the same server also serves Ragas, DeepEval and the bare openai client with Ragas's prompts, each in
a process of the interpreter that is named and where it is installed there. An environment for it:
`pip install "ragas==0.4.3" "langchain-community<0.4" langchain-openai deepeval "llmopt[fast]"`.

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
import re
import subprocess
import sys
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
from llmopt.testing.server import Fault, Reply, server_statistics, spawn_server
from llmopt.types import Sample

sys.path.insert(0, str(Path(__file__).parent))
from evaluation_data import samples
from evaluation_peers import peer_reply

LATENCY, IN_FLIGHT = 0.05, 64
FAULTS = (
    Fault("rate_limit", rate=0.10, retry_after=0.2),
    Fault("server_error", rate=0.05),
    Fault("malformed_content", rate=0.02, path="/v1/chat/completions"),
    Fault("reset", rate=0.01),
)


PEERS = Path(__file__).with_name("evaluation_peers.py")
RUNS = ("ours", "ours-httpx", "bare", "ragas-collections", "ragas-legacy", "deepeval")
NEEDS = {"bare": "ragas", "ragas-collections": "ragas", "ragas-legacy": "ragas", "deepeval": "deepeval"}


def reply(body: Mapping[str, object]) -> Reply | str:
    """Judge by what is asked, always in the right form; others' prompts are told by having no such form."""
    messages = cast("Sequence[Mapping[str, object]]", body["messages"])
    asked = str(messages[-1]["content"])
    if not str(messages[0]["content"]).startswith("Judge texts literally"):
        return peer_reply(body)
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


def compared(python: str, count: int, folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Return the figures of every tool that is installed there, the fastest of the rounds (DeepEval: of one)."""
    found: dict[str, dict[str, float]] = {}
    bodies = folder / "bodies.json"
    with spawn_server(f"{__file__}:reply", latency=LATENCY) as url:
        for name in [name for _ in range(rounds) for name in RUNS]:
            slow_again = name == "deepeval" and name in found
            if slow_again or (name in NEEDS and is_missing(python, NEEDS[name])):
                continue
            if name == "bare" and not bodies.exists():
                peer(python, "record", url, count, bodies)
            server_statistics(url, reset=True)
            figures = cast("dict[str, float]", json.loads(peer(python, name, url, count, bodies).splitlines()[-1]))
            seen = server_statistics(url)
            figures["requests per sample"] = seen.requests / (count + (name != "bare"))  # warmed up on one more
            figures["in flight at most"] = seen.max_in_flight
            figures["wall / (requests x latency / in flight)"] = figures["wall s"] / (
                figures["requests per sample"] * count * LATENCY / IN_FLIGHT
            )
            if name not in found or figures["wall s"] < found[name]["wall s"]:
                found[name] = figures
    return found


def peer(python: str, name: str, url: str, count: int, bodies: Path) -> str:
    command = [python, str(PEERS), name, url, str(count), "--bodies", str(bodies)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def is_missing(python: str, package: str) -> bool:
    probe = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    return subprocess.run([python, "-c", probe], check=False).returncode != 0


def targets(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Say of each goal whether it was reached in this run."""
    mine, lines = found["ours"], list[str]()

    def goal(words: str, value: float, limit: float) -> None:
        lines.append(f"{'reached' if value <= limit else 'MISSED'}: {words}: {value:.3f}, goal {limit:.3f}")

    goal("wall / (requests x latency / in flight)", mine["wall / (requests x latency / in flight)"], 1.6)
    others = [found[name]["wall s"] for name in ("ragas-legacy", "ragas-collections") if name in found]
    if others:
        goal("wall beside the fastest Ragas", mine["wall s"] / min(others), 1 / 6)
    if "bare" in found:
        goal("wall beside the bare client with Ragas's prompts", mine["wall s"] / found["bare"]["wall s"], 1.0)
    if "ragas-legacy" in found:
        goal("CPU beside legacy Ragas", mine["CPU s"] / found["ragas-legacy"]["CPU s"], 1 / 5)
    return lines


def shown(figures: Mapping[str, object]) -> None:
    for name, value in figures.items():
        for number, row in enumerate(cast("list[dict[str, float]]", value if isinstance(value, list) else [value]), 1):
            print(name, number if isinstance(value, list) else "")
            for what, figure in row.items():
                print(f"  {what}: {figure:,.3f}".rstrip("0").rstrip("."))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peers", metavar="PYTHON", help="compare with what is installed beside this interpreter")
    parser.add_argument("--rounds", type=int, default=3, help="of the comparison; the fastest counts")
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
    found: dict[str, dict[str, float]] = {}
    if arguments.peers:
        with tempfile.TemporaryDirectory() as folder:
            found = compared(arguments.peers, arguments.samples, Path(folder), arguments.rounds)
    shown({**figures, **found})
    print(*(targets(found) if found else []), sep="\n")
    figures |= found
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
