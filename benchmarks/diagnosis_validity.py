"""The diagnosis' validity: does it find the causes that were planted?

    python benchmarks/diagnosis_validity.py                     # 200 worlds, about 10 minutes on 2 cores
    python benchmarks/diagnosis_validity.py --worlds 20
    python benchmarks/diagnosis_validity.py --json benchmarks/results/diagnosis_validity.json

Every world is a corpus, an index, a pipeline and a simulated reader (`llmopt.testing.worlds`) with causes planted at
random: how many questions (60, 120 or 240), which of the eleven causes (3 to 8 of them) and how often (25 to 60 % of
the questions together), how good the reader is (right 0.75 to 1 with what it needs, lucky 0 to 0.2 without,
the same or varying from question to question), whether the samples name their evidence or only the
document's id. `diagnose` sees none of that. The true share of a cause is what share of all questions of such
worlds fails for it; "noise" is the share of questions with nothing wrong that the reader fails by chance.

A share is recovered when its interval holds the true share; a cause that is not in the table counts as
recovered when so many samples would show none of it in 1 of 40 cases at most. A world is recovered when all of its
twelve shares are. "Labels counted" is the plain way: the likeliest cause of each sample counted, with Wilson's
interval at the same level, as if no reading were ever by chance.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from llmopt._stats import Estimate
from llmopt._stats import share as wilson
from llmopt.experiments.diagnosis import AXIS_OF, Cause, Diagnosis, diagnose
from llmopt.testing.worlds import PLANTABLE, Skill, World, make_world

CAUSES: tuple[Cause, ...] = (*PLANTABLE, "noise")
TARGET = 0.93


@dataclass
class Tally:
    """Shares looked at, and how many of them their interval held."""

    held: int = 0
    seen: int = 0
    width: list[float] = field(default_factory=list)

    def add(self, *, holds: bool, width: float = 0.0) -> None:
        """Count one."""
        self.held, self.seen = self.held + holds, self.seen + 1
        self.width.append(width)

    def __str__(self) -> str:
        """Write it as in the table."""
        return f"{self.held}/{self.seen} {self.held / max(1, self.seen):.3f}"


def draw(number: int) -> tuple[World, str]:
    """Return a world drawn at random, with the name of its reader's quality."""
    random = np.random.default_rng([7, number])
    order: list[int] = random.permutation(len(PLANTABLE)).tolist()
    causes: list[Cause] = [PLANTABLE[at] for at in order[: int(random.integers(3, 9))]]
    weights = random.dirichlet(np.ones(len(causes))) * random.uniform(0.25, 0.6)
    planted: dict[Cause, float] = {cause: float(weight) for cause, weight in zip(causes, weights, strict=True)}
    right, luck = [(1.0, 0.0), (0.97, 0.02), (0.9, 0.05), (0.8, 0.1), (0.75, 0.2)][int(random.integers(5))]
    skill = Skill(right, luck, float(random.choice([0.0, 0.1])) if right < 1 else 0.0)
    world = make_world(
        planted,
        samples=int(random.choice([60, 120, 240])),
        skill=skill,
        evidence=bool(random.integers(2)),
        seed=number,
    )
    return replace(world, samples=[replace(sample, category="all") for sample in world.samples]), f"{right}/{luck}"


def interval(diagnosis: Diagnosis, cause: Cause) -> tuple[float, float]:
    """Return the ends of a share's interval; of a cause that does not occur, from 0 to what would have shown."""
    found: Estimate = diagnosis.share(cause)
    if found.low is None or found.high is None:
        return 0.0, 1 - (1 / 40) ** (1 / diagnosis.total)
    return found.low, found.high


def counted(diagnosis: Diagnosis, cause: Cause) -> tuple[float, float]:
    """Return Wilson's interval of the share of labels, each sample's likeliest cause, wide enough for all at once."""
    level = 1 - 0.05 / max(1, len(diagnosis.shares))
    found = wilson(len(diagnosis.by_cause(cause)), diagnosis.total, level=level)
    return found.low or 0.0, found.high or 0.0


