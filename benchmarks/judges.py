"""Measures judges against human labels: ROC-AUC for "not supported", the floor beside it.

    python benchmarks/judges.py [--sets factscore,begin] [--embedder FOLDER] [--out judges.json]

The floor is the share of the text's distinct words that stand nowhere in the contexts. Whole answers are
split by the judge and count by the mean over their claims, weighted by words; one in which the judge finds
no claim is taken whole. Sets on which weights were fitted are reported
on their other half. Intervals: 95 %, bootstrap over groups (a biography, a document, a task).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmopt._text import words
from llmopt.evaluation import HeuristicJudge
from llmopt.evaluation.agreement import roc_auc
from llmopt.interfaces import Judge

sys.path.insert(0, str(Path(__file__).parent))
from fit_heuristic_judge import FITTED_ON
from judge_data import Case, available, embedder_at, in_fitting_half, load_set, names

SINGLE_CLAIMS = frozenset({"factscore", "mnli", "climate-fever", "scifact"})
RESAMPLES = 400


@dataclass(frozen=True, slots=True)
class Line:
    """One set's figures; every interval is (low, high)."""

    name: str
    n: int
    unsupported: int
    split: str
    auc: float
    auc_interval: tuple[float, float]
    floor: float
    floor_interval: tuple[float, float]
    gain_interval: tuple[float, float]
    accuracy: float
    claims_per_second: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(names()))
    parser.add_argument("--embedder", type=Path, help="folder of an exported model, for OnnxEmbedder")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if not available():
        raise SystemExit("../shared/data is not there: nothing to measure on")
    judge = HeuristicJudge(embedder_at(arguments.embedder))
    lines = [measured(judge, name) for name in arguments.sets.split(",")]
    print(f"HeuristicJudge(embedder={arguments.embedder})")
    print("ROC-AUC for 'not supported', [95 % interval]; balanced accuracy at the judge's threshold")
    print(f"{'set':14} {'n':>5} {'split':9} {'judge':22} {'floor':22} {'gain':18} {'bal.acc':>7} {'claims/s':>9}")
    for line in lines:
        print(shown(line))
    gains = [line.auc - line.floor for line in lines]
    print(f"mean gain {np.mean(gains):+.4f}, worst {min(gains):+.4f}")
    if arguments.out:
        arguments.out.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n", encoding="utf-8")


def measured(judge: Judge, name: str) -> Line:
    cases = load_set(name)
    if name in FITTED_ON:
        cases = [case for case in cases if not in_fitting_half(case)]
    began = time.perf_counter()
    scored = [doubt(judge, case, single=name in SINGLE_CLAIMS) for case in cases]
    seconds = time.perf_counter() - began
    doubts = [value for value, _ in scored]
    floors = [novel_share(case) for case in cases]
    labels = [case.unsupported for case in cases]
    intervals = resampled(cases, doubts, floors)
    return Line(
        name=name,
        n=len(cases),
        unsupported=sum(labels),
        split="held out" if name in FITTED_ON else "all",
        auc=roc_auc(doubts, labels) or 0.0,
        auc_interval=intervals[0],
        floor=roc_auc(floors, labels) or 0.0,
        floor_interval=intervals[1],
        gain_interval=intervals[2],
        accuracy=balanced_accuracy(doubts, labels),
        claims_per_second=sum(count for _, count in scored) / seconds,
    )


def doubt(judge: Judge, case: Case, *, single: bool) -> tuple[float, int]:
    """Return the mean chance that a claim of the case is not supported, by words, and the number of claims."""
    claims = [case.text] if single else judge.split(case.question, case.text) or [case.text]
    verdicts = [verdict for verdict in judge.verify(claims, case.contexts) if verdict.probability is not None]
    weights = [max(1, len(words(verdict.statement))) for verdict in verdicts]
    chances = [verdict.probability or 0.0 for verdict in verdicts]
    supported = float(np.average(chances, weights=weights)) if verdicts else 1.0
    return 1 - supported, len(claims)


def novel_share(case: Case) -> float:
    known = {word for context in case.contexts for word in words(context)}
    said = set(words(case.text))
    return len(said - known) / max(1, len(said))


def balanced_accuracy(doubts: Sequence[float], labels: Sequence[bool]) -> float:
    said, true = np.asarray(doubts) > 0.5, np.asarray(labels)
    return float((said[true].mean() + (~said[~true]).mean()) / 2)


def resampled(cases: Sequence[Case], doubts: Sequence[float], floors: Sequence[float]) -> list[tuple[float, float]]:
    """Return the intervals of the judge's AUC, the floor's, and their difference."""
    members: dict[str, list[int]] = {}
    for number, case in enumerate(cases):
        members.setdefault(case.group, []).append(number)
    groups: list[npt.NDArray[np.intp]] = [np.array(found, np.intp) for found in members.values()]
    labels = np.array([case.unsupported for case in cases])
    both = np.array([doubts, floors])
    generator = np.random.default_rng(0)
    rows: list[tuple[float, float, float]] = []
    for _ in range(RESAMPLES):
        chosen: list[int] = generator.integers(0, len(groups), len(groups)).tolist()
        drawn = np.concatenate([groups[g] for g in chosen])
        ours, floor = (roc_auc(list(side[drawn]), list(labels[drawn])) for side in both)
        if ours is not None and floor is not None:
            rows.append((ours, floor, ours - floor))
    low, high = np.quantile(np.array(rows), [0.025, 0.975], axis=0)
    return [(float(low[i]), float(high[i])) for i in range(3)]


def shown(line: Line) -> str:
    def interval(value: float, pair: tuple[float, float]) -> str:
        return f"{value:.3f} [{pair[0]:.3f}, {pair[1]:.3f}]"

    gain = f"{line.auc - line.floor:+.3f} [{line.gain_interval[0]:+.3f}, {line.gain_interval[1]:+.3f}]"
    return (
        f"{line.name:14} {line.n:5} {line.split:9} {interval(line.auc, line.auc_interval):22} "
        f"{interval(line.floor, line.floor_interval):22} {gain:18} {line.accuracy:7.3f} {line.claims_per_second:9.0f}"
    )


if __name__ == "__main__":
    main()
