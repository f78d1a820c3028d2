"""How often improving instructions claims a gain: where there is none, and where one proposal in four is better.

    python benchmarks/improve.py

A stand-in model answers right by chance, the same for the same instructions and question, so that instructions
differ by luck alone or by a known gain. A search is three rounds of four proposals on 100 samples, 40 of them
held out. Reported are the searches in which a proposal led the race, and those whose winner was better than
the baseline beyond its error bar on the samples held out: without a gain at most 2.5 in 100 should be.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
from collections.abc import Sequence

from llmopt.evaluation import Evaluator, ExactMatch
from llmopt.experiments import Race, RaceResult, improve_instructions
from llmopt.pipeline import Pipeline
from llmopt.prompting import Direct
from llmopt.testing import FakeModel
from llmopt.types import Message, Sample

SAMPLES = [Sample(question=f"question {number}?", id=f"s{number}", reference="yes") for number in range(100)]
GAINS = (0.0, 0.2, 0.3)


def search(seed: int, gain: float) -> RaceResult:
    """Run one search; every fourth proposal is right by so much more often than the baseline's half."""
    numbers = itertools.count()

    def propose(_messages: Sequence[Message]) -> str:
        number = next(numbers)
        return json.dumps({"instructions": [f"search {seed}, round {number}, proposal {each}" for each in range(4)]})

    def answer(messages: Sequence[Message]) -> str:
        instructions, question = messages
        share = 0.5 + gain * instructions.content.endswith("proposal 2")
        return "yes" if random.Random(f"{instructions.content} {question.content}").random() < share else "no"

    pipeline = Pipeline(model=FakeModel(answer), prompt=Direct(f"search {seed}"))
    race = Race(Evaluator([ExactMatch()], progress=False), "exact_match", batch=8, seed=seed)
    return improve_instructions(race, pipeline, SAMPLES, FakeModel(propose), candidates=4, rounds=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--searches", type=int, default=100, help="searches per gain")
    arguments = parser.parse_args()
    print(f"{'gain':>6}{'searches':>10}{'led':>6}{'reported better':>17}{'runs each':>11}")
    for gain in GAINS:
        results = [search(seed, gain) for seed in range(arguments.searches)]
        led, better = sum(bool(each.winner) for each in results), sum(each.improved for each in results)
        runs = statistics.mean(each.runs for each in results)
        print(f"{gain:6.1f}{len(results):10}{led:6}{better:17}{runs:11.0f}")


if __name__ == "__main__":
    main()
