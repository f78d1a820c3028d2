"""Repeats: each is a sample of its own, the score is their mean, and the judge's noise is told apart."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmopt.errors import ModelUnavailableError, UsageError
from llmopt.evaluation import Evaluator, ExactMatch, Faithfulness, ModelJudge, Report, Row
from llmopt.evaluation.repeats import merged, noise_of
from llmopt.interfaces import ChatModel
from llmopt.testing import FakeModel
from llmopt.types import Completion, Message, Options, Sample, Score, Verdict

SAMPLES = [
    Sample(question=f"q{n}", answer=f"It rains on day {n}.", contexts=[f"Day {n} is wet."], reference="x")
    for n in range(6)
]


@dataclass(repr=False, eq=False)
class Wavering(ChatModel):
    """A judge's model whose verdict depends on which repeat it is; replies to equal requests are equal."""

    replicates: list[int] = field(init=False, default_factory=list[int])

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        self.replicates.append(options.replicate)
        if '"claims"' in messages[-1].content:
            return Completion('{"claims": ["It rains."]}')
        return Completion(f'{{"verdicts": [{{"id": 1, "reason": "r", "verdict": {options.replicate // 1000 % 2}}}]}}')


def test_every_repeat_is_a_sample_of_its_own_and_the_score_is_the_mean() -> None:
    model = Wavering()
    report = Evaluator([Faithfulness(ModelJudge(model)), ExactMatch()], repeats=3).run(SAMPLES)
    assert sorted(set(model.replicates)) == [0, 1000, 2000]
    assert len(model.replicates) == 6 * 3 * 2
    score = report.rows[0].scores["faithfulness"]
    assert score.value == pytest.approx(1 / 3)
    assert score.details["repeats"] == (0.0, 1.0, 0.0)
    assert score.reason.startswith("mean of 3 of 3 repeats (0, 1, 0)")
    assert "repeats" not in report.rows[0].scores["exact_match"].details
    assert len(report.rows[0].calls) == 6


def test_the_first_repeat_is_what_a_single_measurement_is(tmp_path: Path) -> None:
    model = Wavering()
    Evaluator([Faithfulness(ModelJudge(model))]).run(SAMPLES, journal=tmp_path / "j")
    paid = len(model.replicates)
    again = Evaluator([Faithfulness(ModelJudge(model))], repeats=2)
    assert again.plan(SAMPLES, journal=tmp_path / "j").calls == 12
    report = again.run(SAMPLES, journal=tmp_path / "j")
    assert len(model.replicates) == 2 * paid
    assert report.rows[0].scores["faithfulness"].details["repeats"] == (0.0, 1.0)
    again.run(SAMPLES, journal=tmp_path / "j")
    assert len(model.replicates) == 2 * paid


def test_the_plan_counts_repeats_of_what_is_paid_for() -> None:
    metrics = [Faithfulness(ModelJudge(FakeModel("x"))), ExactMatch()]
    assert Evaluator(metrics, repeats=5).plan(SAMPLES).calls == 5 * Evaluator(metrics).plan(SAMPLES).calls


def test_repeats_below_one_are_refused() -> None:
    with pytest.raises(UsageError, match="`repeats` must be at least 1, got 0"):
        Evaluator([ExactMatch()], repeats=0).run(SAMPLES)


# --- merging


def test_a_single_score_stays_as_it_is() -> None:
    score = Score(0.5, "half", verdicts=(Verdict("a", True),), details={"n": 1})
    assert merged([score]) is score


def test_repeats_without_a_figure_are_left_out_and_shown() -> None:
    found = merged([Score(None, "broke", "failed"), Score(1.0, "fine", verdicts=(Verdict("a", True),)), Score(0.5)])
    assert (found.value, found.status) == (0.75, "scored")
    assert found.reason == "mean of 2 of 3 repeats (-, 1, 0.5); the first: fine"
    assert found.verdicts == (Verdict("a", True),)
    assert found.details["repeats"] == (None, 1.0, 0.5)


def test_no_figure_at_all_is_the_first_reason() -> None:
    found = merged([Score(None, "no claims", "undefined"), Score(None, "broke", "failed")])
    assert (found.value, found.status, found.reason) == (None, "undefined", "no claims")


# --- noise


def rows(*figures: Sequence[float | None]) -> list[Row]:
    return [
        Row(Sample(question="q", id=str(n)), {"m": merged([Score(v, "none" if v is None else "") for v in values])})
        for n, values in enumerate(figures)
    ]


def test_a_judge_that_never_changes_makes_no_noise() -> None:
    noise = noise_of("m", rows([0.2, 0.2], [0.8, 0.8], [0.5, 0.5]))
    assert (noise.judge_variance, noise.judge_share, noise.unstable) == (0.0, 0.0, 0.0)
    assert noise.sample_variance == pytest.approx(0.09)
    assert noise.standard_error(3, 2) == noise.standard_error(3, 100)


def test_samples_that_are_all_alike_leave_the_judge_alone() -> None:
    noise = noise_of("m", rows([0.0, 1.0], [1.0, 0.0], [0.0, 1.0]))
    assert noise.sample_variance == 0.0
    assert noise.judge_share == 1.0
    assert noise.unstable == 1.0


def test_known_variances_are_recovered() -> None:
    chance = random.Random(4)
    found: list[list[float | None]] = []
    for _ in range(3000):
        centre = chance.gauss(0.5, 0.2)
        found.append([centre + chance.gauss(0, 0.1) for _ in range(chance.choice([1, 2, 3, 5]))])
    noise = noise_of("m", rows(*found))
    assert noise.sample_variance == pytest.approx(0.04, rel=0.08)
    assert noise.judge_variance == pytest.approx(0.01, rel=0.08)
    assert noise.standard_error(400, 4) == pytest.approx((0.04 / 400 + 0.01 / 1600) ** 0.5, rel=0.05)


def test_noise_is_told_in_words() -> None:
    text = str(Report(tuple(rows([0.0, 1.0], [1.0, 1.0], [0.0, 0.0])), ("m",)).noise("m"))
    assert "of a figure's variance; 33% of the samples change" in text
    assert "with twice the samples" in text


def test_measuring_once_says_nothing_of_noise() -> None:
    with pytest.raises(UsageError, match="repeats=3"):
        noise_of("m", rows([0.1], [0.2]))
    with pytest.raises(UsageError, match="1 samples"):
        noise_of("m", rows([0.1, 0.2], [None, None]))


def test_a_failing_repeat_does_not_fail_the_sample() -> None:
    replies = ['{"claims": ["It rains."]}', '{"verdicts": [{"id": 1, "reason": "r", "verdict": 1}]}']
    model = FakeModel(ModelUnavailableError("down"), script=replies)
    report = Evaluator([Faithfulness(ModelJudge(model))], repeats=2, concurrency=1).run(SAMPLES[:1])
    score = report.rows[0].scores["faithfulness"]
    assert (score.value, score.details["repeats"]) == (1.0, (1.0, None))
