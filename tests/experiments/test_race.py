"""Races of many candidates, better instructions, better examples: believed on held-out samples only."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest

from llmopt._fences import read_fences
from llmopt.errors import ModelOutputError, ModelUnavailableError, UsageError
from llmopt.evaluation import Evaluator, ExactMatch
from llmopt.experiments.improve import choose_shots, improve_instructions
from llmopt.experiments.race import Race, RaceResult
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


def half_obeying(messages: Sequence[Message]) -> str:
    """Answer even questions rightly when told "Even.", odd ones when told "Odd."."""
    even = int(messages[-1].content.split()[1].strip("?")) % 2 == 0
    return "yes" if ("Even." if even else "Odd.") in messages[0].content else "no"


def in_rounds(model: FakeModel, *, rounds: int, budget: int | None = None) -> tuple[RaceResult, FakeModel]:
    """Return what comes of so many rounds over `half_obeying`, and that model."""
    answering = FakeModel(half_obeying)
    pipeline = Pipeline(model=answering, prompt=Direct("Answer."))
    searched = race(batch=4, budget=budget)
    return improve_instructions(searched, pipeline, SAMPLES, model, candidates=2, rounds=rounds), answering


def rounds_of(*rounds: Sequence[str]) -> FakeModel:
    return FakeModel(script=[json.dumps({"instructions": texts}) for texts in rounds], reply='{"instructions": []}')


def test_a_round_begins_with_the_winner_of_the_one_before() -> None:
    model = rounds_of(["Even.", "Be kind."], ["Even. Odd.", "Odd."])
    result, answering = in_rounds(model, rounds=2)
    assert (result.winner, result.improved) == ("proposal 3", True)
    assert "Even. Odd." in repr(result.pipeline.prompt)
    assert len(answering.requests) == result.runs
    assert [entrant.name for entrant in result.entrants][-1] == "baseline"
    assert sorted(entrant.name for entrant in result.entrants) == ["baseline", *(f"proposal {n}" for n in range(1, 5))]
    present, *shown = read_fences(model.requests[1][1].content)
    assert present.text == "Even."
    tried = {fenced.text: fenced.label for fenced in shown if fenced.label.startswith("tried")}
    assert set(tried) == {"Answer.", "Even.", "Be kind."}
    assert tried["Answer."] == "tried, score 0.00"
    assert all("Answer: no" in fenced.text for fenced in shown if fenced.label.startswith("case"))


def test_the_first_samples_that_proposals_run_on_are_not_those_shown() -> None:
    model = rounds_of(["Odd.", "Even."])
    _, answering = in_rounds(model, rounds=1)
    shown = model.requests[0][1].content
    raced = [messages[-1].content for messages in answering.requests if messages[0].content == "Odd."][:4]
    assert not any(f"Question: {question}\n" in shown for question in raced)


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_the_budget_holds_for_all_rounds_together(rounds: int) -> None:
    unseen = len(race().parts(SAMPLES)[1])
    for spare in (0, 7, 40):
        budget = 2 * unseen + 8 + 3 * 4 + spare
        model = rounds_of(*([f"Be {number}.", f"Do {number}."] for number in range(rounds)))
        result, answering = in_rounds(model, rounds=rounds, budget=budget)
        assert len(answering.requests) == result.runs <= budget


def test_rounds_end_when_nothing_fails_or_nothing_is_new() -> None:
    right = rounds_of(["Even. Odd."], ["never asked"])
    assert in_rounds(right, rounds=9)[0].winner == "proposal 1"
    assert len(right.requests) == 1
    stale = rounds_of(["Even."], ["Answer.", "Even. "], ["never asked"])
    assert in_rounds(stale, rounds=9)[0].winner == "proposal 1"
    assert len(stale.requests) == 2


def test_a_pipeline_that_fails_nowhere_is_left_as_it_is() -> None:
    model = proposing("never asked")
    result = improve_instructions(race(), Pipeline(model=FakeModel("yes"), prompt=Direct()), SAMPLES, model)
    assert (result.winner, result.comparison, len(model.requests)) == ("", None, 0)


@pytest.mark.parametrize(("rounds", "candidates"), [(0, 1), (1, 0)])
def test_no_rounds_or_no_candidates_are_refused(rounds: int, candidates: int) -> None:
    pipeline = Pipeline(model=FakeModel("x"), prompt=Direct("Answer."))
    with pytest.raises(UsageError, match="rounds and candidates"):
        improve_instructions(race(), pipeline, SAMPLES, proposing("x"), candidates=candidates, rounds=rounds)


def test_a_budget_below_one_round_is_refused_before_anything_is_paid() -> None:
    answering = FakeModel("no")
    pipeline, unseen = Pipeline(model=answering, prompt=Direct()), len(race().parts(SAMPLES)[1])
    with pytest.raises(UsageError, match=f"it takes {2 * unseen + 16 + 7 * 8}"):
        improve_instructions(race(budget=2 * unseen + 16 + 7 * 8 - 1), pipeline, SAMPLES, proposing("x"))
    assert answering.requests == []


def test_a_tie_leaves_the_baseline() -> None:
    base = right_in(0.5, 1)
    result = race().run(base, {"the same": right_in(0.5, 1)}, SAMPLES)
    assert (result.winner, result.pipeline is base) == ("", True)


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


def test_instructions_are_not_improved_where_no_answer_has_a_score() -> None:
    model = FakeModel(script=[ModelUnavailableError("down")] * 16)
    samples = [Sample(question=f"q{n}?", reference="yes") for n in range(40)]
    race = Race(Evaluator([ExactMatch()], progress=False), "exact_match", batch=8)
    with pytest.raises(UsageError, match="down"):
        improve_instructions(race, Pipeline(model=model, prompt=Direct("Answer.")), samples, FakeModel("unused"))
