"""A search: combinations raced, pruned by ablation, believed on held-out samples only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmopt import BM25, Budget, Document, Evaluator, ExactMatch, Pipeline, Sample
from llmopt.errors import ModelUnavailableError, UsageError
from llmopt.experiments import Search, SearchResult
from llmopt.experiments.holding_out import hold_out
from llmopt.interfaces import ChatModel
from llmopt.prompting import Direct
from llmopt.testing import FakeModel
from llmopt.types import Completion, Message, Options, Usage

SAMPLES = [Sample(question=f"question {n}?", id=f"s{n}", reference="yes") for n in range(240)]
EVALUATOR = Evaluator([ExactMatch()], progress=False)
DOCUMENTS = [Document("a", "a cat"), Document("b", "a dog")]


def chance(*parts: object) -> float:
    """Return a number between 0 and 1 that the parts decide."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big") / 2**32


@dataclass(repr=False)
class Skilled(ChatModel):
    """A model that is right on a share of the questions that its prompt and its own skill add up to."""

    skill: float = 0.4
    salt: str = ""
    cost: float = 0.0

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Answer."""
        system = " ".join(message.content for message in messages[:-1])
        share = self.skill + 0.2 * ("carefully" in system) - 0.3 * ("Rush" in system)
        right = chance(self.salt, messages[-1].content) < share
        return Completion("yes" if right else "no", Usage(5, 1, calls=1), cost=self.cost)

    def price(self, usage: Usage) -> float:
        """Return the cost of the calls."""
        return self.cost * max(1, usage.calls)


BASE = Pipeline(model=Skilled(), prompt=Direct("Answer."))
SPACE: Mapping[str, Sequence[object]] = {
    "model": [Skilled(0.2), Skilled(0.6)],
    "prompt.instructions": ["Answer carefully.", "Rush!"],
    "k": [3, 7],
}


def search(**options: object) -> Search:
    return Search(EVALUATOR, "exact_match", **options)  # type: ignore[arg-type]  # any parameter


@pytest.fixture(scope="module", name="result")
def found() -> SearchResult:
    return search().run(BASE, SPACE, SAMPLES)


def test_the_best_combination_wins_without_the_part_that_brings_nothing(result: SearchResult) -> None:
    assert result.improved
    assert {part.path for part in result.ablation if part.kept} == {"model", "prompt.instructions"}
    assert result.best.model == Skilled(0.6)
    assert result.best.k == BASE.k
    assert result.possible == 26
    assert len(result.trials) == 26


def test_each_part_is_shown_with_what_it_brings(result: SearchResult) -> None:
    for part in result.ablation:
        gain = part.comparison.difference
        assert gain.value is not None
        assert gain.low is not None
        assert part.kept == (gain.low > 0), part
        assert abs(gain.value - 0.2 * part.kept) < 0.12


def test_the_rungs_lead_from_the_baseline_to_the_winner_one_part_at_a_time(result: SearchResult) -> None:
    kept = [rung for rung in result.rungs if rung.verdict.decision == "keep"]
    parts = [part.path for part in result.ablation if part.kept]
    assert kept[0].change is None
    assert [rung.change.path for rung in kept[1:] if rung.change] == parts
    assert kept[-1].pipeline.fingerprint() == result.best.fingerprint()
    means = [rung.score("exact_match").value or 0.0 for rung in kept]
    assert means == sorted(means)


def test_the_held_out_samples_are_in_no_decision(result: SearchResult) -> None:
    assert result.confirmed is not None
    seen = {row.sample.id for rung in result.rungs for row in rung.report.rows}
    assert result.confirmed.difference.n + len(seen) == len(SAMPLES)


def test_the_worse_half_leaves_after_every_round() -> None:
    result = search(batch=8).run(BASE, {"model": [Skilled(n / 10) for n in (1, 2, 3, 5, 6, 7, 8, 9)]}, SAMPLES)
    whole = len(hold_out(SAMPLES, 0.4).seen)
    assert [trial.samples for trial in result.trials] == [whole, 56, 24, 24, 8, 8, 8, 8]
    assert [trial.fate for trial in result.trials][:2] == ["won", "left in round 3"]


def test_the_luckiest_of_many_equals_is_not_believed() -> None:
    space = {"model": [Skilled(0.4, f"salt {n}") for n in range(20)]}
    result = search().run(BASE, space, SAMPLES)
    assert not result.improved
    assert result.best is BASE
    assert "the baseline stays" in str(result)
    assert all(rung.verdict.decision != "keep" for rung in result.rungs[1:])


def test_searches_among_equals_hardly_ever_believe_the_winner() -> None:
    space = {"model": [Skilled(0.5, f"salt {n}") for n in range(8)]}
    found = [
        search(seed=number, batch=8).run(
            BASE.but(model=Skilled(0.5)), space, [Sample(question=f"{number} {n}", reference="yes") for n in range(60)]
        )
        for number in range(8)
    ]
    assert sum(result.improved for result in found) <= 1
    looks = [result.trials[0].gain.value or 0.0 for result in found]
    assert sum(looks) / len(looks) > 0.05  # so much better the luckiest of equals looks in the race


def test_where_nothing_leads_nothing_is_spent_on_held_out_samples() -> None:
    result = search().run(BASE, {"model": [Skilled(0.1), Skilled(0.2)]}, SAMPLES)
    assert (result.winner, result.confirmed, result.best is BASE) == ("", None, True)
    assert [rung.name for rung in result.rungs] == ["baseline"]
    assert result.trials[0].fate == "did not lead the baseline"
    assert "no combination led the baseline" in str(result)


def test_the_same_seed_gives_the_same_search() -> None:
    one, other = (str(search(candidates=9, seed=3).run(BASE, SPACE, SAMPLES[:90])) for _ in range(2))
    assert one == other


def test_of_a_large_space_all_single_changes_and_some_others_are_tried() -> None:
    result = search(candidates=10).run(BASE, SPACE, SAMPLES[:60])
    names = [trial.name for trial in result.trials]
    assert len(names) == len(set(names)) == 10
    assert sum("," not in name for name in names) >= 6
    assert result.possible == 26
    few = search(candidates=3).run(BASE, SPACE, SAMPLES[:60])
    assert len(few.trials) == 3


def test_candidates_that_break_are_lines_in_the_table() -> None:
    space: Mapping[str, Sequence[object]] = {
        "model": [FakeModel(ModelUnavailableError("down")), Skilled(0.8)],
        "fetch": [2],
        "retriever": [BM25().index(DOCUMENTS)],
        "retriever.k1": [0.5],
    }
    result = search().run(BASE, space, SAMPLES)
    assert result.improved
    assert [part.path for part in result.ablation if part.kept] == ["model"]
    fates = {trial.name: trial.fate for trial in result.trials}
    assert "could not be made: UsageError" in fates["fetch=2"]
    assert "could not be made: UsageError" in fates["retriever.k1=0.5"]
    down = [trial for trial in result.trials if "Unavailable" in trial.name]
    assert down
    assert all(trial.missing == trial.samples for trial in down)
    assert "could not be made" in str(result)


def test_a_candidate_that_fails_where_it_is_hard_does_not_win_by_that() -> None:
    def reply(messages: Sequence[Message]) -> str | Exception:
        return "yes" if chance("", messages[-1].content) < 0.4 else ModelUnavailableError("too hard")

    result = search().run(BASE, {"model": [FakeModel(reply)]}, SAMPLES)
    assert not result.improved


@pytest.mark.parametrize("budget", [26 * 16 + 16 + 250, 900, 1500])
def test_a_budget_of_runs_is_kept_and_leaves_enough_to_confirm(budget: int) -> None:
    result = search(budget=budget).run(BASE, SPACE, SAMPLES)
    assert result.runs <= budget
    assert result.confirmed is not None
    assert result.stopped
    assert "stopped early" in str(result)


def test_a_budget_for_the_models_is_never_passed_and_the_folder_takes_the_search_up(tmp_path: Path) -> None:
    base = BASE.but(model=Skilled(cost=0.01))
    space = {"model": [Skilled(n / 10, cost=0.01) for n in range(5, 9)]}
    small, large = Budget(dollars=1.0), Budget(dollars=100.0)
    first = search(budget=small, folder=tmp_path / "search").run(base, space, SAMPLES)
    assert small.spent.dollars <= 1.0
    assert (first.improved, first.best is base) == (False, True)
    assert first.stopped
    second = search(budget=large, folder=tmp_path / "search").run(base, space, SAMPLES)
    assert second.improved
    alone = Budget(dollars=100.0)
    search(budget=alone).run(base, space, SAMPLES)
    assert large.spent.calls + small.spent.calls == alone.spent.calls


def test_a_search_pays_each_request_once() -> None:
    models = [FakeModel("no"), FakeModel("yes"), FakeModel("maybe")]
    base = BASE.but(model=models[0])
    search().run(base, {"model": models[1:], "k": [3, 7], "margin": [0.1]}, SAMPLES)
    for model in models:
        asked = [request[-1].content for request in model.requests]
        assert len(asked) == len(set(asked))
    assert len(models[1].requests) == len(SAMPLES)


def test_retrievers_over_other_passages_are_other_values() -> None:
    base = BASE.but(retriever=BM25().index(DOCUMENTS))
    same, other = BM25().index(DOCUMENTS), BM25().index(DOCUMENTS[:1])
    result = search().run(base, {"retriever": [same, other]}, SAMPLES[:60])
    assert result.possible == 1


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        ({}, "no value that the baseline does not have"),
        ({"k": [5]}, "no value that the baseline does not have"),
        ({"nothing": [5]}, "a Pipeline has no 'nothing'"),
        ({"notes": "Be brief."}, "must be a list"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(space: Mapping[str, Sequence[object]], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        search().run(BASE, space, SAMPLES)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"batch": 0}, "at least 1"),
        ({"held_out": 0.0}, "held out"),
        ({"budget": 50}, "does not allow a round"),
        ({"target": "speed"}, "not measured"),
    ],
)
def test_a_search_that_cannot_be_run_is_refused_before_anything_is_paid(
    options: dict[str, object], complaint: str
) -> None:
    model = FakeModel("yes")
    with pytest.raises(UsageError, match=complaint):
        Search(EVALUATOR, **{"target": "exact_match", **options}).run(  # type: ignore[arg-type]  # any parameter
            BASE.but(model=model), {"k": [3, 4]}, SAMPLES
        )
    assert model.requests == []


def test_a_baseline_without_a_figure_is_said_so() -> None:
    with pytest.raises(UsageError, match=r"no figure of 'exact_match' on the first 16 samples \(.*down"):
        search().run(BASE.but(model=FakeModel(ModelUnavailableError("down"))), {"k": [3]}, SAMPLES)
