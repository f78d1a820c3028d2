"""What is suggested: real single changes that fit the pipeline, by gain per cost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llmopt import BM25, Dense, Direct, Document, Evaluator, ExactMatch, Grounded, Hybrid, LatentSemantic, Pipeline
from llmopt.experiments import Ladder, differences
from llmopt.experiments.diagnosis import Cause, Diagnosis, diagnose
from llmopt.experiments.diagnosis.scene import is_free, rebuilt
from llmopt.prompting import ChainOfThought, SelfConsistency
from llmopt.retrieval import MultiQuery
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.testing.worlds import Skill, World, make_world

PERFECT = Skill(right=1, luck=0)
PLANTED: Sequence[Cause] = (
    "missing from corpus",
    "cut by chunking",
    "not fetched",
    "ranked below k",
    "drowned",
    "distracting",
    "format",
    "instruction",
    "reasoning",
    "refusal",
    "suspect label",
)


def found_in(world: World, pipeline: Pipeline | None = None) -> Diagnosis:
    return diagnose(
        pipeline or world.pipeline,
        world.samples,
        world.evaluator,
        "exact_match",
        corpus=world.documents,
        judge=world.judge,
    )


@pytest.mark.parametrize("cause", PLANTED)
def test_every_cause_has_an_experiment_against_it_and_ready_changes_are_one_change(cause: Cause) -> None:
    world = make_world({cause: 0.5}, samples=12, skill=PERFECT)
    diagnosis = found_in(world)
    assert {finding.cause for finding in diagnosis} == {cause}
    assert diagnosis.suggestions
    for suggestion in diagnosis.suggestions:
        assert suggestion.cause == cause
        assert suggestion.code
        if suggestion.changes:
            assert len(differences(world.pipeline, world.pipeline.but(**suggestion.changes))) == 1


@pytest.mark.parametrize("cause", ["missing from corpus", "ranked below k", "cut by chunking", "drowned"])
def test_the_first_ready_suggestion_mends_what_it_is_against(cause: Cause) -> None:
    world = make_world({cause: 0.5}, samples=40, skill=PERFECT)
    suggestion = next(each for each in found_in(world).suggestions if each.changes)
    ladder = Ladder(world.pipeline, world.samples, world.evaluator, "exact_match", held_out=0)
    assert ladder.step(suggestion.name, **suggestion.changes).verdict.decision == "keep"


def test_more_contexts_are_not_suggested_where_none_is_ranked_too_low() -> None:
    world = make_world({"reasoning": 0.5}, samples=12, skill=PERFECT)
    assert not any("k" in suggestion.changes for suggestion in found_in(world).suggestions)


def test_a_strategy_that_is_there_is_not_suggested_again() -> None:
    world = make_world({"reasoning": 0.5}, samples=12, skill=PERFECT)
    thinking = world.pipeline.but(prompt=SelfConsistency(ChainOfThought(Direct()), samples=2))
    names = [suggestion.name for suggestion in found_in(world, thinking).suggestions]
    assert "think first" not in names
    assert "vote" not in names


def test_a_large_share_at_no_cost_comes_first() -> None:
    world = make_world({"ranked below k": 0.4, "reasoning": 0.1}, samples=60, skill=PERFECT)
    suggestions = found_in(world).suggestions
    worth = [each.gain / (1 + each.calls) for each in suggestions]
    assert worth == sorted(worth, reverse=True)
    assert suggestions[0].cause == "ranked below k"


def test_what_would_cost_to_build_is_written_and_not_built() -> None:
    class Dear(FakeEmbedder):
        """An embedder whose price nobody knows."""

    documents = [Document("a", "apples are red"), Document("b", "berries are blue")]
    retriever = Dense(Dear()).index(documents)
    assert not is_free(retriever)
    assert is_free(BM25())
    assert not is_free(MultiQuery(BM25(), FakeModel()))


def test_a_rebuilt_retriever_leaves_the_old_one_alone() -> None:
    documents = [Document("a", "apples are red"), Document("b", "berries are blue")]
    old = Hybrid([BM25(), Dense(LatentSemantic().fit(["apples", "berries"]))]).index(documents)
    new = rebuilt(old).index([documents[0]])
    assert len(old.documents) == 2
    assert len(new.documents) == 1


def test_a_refusal_of_a_grounded_prompt_suggests_other_instructions() -> None:
    model = FakeModel("I don't know.")
    documents = [Document("a", "The sky is blue."), Document("b", "Grass is green.")]
    pipeline = Pipeline(model=model, prompt=Grounded(), retriever=BM25().index(documents), k=1)
    world = make_world({}, samples=1)
    samples = [world.samples[0].__class__(question="What colour is the sky?", reference="blue", gold=["a"])]
    diagnosis = diagnose(pipeline, samples, Evaluator([ExactMatch()], progress=False), "exact_match")
    assert [each.name for each in diagnosis.suggestions] == ["plainer instructions", "a freer prompt"]
