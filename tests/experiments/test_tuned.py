"""A tuned model on the ladder, the learning curve, and what was forgotten: no figure for remembering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmopt import Evaluator, Pipeline, Sample
from llmopt.errors import MissingExtraError, SampleError, StorageError, UsageError
from llmopt.evaluation import ExactMatch
from llmopt.experiments import Ladder, LearningCurve, fine_tune_step, forgetting, learning_curve, refuse_leaks
from llmopt.finetuning import LossPoint
from llmopt.interfaces import ChatModel, FineTuneJob
from llmopt.prompting import Direct
from llmopt.testing import FakeModel
from llmopt.types import Example, JobStatus, Message

SAMPLES = [Sample(question=f"question {n} of the set?", id=f"s{n}", reference="yes") for n in range(80)]
EVALUATOR = Evaluator([ExactMatch()], progress=False)


def example(question: str, answer: str = "yes") -> Example:
    return Example((Message("user", question), Message("assistant", answer)))


TRAINING = [example(f"training {n}") for n in range(40)]


def right_below(limit: int) -> FakeModel:
    """A model that knows the answers to the questions with the lowest numbers."""
    return FakeModel(lambda messages: "yes" if int(messages[-1].content.split()[1]) < limit else "no")


@dataclass(repr=False, eq=False)
class Memory(FineTuneJob):
    """Knows a question more per example, up to a limit; a job that tells its losses."""

    most: int = 80

    def submit(self, training: Sequence[Example], validation: Sequence[Example]) -> str:
        return f"job-{len(training)}"

    def poll(self, job_id: str) -> JobStatus:
        return JobStatus(job_id, "succeeded", tuned_model=job_id)

    def model(self, status: JobStatus) -> ChatModel:
        return right_below(min(self.most, int(status.job_id.removeprefix("job-"))))

    def losses(self, job_id: str) -> list[LossPoint]:
        return [LossPoint(1, 2.0, 2.5), LossPoint(2, 1.0, None)]


def base(**job: int) -> Pipeline:
    return Pipeline(model=right_below(0), prompt=Direct(), tuning=Memory(**job))


def test_the_tuned_model_is_one_step_of_the_ladder() -> None:
    ladder = Ladder(base(), SAMPLES, EVALUATOR, "exact_match", held_out=0.0)
    rung = fine_tune_step(ladder, TRAINING)
    assert rung.verdict.decision == "keep"
    assert rung.change is not None
    assert rung.change.path.startswith("model")
    assert rung.score("exact_match").value == 0.5
    assert rung.report.spent().cost is not None
    assert rung.report.latency().median is not None


@pytest.mark.parametrize(
    "leaked",
    [
        "Question 7 of the set",
        "Answer from the text only.\n\n<<<context>>> a cat sat <<<end>>>\n\nquestion 7 of the set?",
        "Question 7 of the set? Answer in one word.",
        "oh and question 7 of the set, the",
    ],
    ids=["same", "at the end of a prompt", "at its beginning", "near"],
)
def test_a_leak_is_refused_before_anything_is_trained(leaked: str) -> None:
    model = right_below(0)
    ladder = Ladder(base().but(model=model), SAMPLES, EVALUATOR, "exact_match")
    training = [*TRAINING, example(leaked)]
    if leaked.startswith("oh"):
        with pytest.raises(SampleError, match="sample s7 by example 41"):
            refuse_leaks(training, SAMPLES, threshold=0.6)
        return
    with pytest.raises(SampleError, match="sample s7 by example 41"):
        fine_tune_step(ladder, training)
    with pytest.raises(SampleError, match="sample s7"):
        learning_curve(base(), training, SAMPLES, EVALUATOR, "exact_match")
    with pytest.raises(SampleError, match="sample s7"):
        fine_tune_step(ladder, TRAINING, [example(leaked)])
    assert model.requests == []


def test_a_question_in_a_text_that_is_only_read_is_no_leak() -> None:
    refuse_leaks([example("Read this: question 7 of the set was asked yesterday. What is the weather?")], SAMPLES)


def test_a_pipeline_without_a_job_is_refused_before_anything_is_paid() -> None:
    model = right_below(0)
    ladder = Ladder(Pipeline(model=model, prompt=Direct()), SAMPLES, EVALUATOR, "exact_match")
    with pytest.raises(UsageError, match="tuning"):
        fine_tune_step(ladder, TRAINING)
    assert model.requests == []


def curve(**job: int) -> LearningCurve:
    return learning_curve(base(**job), TRAINING, SAMPLES, EVALUATOR, "exact_match")


def test_a_curve_that_rises_says_that_more_data_is_likely_to_help() -> None:
    found = curve()
    assert [point.examples for point in found.points] == [0, 10, 20, 40]
    assert [point.score("exact_match").value for point in found.points] == [0, 0.125, 0.25, 0.5]
    assert found.more_data_helps is True
    assert found.gain.difference.value == 0.5
    assert "more data is likely to help: from 20 to 40 examples" in str(found)
    assert "training" in str(found)


@dataclass(repr=False, eq=False)
class Untouched(Memory):
    """A job that must not begin."""

    def submit(self, training: Sequence[Example], validation: Sequence[Example]) -> str:
        raise AssertionError


def test_an_unknown_metric_is_refused_before_anything_is_trained() -> None:
    pipeline = base().but(tuning=Untouched())
    with pytest.raises(UsageError, match="no metric 'bleu'"):
        learning_curve(pipeline, TRAINING, SAMPLES, EVALUATOR, "bleu")
    tuned = right_below(0)
    with pytest.raises(UsageError, match="no metric 'bleu'"):
        forgetting(pipeline, pipeline.but(model=tuned), SAMPLES, EVALUATOR, "bleu")
    assert tuned.requests == []


def test_a_curve_that_is_flat_says_that_more_data_will_hardly_help() -> None:
    found = curve(most=10)
    assert found.more_data_helps is False
    assert "hardly" in found.verdict


def test_a_curve_that_has_reached_the_top_says_that_nothing_is_left_to_gain() -> None:
    training = [*TRAINING, *(example(f"further {n}") for n in range(40))]
    found = learning_curve(base(), training, SAMPLES, EVALUATOR, "exact_match")
    assert found.points[-1].score("exact_match").value == 1
    assert found.more_data_helps is False
    assert "next to nothing is left to gain: from 40 to 80 examples" in found.verdict


def test_a_small_rise_is_no_promise() -> None:
    found = curve(most=22)
    assert found.more_data_helps is None
    assert "samples would tell" in found.verdict


@pytest.mark.parametrize("shares", [(), (0.5,), (0.5, 0.25, 1.0), (0.01, 1.0), (0.0, 1.0)])
def test_shares_that_make_no_curve_are_refused(shares: Sequence[float]) -> None:
    with pytest.raises(UsageError, match="shares that grow to 1"):
        learning_curve(base(), TRAINING, SAMPLES, EVALUATOR, "exact_match", shares=shares)


def test_the_curve_is_drawn_to_a_file_or_says_what_is_missing(tmp_path: Path) -> None:
    found = curve()
    if find_spec("matplotlib") is None:
        with pytest.raises(MissingExtraError, match="matplotlib"):
            found.plot(tmp_path / "curve.png")
        return
    found.plot(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="Format 'nope' is not supported"):
        found.plot(tmp_path / "curve.nope")
    with pytest.raises(StorageError, match="cannot write"):
        found.plot(tmp_path / "absent" / "curve.png")


def test_what_was_forgotten_is_said() -> None:
    found = forgetting(base().but(model=right_below(60)), base(), SAMPLES, EVALUATOR, "exact_match")
    assert found.outcome == "forgot"
    assert found.comparison.difference.value == -0.75
    assert "has forgotten: exact_match went from 0.750" in str(found)


def test_what_is_kept_is_said() -> None:
    same = base().but(model=right_below(60))
    assert forgetting(same, same, SAMPLES, EVALUATOR, "exact_match").outcome == "kept"
    better = forgetting(base(), same, SAMPLES, EVALUATOR, "exact_match")
    assert better.outcome == "kept"
    assert "can do what the base could" in str(better)


def test_a_loss_within_chance_is_neither() -> None:
    before, after = base().but(model=right_below(60)), base().but(model=right_below(58))
    found = forgetting(before, after, SAMPLES, EVALUATOR, "exact_match")
    assert found.outcome == "unclear"
    assert "samples would tell" in str(found)
    with pytest.raises(UsageError, match="above 0"):
        forgetting(before, after, SAMPLES, EVALUATOR, "exact_match", tolerance=0)
