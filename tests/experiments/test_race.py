"""Races of many candidates, better instructions, better examples: believed on held-out samples only."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest

from llmopt._fences import read_fences
from llmopt.errors import ModelOutputError, UsageError
from llmopt.evaluation import Evaluator, ExactMatch
from llmopt.experiments.improve import choose_shots, improve_instructions
from llmopt.experiments.race import Race
from llmopt.interfaces import ChatModel
from llmopt.pipeline import Pipeline
from llmopt.prompting import ChainOfThought, Direct, SelfConsistency, Shot
from llmopt.testing import FakeModel
from llmopt.types import Answer, Hit, Message, Sample

SAMPLES = [Sample(question=f"question {number}?", id=f"s{number}", reference="yes") for number in range(80)]
EVALUATOR = Evaluator([ExactMatch()], progress=False)


def right_in(share: float, seed: int) -> Pipeline:
    """Return a pipeline that is right on that share of the questions."""

    def reply(messages: Sequence[Message]) -> str:
        return "yes" if random.Random(f"{seed} {messages[-1].content}").random() < share else "no"

    return Pipeline(model=FakeModel(reply), prompt=Direct())


def race(*, batch: int = 8, budget: int | None = None, held_out: float = 0.4) -> Race:
    return Race(EVALUATOR, "exact_match", batch, budget, held_out)


def test_a_candidate_that_is_much_better_wins_and_proves_it_on_held_out_samples() -> None:
    others = {"bad": right_in(0.2, 1), "good": right_in(0.95, 2), "same": right_in(0.4, 3), "worse": right_in(0.1, 4)}
    result = race().run(right_in(0.4, 0), others, SAMPLES)
    assert (result.winner, result.improved) == ("good", True)
    assert result.pipeline is others["good"]
    assert result.comparison is not None
    assert result.comparison.difference.n == len(race().parts(SAMPLES)[1])
    assert "better beyond its error bar" in str(result)


def test_the_luckiest_of_many_equals_does_not_win() -> None:
    others = {f"candidate {seed}": right_in(0.5, seed) for seed in range(1, 13)}
    base = right_in(0.5, 0)
    result = race().run(base, others, SAMPLES)
    assert result.pipeline is base
    assert not result.improved
    assert "baseline" in str(result)


def test_without_a_lead_nothing_is_spent_on_held_out_samples() -> None:
    base = right_in(1.0, 0)
    result = race().run(base, {"a": right_in(0.1, 1), "b": right_in(0.2, 2)}, SAMPLES)
    assert (result.winner, result.comparison, result.pipeline is base) == ("", None, True)
    assert result.runs == sum(entrant.samples for entrant in result.entrants)


def test_the_worse_half_leaves_after_every_round() -> None:
    others = {str(seed): right_in(seed / 10, seed) for seed in range(1, 9)}
    result = race(batch=4).run(right_in(0.0, 0), others, SAMPLES)
    samples = {entrant.name: entrant.samples for entrant in result.entrants}
    assert sorted(samples.values()) == [4, 4, 4, 4, 12, 12, 28, 28, 28]
    assert samples["baseline"] == 28


def test_the_budget_is_kept() -> None:
    others = {str(seed): right_in(seed / 10, seed) for seed in range(1, 9)}
    unseen = len(race().parts(SAMPLES)[1])
    for budget in (9 * 4 + 2 * unseen, 9 * 4 + 5 * 8 + 2 * unseen + 3):
        result = race(batch=4, budget=budget).run(right_in(0.0, 0), others, SAMPLES)
        assert result.runs <= budget


@pytest.mark.parametrize(
    ("refused", "complaint"),
    [
        (race(budget=50), "does not allow a round"),
        (race(batch=0), "batch of at least 1"),
        (race(held_out=0), "held out"),
    ],
)
def test_a_race_that_cannot_be_run_is_refused_before_anything_is_paid(refused: Race, complaint: str) -> None:
    candidate = right_in(1, 1)
    with pytest.raises(UsageError, match=complaint):
        refused.run(right_in(0, 0), {"a": candidate}, SAMPLES)
    assert isinstance(candidate.model, FakeModel)
    assert candidate.model.requests == []


def test_no_candidates_and_unknown_targets_are_refused() -> None:
    with pytest.raises(UsageError, match="needs candidates"):
        race().run(right_in(0, 0), {}, SAMPLES)
    with pytest.raises(UsageError, match="not measured"):
        Race(EVALUATOR, "speed").run(right_in(0, 0), {"a": right_in(1, 1)}, SAMPLES)


def test_groups_stay_on_one_side() -> None:
    grouped = [Sample(question=f"q{n}?", id=f"s{n}", reference="x", group=f"g{n // 4}") for n in range(80)]
    racing, unseen = race().parts(grouped)
    assert racing
    assert unseen
    assert not {sample.group for sample in racing} & {sample.group for sample in unseen}


def obeying(messages: Sequence[Message]) -> str:
    """Answer rightly when told to say yes."""
    return "yes" if "Say yes." in messages[0].content else "Perhaps."


def proposing(*texts: str) -> FakeModel:
    return FakeModel(json.dumps({"instructions": texts}))


@pytest.mark.parametrize("prompt", [Direct("Answer."), SelfConsistency(Direct("Answer."), samples=1)])
def test_instructions_are_improved_from_the_failures_shown(prompt: Direct | SelfConsistency) -> None:
    model = proposing("Be brief.", "Say yes.", "Answer.", "Be polite.")
    pipeline = Pipeline(model=FakeModel(obeying), prompt=prompt)
    result = improve_instructions(race(), pipeline, SAMPLES, model)
    assert (result.winner, result.improved) == ("proposal 2", True)
    assert "Say yes." in repr(result.pipeline.prompt)
    assert type(result.pipeline.prompt) is type(prompt)
    instructions, *cases = read_fences(model.requests[0][1].content)
    assert instructions.text == "Answer."
    assert len(cases) == 6
    assert "Answer: Perhaps.\nRight answer: yes\nScore: 0.00" in cases[0].text


def test_no_held_out_sample_is_shown_to_the_proposing_model() -> None:
    model = proposing("Say yes.")
    improve_instructions(race(), Pipeline(model=FakeModel(obeying), prompt=Direct("x")), SAMPLES, model)
    shown = model.requests[0][1].content
    assert not any(f"Question: {sample.question}\n" in shown for sample in race().parts(SAMPLES)[1])


def test_proposals_that_are_no_news_are_a_typed_error() -> None:
    pipeline = Pipeline(model=FakeModel(obeying), prompt=Direct("Answer."))
    with pytest.raises(ModelOutputError, match="no instructions that differ"):
        improve_instructions(race(), pipeline, SAMPLES, proposing("Answer. ", " "))


def test_a_strategy_without_instructions_is_refused() -> None:
    class Bare(Direct):
        def params(self) -> dict[str, object]:
            return {}

    with pytest.raises(UsageError, match="no `instructions`"):
        improve_instructions(race(), Pipeline(model=FakeModel("x"), prompt=Bare()), SAMPLES, proposing("x"))


def copying(messages: Sequence[Message]) -> str:
    """Answer as the examples do, by majority."""
    answers = [message.content for message in messages if message.role == "assistant"]
    return max(sorted(set(answers)), key=answers.count, default="no")


def test_examples_that_help_are_found() -> None:
    shots = [Shot(f"an example {number}", "yes" if number < 4 else "no") for number in range(8)]
    pipeline = Pipeline(model=FakeModel(copying), prompt=Direct())
    result = choose_shots(race(), pipeline, shots, SAMPLES, count=3, candidates=8)
    assert result.improved
    assert result.pipeline.run("anything?").text == "yes"


def test_examples_go_inside_strategies_of_several_calls() -> None:
    shots = [Shot(f"an example {number}", "yes") for number in range(3)]
    prompt = SelfConsistency(ChainOfThought(Direct()), samples=1)
    result = choose_shots(race(), Pipeline(model=FakeModel(copying), prompt=prompt), shots, SAMPLES, count=2)
    assert isinstance(result.pipeline.prompt, SelfConsistency)
    assert "FewShot" in repr(result.pipeline.prompt.inner)


class Chained(Direct):
    """A strategy of several calls without one inside."""

    async def solve(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Answer:
        raise AssertionError("not asked")


def test_choices_that_cannot_be_drawn_are_refused() -> None:
    pipeline = Pipeline(model=FakeModel("x"), prompt=Direct())
    with pytest.raises(UsageError, match="cannot be drawn"):
        choose_shots(race(), pipeline, [Shot("a", "b")], SAMPLES, count=2)
    with pytest.raises(UsageError, match="examples have no place"):
        choose_shots(race(), pipeline.but(prompt=Chained()), [Shot("a", "b")], SAMPLES, count=1)
