"""Diagnosing pipelines from end to end: planted causes, noise, costs, and whatever users may give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from llmopt import (
    BM25,
    ContextRecall,
    Direct,
    Document,
    Evaluator,
    ExactMatch,
    Faithfulness,
    HeuristicJudge,
    Pipeline,
    Sample,
)
from llmopt.errors import ModelUnavailableError, SampleError, UsageError
from llmopt.evaluation import Application
from llmopt.experiments.diagnosis import Cause, Diagnosis, diagnose, plan_diagnosis
from llmopt.interfaces import Metric
from llmopt.models import Cached
from llmopt.retrieval import FunctionRetriever
from llmopt.testing import FakeJudge, FakeModel
from llmopt.testing.worlds import PLANTABLE, Skill, World, make_world
from llmopt.types import Answer, Completion, Hit, Message, Score, Usage

EXACT = Evaluator([ExactMatch()], progress=False)
CAT, DOG = Document("cat", "Cats sleep all day."), Document("dog", "Dogs bark all night.")
ASKED = [Sample(question="What do dogs do?", reference="bark", gold=["dog"], id="d")]
EVERY = dict.fromkeys(PLANTABLE, 0.06)


def diagnosed(world: World, **options: object) -> Diagnosis:
    settings = {"corpus": world.documents, "judge": world.judge, **options}
    return diagnose(world.pipeline, world.samples, world.evaluator, "exact_match", **settings)  # type: ignore[arg-type]


def reader(messages: Sequence[Message]) -> str:
    return "bark" if "Dogs bark" in messages[-1].content else "no idea"


def pipeline_of(*documents: Document, k: int = 1) -> Pipeline:
    return Pipeline(model=FakeModel(reader), prompt=Direct(), retriever=BM25().index(documents), k=k)


@pytest.mark.parametrize("evidence", [True, False])
def test_every_planted_cause_is_found_with_a_reader_that_makes_no_slips(evidence: bool) -> None:
    world = make_world(EVERY, samples=70, skill=Skill(right=1, luck=0), evidence=evidence)
    diagnosis = diagnosed(world)
    assert {finding.sample.id: finding.cause for finding in diagnosis} == {
        id: cause for id, cause in world.planted.items() if cause is not None
    }
    assert diagnosis.total == 70


@pytest.mark.parametrize(
    ("seed", "skill"),
    [(1, Skill(0.97, 0.02)), (2, Skill(0.9, 0.05, 0.1)), (3, Skill(0.8, 0.1)), (4, Skill(0.75, 0.2, 0.05))],
)
def test_the_shares_are_recovered_with_readers_that_slip_and_guess(seed: int, skill: Skill) -> None:
    planted: dict[Cause, float] = {"not fetched": 0.2, "drowned": 0.1, "reasoning": 0.1, "format": 0.05}
    world = make_world(planted, samples=70, skill=skill, seed=seed)
    diagnosis = diagnosed(world)
    for cause, truth in world.shares.items():
        share = diagnosis.share(cause)
        assert share.low is not None
        assert share.high is not None
        assert share.low <= truth <= share.high, cause


def test_a_pipeline_that_is_only_unsteady_fails_by_noise() -> None:
    world = make_world({}, samples=100, skill=Skill(0.8, 0.1))
    diagnosis = diagnosed(world)
    assert diagnosis.axes["measurement"].value == pytest.approx(diagnosis.failed / 100, abs=0.02)
    assert len(diagnosis.by_cause("noise")) >= 0.9 * diagnosis.failed


def test_repeats_are_asked_afresh_through_a_cache(tmp_path: Path) -> None:
    replies = iter(["wrong", "bark", "bark", "bark"])
    model = Cached(FakeModel(lambda _: next(replies)), tmp_path / "replies.db")
    pipeline = Pipeline(model=model, prompt=Direct())
    (finding,) = diagnose(pipeline, ASKED, EXACT, "exact_match")
    assert finding.cause == "noise"
    assert finding.scores["current"] == (0.0, 1.0, 1.0, 1.0)


def test_a_pipeline_that_says_the_same_is_asked_once_under_each_condition() -> None:
    pipeline = pipeline_of(CAT, DOG)
    samples = [Sample(question="Why do cats sleep?", reference="bark", gold=["dog"])]
    diagnosis = diagnose(pipeline, samples, EXACT, "exact_match", repeats=5)
    assert [len(diagnosis.findings[0].scores[condition]) for condition in ("current", "gold", "none")] == [2, 1, 1]
    assert any("word by word" in caveat for caveat in diagnosis.caveats)
    assert isinstance(pipeline.model, FakeModel)
    assert len(pipeline.model.requests) == 1 + 3
    assert diagnosis.spent.usage.calls == 3


def test_a_report_that_is_there_is_not_made_again() -> None:
    pipeline = pipeline_of(CAT, DOG)
    report = EXACT.run(ASKED, pipeline=pipeline)
    assert diagnose(pipeline, ASKED, EXACT, "exact_match", report=report).report is report
    with pytest.raises(UsageError, match="not about these samples"):
        diagnose(pipeline, [*ASKED, Sample(question="?", reference="x", id="new")], EXACT, "exact_match", report=report)


def test_the_plan_is_not_exceeded() -> None:
    world = make_world({"not fetched": 0.5}, samples=20, skill=Skill(0.9, 0.1))
    plan = plan_diagnosis(world.pipeline, world.samples, world.evaluator, "exact_match")
    diagnosis = diagnosed(world)
    assert diagnosis.report.spent().usage.calls + diagnosis.spent.usage.calls <= plan.calls == 20 + 20 * 9
    later = plan_diagnosis(world.pipeline, world.samples, world.evaluator, "exact_match", report=diagnosis.report)
    assert diagnosis.spent.usage.calls <= later.calls == 9 * diagnosis.failed


def test_a_rerun_that_fails_does_not_end_the_rest() -> None:
    def broken(messages: Sequence[Message]) -> Completion | Exception:
        text = messages[-1].content
        return ModelUnavailableError("down") if "Dogs bark" in text else Completion("no idea", Usage(calls=1))

    pipeline = pipeline_of(CAT, DOG).but(model=FakeModel(broken))
    samples = [Sample(question="Why do cats sleep?", reference="bark", gold=["dog"])]
    diagnosis = diagnose(pipeline, samples, EXACT, "exact_match")
    assert diagnosis.findings[0].cause == "undetermined"
    assert "ModelUnavailableError" in diagnosis.findings[0].reason
    assert any("failed and say nothing: 1" in caveat for caveat in diagnosis.caveats)


def test_a_run_that_breaks_off_is_an_error_and_not_asked_again() -> None:
    model = FakeModel(ModelUnavailableError("down"))
    diagnosis = diagnose(Pipeline(model=model, prompt=Direct()), ASKED, EXACT, "exact_match")
    assert [finding.cause for finding in diagnosis] == ["error"]
    assert len(model.requests) == 1


def test_the_judge_of_the_metrics_tells_a_suspect_label() -> None:
    judge = FakeJudge({"They howl.": True})
    evaluator = Evaluator([ExactMatch(), Faithfulness(judge)], progress=False)
    pipeline = Pipeline(model=FakeModel("They howl."), prompt=Direct(), retriever=BM25().index([CAT, DOG]), k=1)
    diagnosis = diagnose(pipeline, ASKED, evaluator, "exact_match")
    assert [finding.cause for finding in diagnosis] == ["suspect label"]


def test_without_gold_the_reference_s_words_stand_in_and_the_place_stays_open() -> None:
    samples = [Sample(question="Why do cats sleep?", reference="bark")]
    diagnosis = diagnose(pipeline_of(CAT, DOG), samples, EXACT, "exact_match")
    assert [finding.cause for finding in diagnosis] == ["context, place unknown"]
    assert any("No gold passages are named" in caveat for caveat in diagnosis.caveats)


def test_without_gold_and_without_a_passage_to_stand_in_nothing_is_made_up() -> None:
    samples = [Sample(question="Why do cats sleep?", reference="photosynthesis")]
    diagnosis = diagnose(pipeline_of(CAT, DOG), samples, EXACT, "exact_match")
    assert [finding.cause for finding in diagnosis] == ["undetermined"]


def test_samples_without_references_are_refused_before_anything_is_paid_for() -> None:
    pipeline = pipeline_of(CAT, DOG)
    with pytest.raises(SampleError, match="needs `reference`"):
        diagnose(pipeline, [Sample(question="Why?")], EXACT, "exact_match")
    assert isinstance(pipeline.model, FakeModel)
    assert not pipeline.model.requests


def test_a_metric_that_is_undefined_everywhere_is_said() -> None:
    evaluator = Evaluator([Faithfulness(FakeJudge())], progress=False)
    pipeline = Pipeline(model=FakeModel("an answer"), prompt=Direct())
    diagnosis = diagnose(pipeline, [Sample(question="Why?")] * 1, evaluator, "faithfulness")
    assert (diagnosis.total, diagnosis.failed, len(diagnosis)) == (0, 0, 0)
    assert "no sample has a figure of faithfulness" in str(diagnosis)
    assert "Left out" in str(diagnosis)


def test_nothing_to_diagnose_is_said() -> None:
    diagnosis = diagnose(pipeline_of(CAT, DOG), ASKED, EXACT, "exact_match")
    assert str(diagnosis).startswith("none of 1 samples fails on exact_match")
    assert "add harder questions" in str(diagnosis)
    assert list(diagnosis.shares) == []


def test_a_single_failed_sample_has_a_wide_interval() -> None:
    diagnosis = diagnose(Pipeline(model=FakeModel("no"), prompt=Direct()), ASKED, EXACT, "exact_match")
    share = diagnosis.shares[0].share
    assert (share.value, share.n) == (1.0, 1)
    assert share.low is not None
    assert share.low < 0.1
    assert any("No more than 1 sample" in caveat for caveat in diagnosis.caveats)


def test_a_pipeline_without_a_retriever_fetches_nothing() -> None:
    pipeline = Pipeline(model=FakeModel(reader), prompt=Direct())
    diagnosis = diagnose(pipeline, ASKED, EXACT, "exact_match", corpus=[CAT, DOG])
    assert [finding.cause for finding in diagnosis] == ["not fetched"]
    assert diagnosis.suggestions[0].changes


def test_an_index_that_lacks_the_document_is_told_without_having_it() -> None:
    diagnosis = diagnose(pipeline_of(CAT), ASKED, EXACT, "exact_match")
    assert [finding.cause for finding in diagnosis] == ["missing from corpus"]
    assert any("'dog'. Known are 'cat': mend the ids, or give `corpus`" in caveat for caveat in diagnosis.caveats)


def test_gold_that_no_document_of_a_given_corpus_is_called_is_named_beside_what_they_are_called() -> None:
    samples = [Sample(question="What do dogs do?", reference="bark", gold=["Dog"])]
    diagnosis = diagnose(pipeline_of(CAT), samples, EXACT, "exact_match", corpus=[CAT, DOG])
    assert any("'Dog'. Known are 'cat', 'dog': mend the ids, or add" in caveat for caveat in diagnosis.caveats)


def test_a_metric_of_contexts_that_fails_the_gold_passages_speaks_against_the_label_not_the_model() -> None:
    samples = [Sample(question="What do dogs do?", reference="They swim in rivers.", gold=["dog"])]
    evaluator = Evaluator([ContextRecall(HeuristicJudge())], progress=False)
    diagnosis = diagnose(pipeline_of(CAT, DOG), samples, evaluator, "context_recall")
    assert [finding.cause for finding in diagnosis] == ["suspect label"]
    assert "the reference" in diagnosis.findings[0].reason
    assert [each.name for each in diagnosis.suggestions] == ["look at the labels"]


def test_the_metric_that_stands_lowest_is_named_where_nothing_fails() -> None:
    evaluator = Evaluator([ContextRecall(HeuristicJudge()), ExactMatch()], progress=False)
    pipeline = pipeline_of(CAT, DOG).but(model=FakeModel("no"))
    samples = [Sample(question="What do dogs do?", reference="Dogs bark all night.", gold=["dog"])]
    diagnosis = diagnose(pipeline, samples, evaluator, "context_recall")
    assert "exact_match stands lowest (0.000)" in diagnosis.caveats[0]


def test_samples_without_gold_of_which_nothing_can_be_told_are_to_be_given_some() -> None:
    samples = [Sample(question="What do dogs do?", reference="swim")]
    diagnosis = diagnose(pipeline_of(CAT, DOG), samples, EXACT, "exact_match")
    assert [finding.cause for finding in diagnosis] == ["undetermined"]
    assert [each.name for each in diagnosis.suggestions] == ["name the gold passages"]


def test_a_retriever_that_does_not_say_what_it_holds_leaves_the_place_open() -> None:
    def search(query: str, k: int) -> list[Hit]:
        return [Hit(CAT, 1.0)]

    pipeline = Pipeline(model=FakeModel(reader), prompt=Direct(), retriever=FunctionRetriever(search), k=1)
    diagnosis = diagnose(pipeline, ASKED, EXACT, "exact_match", corpus=[CAT, DOG])
    assert [finding.cause for finding in diagnosis] == ["context, place unknown"]
    assert any("does not say what it holds" in caveat for caveat in diagnosis.caveats)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer("no idea", [Hit(CAT, 1.0)]), "context, place unknown"),
        (Answer("no idea", [Hit(DOG, 1.0)]), "undetermined"),
        (Answer("I don't know.", [Hit(DOG, 1.0)]), "refusal"),
        (Answer("They bark loudly, I guess.", [Hit(DOG, 1.0)]), "format"),
        (Answer("no idea"), "undetermined"),
    ],
)
def test_of_an_application_only_what_can_be_seen_is_told(answer: Answer, cause: Cause) -> None:
    def feature(question: str) -> Answer:
        return answer

    diagnosis = diagnose(Application(feature), ASKED, EXACT, "exact_match", corpus=[CAT, DOG])
    assert [finding.cause for finding in diagnosis] == [cause]
    assert any("cannot be given other contexts" in caveat for caveat in diagnosis.caveats)
    assert diagnosis.suggestions == []


def test_an_unanswerable_question_that_is_answered_is_an_instruction_not_followed() -> None:
    samples = [Sample(question="Why do cats fly?", reference="unanswerable", answerable=False)]
    (finding,) = diagnose(pipeline_of(CAT, DOG), samples, EXACT, "exact_match")
    assert finding.cause == "instruction"


@pytest.mark.parametrize("options", [{"repeats": 0}, {"gold_tokens": 0}])
def test_numbers_below_one_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        diagnose(pipeline_of(CAT), ASKED, EXACT, "exact_match", **options)  # type: ignore[arg-type]  # either option


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(UsageError, match="is not measured"):
        diagnose(pipeline_of(CAT), ASKED, EXACT, "exactness")


def test_it_prints_the_causes_what_to_try_and_what_cannot_be_told() -> None:
    world = make_world({"ranked below k": 0.3, "reasoning": 0.2}, samples=40, skill=Skill(right=1, luck=0))
    text = str(diagnosed(world, judge=None))
    for words in ("fail on exact_match", "ranked below k", "ladder.step(", "What this cannot tell", "behaviour: "):
        assert words in text
    assert diagnosed(world).table().rows[0][0] == "ranked below k"


def test_a_metric_that_fails_is_an_error_of_the_measurement() -> None:
    class Broken(Metric):
        """A metric that breaks."""

        def measure(self, sample: Sample) -> Score:
            raise ValueError("out of order")

    model = FakeModel("an answer")
    evaluator = Evaluator([Broken()], progress=False)
    (finding,) = diagnose(Pipeline(model=model, prompt=Direct()), ASKED, evaluator, "broken")
    assert (finding.cause, finding.axis) == ("error", "measurement")
    assert "out of order" in finding.reason
    assert len(model.requests) == 1
