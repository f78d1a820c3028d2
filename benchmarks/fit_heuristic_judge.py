"""Fits the weights of `HeuristicJudge` and prints them, to be copied into `llmopt/evaluation/support.py`.

    python benchmarks/fit_heuristic_judge.py [--embedder FOLDER]

With the folder of an exported all-MiniLM-L6-v2 (see `OnnxEmbedder`) the weights with an embedding are fitted.
Logistic regression with a ridge, by Newton's method, on half of FActScore (InstructGPT, by biography) and
half of MNLI dev (by pair); both sets and both labels weigh the same. The other halves and all further sets
are for the report in `benchmarks/judges.py`. Only the weights go into the package, no data.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import cast

import numpy as np

from llmopt.evaluation.support import FEATURES, evidence_of, support_of
from llmopt.interfaces import Embedder

sys.path.insert(0, str(Path(__file__).parent))
from judge_data import Case, embedder_at, in_fitting_half, load_set

FITTED_ON = ("factscore", "mnli")
RIDGE = 20.0
STEPS = 40


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--embedder", type=Path)
    folder = cast("Path | None", parser.parse_args().embedder)
    embedder = embedder_at(folder)
    rows: list[tuple[float, ...]] = []
    labels: list[float] = []
    weights: list[float] = []
    for name in FITTED_ON:
        cases = [case for case in load_set(name) if in_fitting_half(case)]
        rows += [seen(case, embedder) for case in cases]
        labels += [float(case.unsupported) for case in cases]
        weights += balanced(cases)
    features = np.array(rows)
    center, scale = features.mean(axis=0), features.std(axis=0)
    intercept, slopes = fit((features - center) / scale, np.array(labels), np.array(weights))
    raw = slopes / scale
    print(f"fitted on {len(rows)} claims of {', '.join(FITTED_ON)}")
    labelled = FEATURES if embedder is None else (*FEATURES, "distance")
    for name, slope, weight in zip(labelled, slopes, raw, strict=True):
        print(f"  {name:16} {slope:+.2f} per standard deviation   {weight:+.4f}")
    shown = ", ".join(f"{weight:.4f}" for weight in raw)
    print(f"Weights(({shown}), {intercept - float(raw @ center):.4f})")


def seen(case: Case, embedder: Embedder | None) -> tuple[float, ...]:
    evidence = evidence_of(case.contexts)
    lexical = support_of(case.text, evidence).features()
    if embedder is None:
        return lexical
    rows = embedder.encode([case.text, *evidence.texts], kind="document")
    closest = max((float(cosine) for cosine in rows[1:] @ rows[0]), default=0.0)
    return (*lexical, 1.0 - closest)


def balanced(cases: list[Case]) -> list[float]:
    bad = sum(case.unsupported for case in cases)
    return [1000 / (bad if case.unsupported else len(cases) - bad) for case in cases]


def fit(
    features: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    labels: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    weights: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> tuple[float, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    design = np.column_stack([np.ones(len(features)), features])
    ridge = np.diag([1e-6, *[RIDGE] * features.shape[1]])
    found = np.zeros(design.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-design @ found))
        slope = design.T @ (weights * (chance - labels)) + ridge @ found
        curve = (design * (weights * chance * (1 - chance))[:, None]).T @ design + ridge
        found -= np.linalg.solve(curve, slope)
    return float(found[0]), found[1:]


if __name__ == "__main__":
    main()