def run(worlds: int, repeats: int) -> Mapping[str, object]:
    """Diagnose the worlds and print what was recovered."""
    by_cause: dict[str, Tally] = defaultdict(Tally)
    by_reader: dict[str, Tally] = defaultdict(Tally)
    together, axes, plain, plain_together = Tally(), Tally(), Tally(), Tally()
    right_label = [0, 0]
    started = time.perf_counter()
    for number in range(worlds):
        world, reader = draw(number)
        diagnosis = diagnose(
            world.pipeline, world.samples, world.evaluator, "exact_match",
            corpus=world.documents, judge=world.judge, repeats=repeats, seed=number,
        )  # fmt: skip
        held = check(world, diagnosis, by_cause)
        together.add(holds=held)
        by_reader[reader].add(holds=held)
        labelled = [_holds(counted(diagnosis, cause), world.shares.get(cause, 0.0)) for cause in CAUSES]
        for each in labelled:
            plain.add(holds=each)
        plain_together.add(holds=all(labelled))
        check_axes(world, diagnosis, axes)
        wanted = [world.planted[finding.sample.id] or "noise" for finding in diagnosis]
        right_label[0] += sum(cause == finding.cause for cause, finding in zip(wanted, diagnosis, strict=True))
        right_label[1] += len(wanted)
    took = time.perf_counter() - started
    everything = list(by_cause.values())
    shares = Tally(sum(tally.held for tally in everything), sum(tally.seen for tally in everything))
    show(by_cause, by_reader, {"each share": shares, "all shares of a world": together, "axes": axes})
    print(f"labels right: {right_label[0]}/{right_label[1]} {right_label[0] / right_label[1]:.3f}")
    print(f"labels counted instead: each share {plain}, all shares of a world {plain_together}")
    print(
        f"{worlds} worlds in {took:.0f} s; target {TARGET}: {'met' if together.held >= TARGET * worlds else 'MISSED'}"
    )
    return {
        "worlds": worlds,
        "repeats": repeats,
        "all shares of a world": together.held / together.seen,
        "each share": shares.held / shares.seen,
        "axes": axes.held / axes.seen,
        "labels right": right_label[0] / right_label[1],
        "labels counted, each share": plain.held / plain.seen,
        "labels counted, all shares of a world": plain_together.held / plain_together.seen,
        "by cause": {cause: tally.held / tally.seen for cause, tally in by_cause.items()},
        "mean width by cause": {cause: float(np.mean(tally.width)) for cause, tally in by_cause.items()},
        "by reader": {reader: tally.held / tally.seen for reader, tally in sorted(by_reader.items())},
    }


def check(world: World, diagnosis: Diagnosis, by_cause: dict[str, Tally]) -> bool:
    """Return whether all shares of a world are within their intervals."""
    held = True
    for cause in CAUSES:
        low, high = interval(diagnosis, cause)
        holds = _holds((low, high), world.shares.get(cause, 0.0))
        by_cause[cause].add(holds=holds, width=high - low)
        held = held and holds
    return held


def check_axes(world: World, diagnosis: Diagnosis, axes: Tally) -> None:
    """Count the axes whose share is within its interval."""
    for axis, found in diagnosis.axes.items():
        truth = sum(share for cause, share in world.shares.items() if AXIS_OF[cause] == axis)
        axes.add(holds=_holds((found.low or 0.0, found.high or 0.0), truth))


def show(by_cause: Mapping[str, Tally], by_reader: Mapping[str, Tally], totals: Mapping[str, Tally]) -> None:
    """Print the tables."""
    for cause, tally in by_cause.items():
        print(f"{cause:22s} {tally}  mean width {np.mean(tally.width):.3f}")
    for reader, tally in sorted(by_reader.items()):
        print(f"reader {reader:10s} worlds recovered {tally}")
    for name, tally in totals.items():
        print(f"{name:22s} {tally}")


def _holds(ends: tuple[float, float], truth: float) -> bool:
    return ends[0] - 1e-12 <= truth <= ends[1] + 1e-12


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    found = run(chosen.worlds, chosen.repeats)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
