"""Shows `Calibration` on real human labels: how far the heuristic judge can be trusted, and what correction gives.

    python benchmarks/calibration.py [--out calibration.json]

For each set 200 labelled items are drawn at random (seed 0) and the mean over the others is corrected by
them; the true mean stands beside it. PandaLM has preferences instead of verdicts: there the recorded
GPT-3.5 judge is held against the majority of three people.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from llmopt._stats import share
from llmopt.evaluation import Calibration, HeuristicJudge
from llmopt.evaluation.agreement import cohen_kappa
from llmopt.interfaces import Judge

sys.path.insert(0, str(Path(__file__).parent))
from judge_data import Row, available, load_set, read
from judges import SINGLE_CLAIMS, doubt

LABELLED = 200
SETS = ("mtrag-human", "factscore", "summedits", "begin", "evouna-tq")


@dataclass(frozen=True, slots=True)
class Scored:
    """A judge's scores for "yes" and what people said."""

    scores: list[float]
    labels: list[bool]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    out = cast("Path | None", parser.parse_args().out)
    if not available():
        raise SystemExit("../shared/data is not there: nothing to measure on")
    judge = HeuristicJudge()
    found: list[dict[str, object]] = []
    for name in SETS:
        scored = correctness(judge) if name == "evouna-tq" else support(judge, name)
        found.append(shown(name, scored))
    found.append(preferences())
    if out:
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def support(judge: Judge, name: str) -> Scored:
    """Return how likely each text is supported; people's yes is "supported"."""
    cases = load_set(name)
    scores = [1 - doubt(judge, case, single=name in SINGLE_CLAIMS)[0] for case in cases]
    return Scored(scores, [not case.unsupported for case in cases])


def correctness(judge: Judge) -> Scored:
    """Return how likely each answer says one of the right ones; people's yes is "correct"."""
    scores: list[float] = []
    labels: list[bool] = []
    for row in read("evouna-tq/data.jsonl"):
        right = cast("list[str]", row["answers"])[:10]
        for response in cast("list[Row]", row["responses"]):
            verdicts = judge.verify(right, [str(response["answer"])])
            scores.append(max((verdict.probability or 0.0 for verdict in verdicts), default=0.0))
            labels.append(response["label"] == 1)
    return Scored(scores, labels)


def shown(name: str, scored: Scored) -> dict[str, object]:
    order: list[int] = np.random.default_rng(0).permutation(len(scored.scores)).tolist()
    known, others = order[:LABELLED], order[LABELLED:]
    whole = Calibration.of(scored.scores, scored.labels)
    part = Calibration.of(picked(scored.scores, known), [scored.labels[number] for number in known])
    rest = picked(scored.scores, others)
    corrected = part.corrected(rest)
    true = sum(scored.labels[number] for number in others) / len(others)
    raw = sum(score >= part.threshold for score in rest) / len(rest)
    alone = share(sum(part.labels), part.n)
    print(f"\n{name}\n{whole}")
    print(f"mean of the others: true {true:.3f}; judge's yes {raw:.3f}; {LABELLED} labels alone {alone}")
    print(f"corrected by them: {corrected}")
    return {
        "set": name,
        "n": whole.n,
        "agreement": whole.agreement.value,
        "kappa": whole.confusion.kappa,
        "auc": whole.auc,
        "true": true,
        "judge": raw,
        "labels_alone": [alone.value, alone.low, alone.high],
        "corrected": [corrected.value, corrected.low, corrected.high],
    }


def picked(scores: Sequence[float], numbers: Sequence[int]) -> list[float]:
    return [scores[number] for number in numbers]


def preferences() -> dict[str, object]:
    rows = read("pandalm-test/data.jsonl")
    people = [str(row["label"]) for row in rows]
    judge = [str(row["gpt35_judge"]) for row in rows]
    agreement = share(sum(a == b for a, b in zip(judge, people, strict=True)), len(rows))
    kappa = cohen_kappa(judge, people)
    print(f"\npandalm-test, recorded GPT-3.5 against people (first, second or tie)\n{len(rows)} pairs")
    print(f"agreement {agreement}, kappa {kappa:.3f}" if kappa is not None else f"agreement {agreement}")
    return {"set": "pandalm-test", "n": len(rows), "agreement": agreement.value, "kappa": kappa}


if __name__ == "__main__":
    main()
