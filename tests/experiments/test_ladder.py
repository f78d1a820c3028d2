"""The ladder: one change, a fair comparison, an honest verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest

from llmopt import BM25, Dense, Document, Evaluator, Pipeline, Sample
from llmopt.errors import ModelUnavailableError, SampleError, UsageError
from llmopt.evaluation import ContextPrecision, ExactMatch, Faithfulness
from llmopt.experiments import Ladder, Limits
from llmopt.prompting import Direct
from llmopt.routing import Keyword
from llmopt.testing import FakeEmbedder, FakeJudge, FakeModel
from llmopt.types import Completion, Message, Usage

DOCUMENTS = [Document("a", "a cat"), Document("b", "a dog")]
SAMPLES = [Sample(question=f"question {n}?", id=f"s{n}", reference="yes") for n in range(200)]
EVALUATOR = Evaluator([ExactMatch()], progress=False)


def model_right_on(share: float, salt: str = "", *, cost: float = 0.0) -> FakeModel:
    """Return a model that answers that share of the questions right, always the same ones."""

    def reply(messages: Sequence[Message]) -> Completion:
        digest = hashlib.sha256(f"{salt}{messages[-1].content}".encode()).digest()
        right = int.from_bytes(digest[:4], "big") / 2**32 < share
        return Completion("yes" if right else "no", Usage(1, 1, calls=1), cost=cost)

    return FakeModel(reply)


BASE = Pipeline(model=model_right_on(0.5), prompt=Direct())


def ladder(**options: object) -> Ladder:
    make = {"held_out": 0.0, **options}
    return Ladder(BASE, SAMPLES, EVALUATOR, "exact_match", **make)  # type: ignore[arg-type]  # any parameter


def test_a_real_gain_is_kept_and_becomes_what_stands() -> None:
    climb = ladder()
    rung = climb.step("a better model", model=model_right_on(0.9))
    assert rung.verdict.decision == "keep"
    assert climb.top is rung
    assert [each.name for each in climb.rungs] == ["baseline", "a better model"]


def test_a_change_that_does_not_help_is_dropped() -> None:
    climb = ladder()
    rung = climb.step("a worse model", model=model_right_on(0.1))
    assert rung.verdict.decision == "drop"
    assert "does not help" in rung.verdict.reason
    assert climb.top.name == "baseline"


def test_a_small_gain_on_few_samples_is_undecided_and_says_how_many_would_tell() -> None:
    climb = Ladder(BASE, SAMPLES[:40], EVALUATOR, "exact_match", held_out=0.0)
    rung = climb.step("a little better", model=model_right_on(0.55))
    assert rung.verdict.decision == "undecided"
    assert rung.verdict.more > 10
    assert "more samples" in rung.verdict.reason


@pytest.mark.parametrize(("limits", "why"), [(Limits(dollars=0.001), "too dear"), (Limits(seconds=0.0), "too slow")])
def test_a_gain_beyond_the_limits_is_dropped(limits: Limits, why: str) -> None:
    rung = ladder(limits=limits).step("dear", model=model_right_on(0.9, cost=0.01))
    assert rung.verdict.decision == "drop"
    assert why in rung.verdict.reason


def test_an_unknown_price_is_not_zero() -> None:
    def reply(messages: Sequence[Message]) -> Completion:
        return Completion("yes", cost=None)

    rung = ladder(limits=Limits(dollars=1.0)).step("unpriced", model=FakeModel(reply))
    assert rung.verdict.decision == "drop"
    assert "unknown" in rung.verdict.reason


def test_more_than_one_change_is_refused_by_name_and_climb_takes_them_one_by_one() -> None:
    climb = ladder()
    with pytest.raises(UsageError, match=r"changes 2 things at once.*model.*k: 5 -> 3"):
        climb.step("both", model=model_right_on(0.9), k=3)
    rungs = climb.climb("both", model=model_right_on(0.9), k=3)
    assert [rung.name for rung in rungs] == ["both: model", "both: k"]
    assert [rung.verdict.decision for rung in rungs] == ["keep", "drop"]
    assert "no effect" in rungs[1].verdict.reason


def test_no_change_is_refused() -> None:
    with pytest.raises(UsageError, match="changes nothing"):
        ladder().step("nothing", k=5)


def test_a_target_that_is_not_measured_is_refused_before_anything_runs() -> None:
    model = model_right_on(0.5)
    with pytest.raises(UsageError, match="faithfulness"):
        Ladder(BASE.but(model=model), SAMPLES, EVALUATOR, "faithfulness").begin()
    assert model.requests == []


@pytest.mark.parametrize("options", [{"held_out": 1.0}, {"planned": 0}, {"level": 0.0}, {"samples": []}])
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    arguments: dict[str, object] = {"samples": SAMPLES, **options}
    samples = arguments.pop("samples")
    with pytest.raises(UsageError):
        Ladder(BASE, samples, EVALUATOR, "exact_match", **arguments).begin()  # type: ignore[arg-type]


def test_failing_answers_are_left_out_on_both_sides_and_counted() -> None:
    def reply(messages: Sequence[Message]) -> str | Exception:
        return ModelUnavailableError("down") if "7" in messages[-1].content else "yes"

    rung = ladder().step("sometimes down", model=FakeModel(reply))
    assert rung.comparison is not None
    assert rung.comparison.left_out == sum("7" in sample.question for sample in SAMPLES)
    assert rung.verdict.decision == "keep"


def test_one_sample_and_no_figure_at_all_are_said_so() -> None:
    one = Ladder(BASE, SAMPLES[:1], EVALUATOR, "exact_match", held_out=0.0)
    assert one.step("better", model=FakeModel("yes")).verdict.decision == "undecided"
    rung = ladder().step("dead", model=FakeModel(ModelUnavailableError("down")))
    assert rung.verdict.decision == "undecided"
    assert "no sample has a figure" in rung.verdict.reason
    assert "down" in rung.verdict.reason


def test_a_metric_that_is_undefined_everywhere_is_said_so_at_the_baseline() -> None:
    evaluator = Evaluator([Faithfulness(FakeJudge())], progress=False)
    climb = Ladder(BASE, SAMPLES[:20], evaluator, "faithfulness", held_out=0.0)
    assert "there are no contexts" in climb.begin().verdict.reason
    rung = climb.step("another model", model=FakeModel("yes"))
    assert (rung.verdict.decision, rung.comparison and rung.comparison.difference.value) == ("undecided", None)
    assert "no sample has a figure of faithfulness" in str(climb)


def test_a_ladder_on_which_every_answer_fails_says_so() -> None:
    base = BASE.but(model=FakeModel(ModelUnavailableError("down")))
    climb = Ladder(base, SAMPLES[:20], EVALUATOR, "exact_match", held_out=0.0)
    assert "down" in climb.begin().verdict.reason
    rung = climb.step("still down", model=FakeModel(ModelUnavailableError("down still")))
    assert (rung.verdict.decision, "no sample has a figure" in rung.verdict.reason) == ("undecided", True)


def test_a_change_that_touches_no_answer_is_dropped_whatever_the_scores_say() -> None:
    rung = ladder().step("never used", notes="", margin=0.5)
    assert rung.verdict.decision == "drop"
    assert "no effect" in rung.verdict.reason
    assert rung.comparison is not None
    assert rung.comparison.p == 1.0


def test_samples_without_references_are_refused_before_anything_runs_or_counted() -> None:
    model = model_right_on(0.5)
    samples = [*SAMPLES[:30], *(Sample(question=f"open {n}?", id=f"o{n}") for n in range(10))]
    base = BASE.but(model=model)
    with pytest.raises(SampleError, match="10 of 40 samples lack"):
        Ladder(base, samples, EVALUATOR, "exact_match", held_out=0.0).begin()
    assert model.requests == []
    partial = Evaluator([ExactMatch()], partial=True, progress=False)
    rung = Ladder(base, samples, partial, "exact_match", held_out=0.0).step("right", model=FakeModel("yes"))
    assert rung.comparison is not None
    assert (rung.verdict.decision, rung.comparison.left_out) == ("keep", 10)


def test_a_first_retriever_is_judged_by_what_both_sides_have() -> None:
    evaluator = Evaluator([ContextPrecision(FakeJudge()), ExactMatch()], progress=False)
    climb = Ladder(BASE, SAMPLES[:60], evaluator, "context_precision", held_out=0.0)
    rung = climb.step("retrieval", retriever=Dense(FakeEmbedder()).index(DOCUMENTS))
    assert rung.verdict.decision == "undecided"
    assert "on both sides" in rung.verdict.reason


def test_routing_is_one_step() -> None:
    right = BASE.but(model=FakeModel("yes"))
    rung = ladder().step("routes", classifier=Keyword({"all": ["question"]}), routes={"all": right})
    assert rung.change is not None
    assert (rung.change.path, rung.verdict.decision) == ("classifier", "keep")


def test_a_parameter_deep_inside_is_a_step() -> None:
    base = BASE.but(retriever=BM25().index(DOCUMENTS))
    climb = Ladder(base, SAMPLES[:20], EVALUATOR, "exact_match", held_out=0.0)
    rung = climb.step("repeated words count less", **{"retriever.k1": 0.6})
    assert str(rung.change) == "retriever.k1: 1.5 -> 0.6"


def test_several_differences_in_one_slot_are_climbed_one_by_one() -> None:
    base = BASE.but(retriever=Dense(FakeEmbedder(64)).index(DOCUMENTS[:1]))
    climb = Ladder(base, SAMPLES[:20], EVALUATOR, "exact_match", held_out=0.0)
    rungs = climb.climb("better search", retriever=Dense(FakeEmbedder(128)).index(DOCUMENTS), k=2)
    assert [rung.change.path for rung in rungs if rung.change] == [
        "retriever.embedder.dimensions",
        "retriever.documents",
        "k",
    ]
    with pytest.raises(UsageError, match="changes nothing"):
        climb.climb("nothing", k=5)


def test_the_top_is_confirmed_on_samples_that_no_decision_has_seen() -> None:
    climb = ladder(held_out=0.3)
    climb.step("better", model=model_right_on(0.9))
    seen = {row.sample.id for row in climb.top.report}
    before = climb.confirmed
    found = climb.confirm()
    assert [before, climb.confirmed] == [None, found]
    assert {sample.id for sample in climb.unseen} == {sample.id for sample in SAMPLES} - seen
    assert 40 < found.difference.n < 80
    assert found.difference.n + len(seen) == len(SAMPLES)
    assert found.significant


def test_a_change_kept_later_is_not_confirmed_yet() -> None:
    climb = ladder(held_out=0.3)
    climb.step("better", model=model_right_on(0.9))
    found = climb.confirm()
    climb.step("worse", model=model_right_on(0.2))
    after_a_drop = climb.confirmed
    climb.step("right", model=FakeModel("yes"))
    assert [after_a_drop, climb.confirmed] == [found, None]


def test_there_is_nothing_to_confirm_without_held_out_samples_or_a_kept_change() -> None:
    climb = ladder()
    climb.begin()
    with pytest.raises(UsageError, match="held out"):
        climb.confirm()
    kept_nothing = ladder(held_out=0.3)
    kept_nothing.begin()
    with pytest.raises(UsageError, match="no change was kept"):
        kept_nothing.confirm()


def test_a_group_stays_on_one_side_whatever_the_order() -> None:
    samples = [Sample(question=f"q{n}", id=f"s{n}", group=f"g{n % 20}", reference="yes") for n in range(100)]
    one, other = (
        Ladder(BASE, each, EVALUATOR, "exact_match", held_out=0.5).begin().report for each in (samples, samples[::-1])
    )
    assert {row.sample.id for row in one} == {row.sample.id for row in other}
    sides = [{row.sample.group for row in one}, {s.group for s in samples} - {row.sample.group for row in one}]
    assert not sides[0] & sides[1]
    assert all(sides)


def test_the_table_tells_the_story() -> None:
    climb = ladder(held_out=0.3)
    climb.step("a better model", model=model_right_on(0.9))
    climb.step("a worse prompt", prompt=Direct("Say no."))
    climb.confirm()
    caption, headings, _, *lines, confirmed = str(climb).splitlines()
    assert "held out, 8 changes planned" in caption
    assert headings.split()[:2] == ["step", "exact_match"]
    rows, reasons = lines[:3], lines[3:]
    assert [line.split("  ")[0] for line in rows] == ["baseline", "1. a better model", "2. a worse prompt"]
    assert rows[1].endswith(" keep")
    assert "< 0.0001" in rows[1]
    assert rows[2].endswith(" drop")
    assert [line.split(": ")[0] for line in reasons] == ["1. model.reply", "2. prompt.instructions"]
    assert reasons[1].endswith(" -> 'Say no.' | no effect: every answer and its contexts are as before")
    assert confirmed.startswith("held out, top against baseline: exact_match: +0.")


def test_the_table_fits_into_120_columns() -> None:
    long = "passages of 440 tokens, cut where sentences end and nowhere else"
    climb = ladder()
    climb.step(long, prompt=Direct("Answer in one word. " * 20))
    climb.step(long, retriever=BM25().index([Document("d", "text")]))
    assert climb.table().html() == climb._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert max(map(len, str(climb).splitlines())) <= 120


def test_the_p_value_is_adjusted_for_all_changes_planned() -> None:
    climb = ladder(planned=4)
    first = climb.step("as good", model=model_right_on(0.5, "other")).comparison
    second = climb.step("much better", model=model_right_on(0.9)).comparison
    third = climb.step("a little better than that", model=model_right_on(0.92)).comparison
    assert first is not None
    assert second is not None
    assert third is not None
    assert [c.adjusted for c in (first, second, third)] == [
        min(1.0, c.p * factor) for c, factor in ((first, 4), (second, 4), (third, 3))
    ]
