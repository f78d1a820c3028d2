from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llmopt.errors import SampleError, UsageError
from llmopt.evaluation import Calibration, Evaluator, ExactMatch, human_labels, load_samples
from llmopt.evaluation.report import Report
from llmopt.evaluation.row import Row
from llmopt.types import Sample, Score, Verdict


def test_the_figures_are_those_of_the_confusion() -> None:
    found = Calibration.of([0.9, 0.6, 0.4, 0.3, None, 0.8], [True, True, True, False, True, None])
    assert (found.n, found.unjudged) == (4, 1)
    assert found.agreement.value == 0.75
    assert found.sensitivity.value == pytest.approx(2 / 3)
    assert found.specificity.value == 1.0
    assert found.auc == 1.0
    assert found.confusion.kappa == pytest.approx(0.5)
    text = str(found)
    assert "4 items judged and labelled, 1 labelled and not judged" in text
    assert "kappa 0.500" in text


def test_the_best_threshold_is_found_on_the_labels() -> None:
    found = Calibration.of([0.1, 0.2, 0.3, 0.4], [False, False, True, True], threshold=0.9)
    assert found.best_threshold == 0.3
    assert Calibration.of(found.scores, found.labels, threshold=found.best_threshold).agreement.value == 1.0


def test_verdicts_count_by_probability_where_all_have_one() -> None:
    labels = [True, False, True]
    soft = [Verdict("a", True, "", 0.9), Verdict("b", True, "", 0.6), Verdict("c", None, "?", None)]
    assert Calibration.of_verdicts(soft, labels).scores == (0.9, 0.6)
    assert Calibration.of_verdicts(soft, labels).unjudged == 1
    hard = [Verdict("a", True), Verdict("b", False), Verdict("c", None)]
    assert Calibration.of_verdicts(hard, labels).scores == (1.0, 0.0)


def test_a_report_is_calibrated_by_the_ids_of_its_samples() -> None:
    rows = [
        Row(Sample(question="q", id=id), {"faithfulness": Score(value, "r")})
        for id, value in (("a", 1.0), ("b", 0.2), ("c", None))
    ]
    report = Report(rows, ["faithfulness"])
    found = Calibration.of_report(report, "faithfulness", {"a": True, "b": False, "c": True})
    assert (found.n, found.unjudged, found.agreement.value) == (2, 1, 1.0)
    with pytest.raises(UsageError, match="no sample of the report"):
        Calibration.of_report(report, "faithfulness", {"z": True})


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="one label for each score"):
        Calibration.of([0.1], [])
    with pytest.raises(UsageError, match="nothing to compare"):
        Calibration.of([None, 0.5], [True, None])
    with pytest.raises(UsageError, match="not finite"):
        Calibration.of([float("nan")], [True])
    with pytest.raises(UsageError, match="two labelled items"):
        Calibration.of([0.5], [True]).corrected([0.5])


def test_a_biased_judge_is_corrected() -> None:
    generator = np.random.default_rng(0)
    truth = generator.random(4000) < 0.3
    said = np.where(generator.random(4000) < 0.8, truth, True)  # says yes too often
    found = Calibration.of([float(value) for value in said[:400]], [bool(value) for value in truth[:400]])
    corrected = found.corrected([float(value) for value in said[400:]])
    assert float(said.mean()) > 0.4
    assert corrected.low is not None
    assert corrected.high is not None
    assert corrected.low <= 0.3 <= corrected.high
    labels_alone = 2 * 1.96 * float(np.sqrt(0.3 * 0.7 / 400))
    assert corrected.high - corrected.low < 0.9 * labels_alone


def test_a_useless_judge_costs_nothing() -> None:
    generator = np.random.default_rng(1)
    truth = generator.random(300) < 0.5
    said = generator.random(3300)
    found = Calibration.of(list(map(float, said[:300])), list(map(bool, truth)))
    corrected = found.corrected(list(map(float, said[300:])))
    assert corrected.low is not None
    assert corrected.high is not None
    assert corrected.high - corrected.low < 1.1 * 2 * 1.97 * float(np.sqrt(0.25 / 300))


@pytest.mark.parametrize(("labels", "true_mean", "right"), [(20, 0.95, 0.97), (50, 0.95, 0.97), (100, 0.7, 0.85)])
def test_the_corrected_interval_holds_the_true_mean_as_often_as_it_says(
    labels: int, true_mean: float, right: float
) -> None:
    generator = np.random.default_rng(2)
    hits = 0
    rounds = 300
    for _ in range(rounds):
        truth = generator.random(500) < true_mean
        said = np.where(generator.random(500) < right, truth, ~truth).astype(float)
        found = Calibration.of(said[:labels].tolist(), truth[:labels].tolist())
        corrected = found.corrected(said[labels:].tolist())
        assert corrected.low is not None
        assert corrected.high is not None
        hits += corrected.low <= true_mean <= corrected.high
    assert hits / rounds >= 0.93


def test_few_labels_without_an_error_leave_room_for_one() -> None:
    corrected = Calibration.of([1.0] * 10, [True] * 10).corrected([1.0] * 90)
    assert corrected.low is not None
    assert corrected.low < 0.8
    assert corrected.high == 1.0


def test_a_metric_that_the_report_lacks_is_named() -> None:
    report = Report((Row(Sample(id="a", question="?"), {"m": Score(1.0)}),), ("m",))
    with pytest.raises(UsageError, match="no metric 'n'; it has m"):
        Calibration.of_report(report, "n", {"a": True})


def test_a_judge_that_always_says_the_same_leaves_the_labels() -> None:
    found = Calibration.of([1.0] * 10, [True] * 6 + [False] * 4)
    corrected = found.corrected([1.0] * 100)
    assert corrected.value == pytest.approx(0.6)
    assert found.auc == 0.5


def test_a_report_brings_the_scores_that_nobody_labelled() -> None:
    rows = [Row(Sample(id=str(n), question="?"), {"m": Score(float(n % 2))}) for n in range(40)]
    rows.append(Row(Sample(id="none", question="?"), {"m": Score(None, "no claims")}))
    labels = {str(n): n % 2 == 1 for n in range(10)}
    found = Calibration.of_report(Report(tuple(rows), ("m",)), "m", labels)
    assert len(found.others) == 30
    assert found.corrected_mean == found.corrected([float(n % 2) for n in range(10, 40)])
    assert "mean corrected by the labels 0.500" in str(found)
    assert Calibration.of([1.0, 0.0], [True, False]).corrected_mean is None


def test_labels_come_from_a_column_of_the_samples_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    said = ["yes", "NO", "", "true", "0", "是", "1.0"]
    lines = [f"q{n},a,{'a' if n % 2 else 'b'},{label}" for n, label in enumerate(said)]
    path.write_text("\n".join(["question,answer,reference,label", *lines]), "utf-8")
    samples = load_samples(path)
    labels = human_labels(samples, "label")
    assert labels == {"1": True, "2": False, "4": True, "5": False, "6": True, "7": True}
    assert Calibration.of_report(Evaluator([ExactMatch()]).run(samples), "exact_match", labels).n == 6


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (Sample(question="q", id="s", metadata={"label": "maybe"}), "sample s has 'maybe' in the column 'label'"),
        (Sample(question="q", metadata={"label": "yes"}), "sample 1 has a label and no id"),
        (Sample(question="q", id="s", metadata={"lable": "yes"}), "no sample has a label in the column 'label'"),
    ],
)
def test_labels_that_are_none_are_refused(sample: Sample, words: str) -> None:
    with pytest.raises(SampleError, match=words):
        human_labels([sample], "label")
