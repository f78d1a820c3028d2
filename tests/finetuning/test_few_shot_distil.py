"""Learning without training: the best set wins, no set beats a useless one, the choice outlives the process."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from llmopt.errors import ModelUnavailableError, TuningError, UsageError
from llmopt.finetuning import FewShotDistil, WithShots
from llmopt.finetuning.with_shots import shot_tokens
from llmopt.testing import FakeModel
from llmopt.testing.contracts import ChatModelContract, FineTuneJobContract
from llmopt.types import Completion, Example, Message


def example(number: int, answer: str = "yes") -> Example:
    return Example((Message("system", "sys"), Message("user", f"question {number}"), Message("assistant", answer)))


TRAINING = [example(number, "good" if number == 3 else "poor") for number in range(12)]
VALIDATION = [example(number, "good") for number in range(100, 130)]


def learner(messages: Sequence[Message]) -> str:
    """Answer as the best of the examples in sight does."""
    return "good" if any(message.content == "good" for message in messages) else "poor"


def right(example: Example, reply: Completion) -> float:
    return float(reply.text == example.messages[-1].content)


@pytest.mark.parametrize("setting", ["max_tokens", "sets", "count", "concurrency"])
def test_a_number_that_makes_no_sense_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        FewShotDistil(FakeModel(learner), right, **{setting: 0}).run(TRAINING, VALIDATION)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match="finite"):
        FewShotDistil(FakeModel(learner), lambda example, reply: float("nan")).run(TRAINING, VALIDATION)


def test_the_set_with_the_example_that_helps_wins() -> None:
    job = FewShotDistil(FakeModel(learner), right, count=4)
    tuned = job.run(TRAINING, VALIDATION)
    assert isinstance(tuned, WithShots)
    assert TRAINING[3] in tuned.examples
    assert tuned.complete("new?").text == "good"


def test_examples_that_do_not_help_are_not_shown() -> None:
    model = FakeModel("good")
    assert FewShotDistil(model, right).run(TRAINING, VALIDATION) is model


def test_the_budget_is_kept() -> None:
    budget = 3 * max(map(shot_tokens, TRAINING))
    tuned = FewShotDistil(FakeModel(learner), right, max_tokens=budget, sets=16).run(TRAINING, VALIDATION)
    assert isinstance(tuned, WithShots)
    assert sum(map(shot_tokens, tuned.examples)) <= budget


def test_the_same_seed_makes_the_same_choice() -> None:
    one, two = (FewShotDistil(FakeModel(learner), right, seed=5) for _ in range(2))
    assert one.run(TRAINING, VALIDATION).fingerprint() == two.run(TRAINING, VALIDATION).fingerprint()


def test_attach_finds_the_choice_in_another_process(tmp_path: Path) -> None:
    job = FewShotDistil(FakeModel(learner), right, count=4, folder=str(tmp_path / "jobs"))
    tuned = job.run(TRAINING, VALIDATION)
    assert isinstance(tuned, WithShots)
    (written,) = (tmp_path / "jobs").iterdir()
    again = FewShotDistil(FakeModel(learner), right, folder=str(tmp_path / "jobs")).attach(written.stem)
    assert isinstance(again, WithShots)
    assert list(again.examples) == list(tuned.examples)
    with pytest.raises(TuningError, match="not here"):
        job.attach("few-shot-unknown")


def test_a_failing_model_is_no_score_of_zero() -> None:
    with pytest.raises(ModelUnavailableError):
        FewShotDistil(FakeModel(ModelUnavailableError("down")), right).run(TRAINING, VALIDATION)


def test_what_cannot_work_is_said_before_a_call() -> None:
    model = FakeModel("x")
    with pytest.raises(UsageError, match="validation"):
        FewShotDistil(model, right).run(TRAINING)
    with pytest.raises(UsageError, match="max_tokens=1"):
        FewShotDistil(model, right, max_tokens=1).run(TRAINING, VALIDATION)
    assert model.requests == []


class TestWithShots(ChatModelContract[WithShots]):
    def make(self) -> WithShots:
        return WithShots(FakeModel("an answer"), TRAINING[:2])


class TestFewShotDistil(FineTuneJobContract[FewShotDistil]):
    def make(self) -> FewShotDistil:
        return FewShotDistil(FakeModel("good"), right)
