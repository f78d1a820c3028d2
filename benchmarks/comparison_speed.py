"""How long the comparison of stored results takes: 20 variants on 1,000 samples, with Holm's correction.

    python benchmarks/comparison_speed.py [--samples 1000] [--variants 20] [--json PATH]

Goal: under 2 s for every kind of metric. Four kinds, since they take different tests: 0/1 (McNemar's exact test),
continuous (permutation of 1,000 signs), continuous in groups of 5 (permutation of 200 signs), and verdict shares such
as 2/3, which tie often. The reports are made beforehand; reading them from JSON is timed apart.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llmopt.evaluation import Report, Row
from llmopt.evaluation.comparison import with_holm
from llmopt.types import Sample, Score

KINDS = ("0/1", "continuous", "continuous, groups of 5", "shares of verdicts")
GOAL_SECONDS = 2.0


def values_of(kind: str, samples: int, seed: int) -> Sequence[float]:
    """Return the scores of one variant; variants correlate, as answers to the same questions do."""
    hard, own = np.random.default_rng(0).random(samples), np.random.default_rng(seed).random(samples)
    mixed = 0.7 * hard + 0.3 * own
    if kind == "0/1":
        return [float(value < 0.6) for value in mixed]
    if kind == "shares of verdicts":
        return [round(value * 3) / 3 for value in mixed]
    return [float(value) for value in mixed]


def report_of(kind: str, samples: int, seed: int) -> Report:
    """Return a stored report."""
    groups = [f"g{number // 5}" if "groups" in kind else "" for number in range(samples)]
    rows = [
        Row(Sample(question=f"question {number}?", id=str(number), group=groups[number]), {"metric": Score(value)})
        for number, value in enumerate(values_of(kind, samples, seed))
    ]
    return Report(tuple(rows), ("metric",), f"variant {seed}")


def seconds_of(kind: str, samples: int, variants: int) -> float:
    """Return how long all comparisons with the first variant take, and their correction."""
    baseline, *others = (report_of(kind, samples, seed) for seed in range(variants + 1))
    begun = time.perf_counter()
    with_holm([other.compare(baseline, "metric") for other in others])
    return time.perf_counter() - begun


def reading_seconds(samples: int, variants: int) -> float:
    """Return how long reading the reports takes."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{seed}.json" for seed in range(variants)]
        for seed, path in enumerate(paths):
            report_of("continuous", samples, seed).to_json(path)
        begun = time.perf_counter()
        for path in paths:
            Report.from_json(path)
        return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--variants", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {kind: min(seconds_of(kind, options.samples, options.variants) for _ in range(3)) for kind in KINDS}
    for kind, seconds in found.items():
        print(f"{kind:<26} {seconds:7.3f} s   {'ok' if seconds < GOAL_SECONDS else 'over'}")
    reading = reading_seconds(options.samples, options.variants)
    print(f"{'reading them from JSON':<26} {reading:7.3f} s")
    if options.json:
        options.json.write_text(json.dumps({"seconds": found, "reading": reading}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
