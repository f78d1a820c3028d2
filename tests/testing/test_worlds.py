"""Simulated worlds: what is planted is there, and the reader is as good as it says."""

from __future__ import annotations

from typing import cast

import pytest

from llmopt import Options
from llmopt.errors import UsageError
from llmopt.experiments.diagnosis import Cause
from llmopt.testing.contracts import JudgeContract
from llmopt.testing.worlds import PLANTABLE, Skill, WorldJudge, make_world
from llmopt.types import Document


class TestWorldJudge(JudgeContract[WorldJudge]):
    def make(self) -> WorldJudge:
        return WorldJudge()


def test_a_reader_without_slips_fails_exactly_on_what_was_planted() -> None:
    world = make_world(dict.fromkeys(PLANTABLE, 0.06), samples=60, skill=Skill(right=1, luck=0))
    report = world.evaluator.run(world.samples, pipeline=world.pipeline)
    failed = {row.sample.id for row in report.rows if row.scores["exact_match"].value == 0}
    assert failed == {id for id, cause in world.planted.items() if cause is not None}


@pytest.mark.parametrize(
    ("cause", "rank"), [("not fetched", None), ("ranked below k", 5), ("missing from corpus", None), ("drowned", 1)]
)
def test_the_gold_passage_stands_where_its_cause_says(cause: Cause, rank: int | None) -> None:
    world = make_world({cause: 1}, samples=4)
    assert world.pipeline.retriever is not None
    for sample in world.samples:
        found = world.pipeline.retriever.retrieve(sample.question, k=world.pipeline.fetch)
        sources = [hit.document.source for hit in found]
        assert (sources.index(sample.gold[0]) + 1 if sample.gold[0] in sources else None) == rank


def test_a_cut_passage_stands_whole_in_the_documents_only() -> None:
    world = make_world({"cut by chunking": 1}, samples=1)
    (evidence,) = cast("tuple[str]", world.samples[0].metadata["evidence"])
    texts = [hit.document.text for hit in world.pipeline.contexts(world.samples[0].question)]
    assert not any(evidence in text for text in texts)
    assert any(evidence in document.text for document in world.documents)


def test_the_shares_say_what_fails_on_average() -> None:
    world = make_world({"drowned": 0.3}, samples=600, skill=Skill(0.8, 0.1), seed=5)
    mean = world.evaluator.run(world.samples, pipeline=world.pipeline).summary("exact_match").mean
    assert mean == pytest.approx(1 - sum(world.shares.values()), abs=0.06)
    assert world.shares == {"drowned": pytest.approx(0.27), "noise": pytest.approx(0.14)}


def test_equal_requests_get_equal_replies_and_other_replicates_other_draws() -> None:
    world = make_world({}, samples=1, skill=Skill(0.6, 0.4))
    messages = world.pipeline.preview(world.samples[0].question)
    replies = [world.pipeline.model.complete(messages, Options(replicate=n)).text for n in range(20)]
    assert replies == [world.pipeline.model.complete(messages, Options(replicate=n)).text for n in range(20)]
    assert len(set(replies)) > 1


@pytest.mark.parametrize("planted", [{"noise": 0.5}, {"drowned": 1.5}, {"drowned": -0.1}])
def test_what_cannot_be_planted_is_refused(planted: dict[Cause, float]) -> None:
    with pytest.raises(UsageError):
        make_world(planted)


@pytest.mark.parametrize("skill", [Skill(right=0.4), Skill(luck=0.6)])
def test_a_reader_that_is_worse_with_what_it_needs_is_refused(skill: Skill) -> None:
    with pytest.raises(UsageError):
        make_world({}, skill=skill)


def test_documents_are_whole() -> None:
    assert all(isinstance(each, Document) and each.parent is None for each in make_world({}, samples=3).documents)
