"""A million samples with verdicts through the four formulas: samples per second, and memory that stays.

    python benchmarks/verdict_stream.py [--samples 1000000] [--json benchmarks/results/verdict_stream.json]

Goal: at least 20,000 samples per second in constant memory. The second line reads the verdicts from a file of
JSON lines; its floor is what `json.loads` alone takes for the same lines.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from llmopt.evaluation import Judged, read_judged, summarise_judged

DIFFERENT = 1000


def pool() -> list[Judged]:
    chance = random.Random(0)
    return [
        Judged(
            id=str(number),
            claims=[chance.random() < 0.8 for _ in range(5)],
            contexts=[chance.random() < 0.5 for _ in range(4)],
            statements=[chance.random() < 0.7 for _ in range(3)],
            cosines=[chance.random() for _ in range(3)],
            noncommittal=[False, False, False],
        )
        for number in range(DIFFERENT)
    ]


def peak_kilobytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def stream(count: int, samples: list[Judged]) -> Iterator[Judged]:
    return (samples[number % DIFFERENT] for number in range(count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    count, samples = arguments.samples, pool()
    summarise_judged(stream(DIFFERENT, samples))
    before = peak_kilobytes()
    in_memory = count / timed(lambda: summarise_judged(stream(count, samples)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "verdicts.jsonl"
        lines = [json.dumps(asdict(judged)) + "\n" for judged in samples]
        with path.open("w") as file:
            file.writelines(lines[number % DIFFERENT] for number in range(count))
        from_file = count / timed(lambda: summarise_judged(read_judged(path)))
        with path.open() as file:
            floor = count / timed(lambda: [None for line in file if json.loads(line) is None])
    figures = {
        "samples": count,
        "formulas alone, samples/s": round(in_memory),
        "from a file, samples/s": round(from_file),
        "json.loads of the same lines, lines/s": round(floor),
        "memory grown by, kB": peak_kilobytes() - before,
    }
    for name, value in figures.items():
        print(f"{name}: {value:,}")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
