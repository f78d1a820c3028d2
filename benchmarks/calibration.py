"""Shows `Calibration` on real human labels: how far the heuristic judge can be trusted, and what correction gives.

    python benchmarks/calibration.py [--out calibration.json]

For each set 200 labelled items are drawn at random (seed 0) and the mean over the others is corrected by
them; the true mean stands beside it. PandaLM has preferences instead of verdicts: there recorded verdicts of
GPT-3.5, which saw each pair in one order only, and a rule are held against the majority of three people.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from llmopt._stats import share
from llmopt.evaluation import (
    Annotation,
    Calibration,
    HeuristicJudge,
    annotator_agreement,
    preferences_of,
    rank_systems,
)
from llmopt.interfaces import Judge

sys.path.insert(0, str(Path(__file__).parent))
from judge_data import Row, available, load_set, read
from judges import SINGLE_CLAIMS, doubt

LABELLED = 200
RECORDED = {"1": "1", "2": "2", "Tie": "0"}  # anything else is no verdict
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
    """Hold recorded pairwise verdicts, and the rule "the longer answer", against the votes of three people."""
    rows = read("pandalm-test/data.jsonl")
    judges: dict[str, Callable[[Row], str]] = {
        "recorded GPT-3.5 (one order only)": lambda row: RECORDED.get(str(row["gpt35_judge"]), "-"),
        "the longer answer": lambda row: "1" if len(str(row["response1"])) > len(str(row["response2"])) else "2",
    }
    people = annotated(rows, "people", lambda row: str(row["label"]))
    by_people = list(rank_systems(preferences_of(people)).ratings)
    votes = [said for n in range(3) for said in annotated(rows, f"person {n}", votes_of(n))]
    print(f"\npandalm-test, {len(rows)} pairs; the three people among themselves:")
    print(f"agreement {annotator_agreement(votes).agreement}; they rank {' > '.join(by_people)}")
    found: dict[str, object] = {"set": "pandalm-test", "n": len(rows), "people": by_people}
    for name, say in judges.items():
        judged = annotated(rows, name, say)
        agreement = annotator_agreement([*people, *judged])
        kappa = agreement.kappas[min("people", name), max("people", name)]
        ranked = list(rank_systems(preferences_of(judged)).ratings)
        first = share(sum(say(row) == "1" for row in rows), sum(say(row) in {"1", "2"} for row in rows))
        print(f"{name}: agreement with the majority {agreement.agreement}, kappa {kappa or 0:.3f}")
        print(f"  the first place wins {first} of its decisions; it ranks {' > '.join(ranked)}")
        found[name] = {"agreement": agreement.agreement.value, "kappa": kappa, "ranks": ranked, "first": first.value}
    return found


def annotated(rows: Sequence[Row], annotator: str, say: Callable[[Row], str]) -> list[Annotation]:
    """Return verdicts ("1", "2", "0" for a tie, "-" for none) in the form of people's."""
    made: list[Annotation] = []
    for row in rows:
        systems = str(row["models"]).split("_")
        label = {"1": systems[0], "2": systems[1], "0": "tie"}.get(say(row))
        if label is not None:
            made.append(Annotation(str(row["id"]), systems[0], label, annotator, other=systems[1]))
    return made


def votes_of(person: int) -> Callable[[Row], str]:
    return lambda row: str(cast("list[int]", row["votes"])[person])


if __name__ == "__main__":
    main()
