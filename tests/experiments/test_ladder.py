"""The ladder: one change, a fair comparison, an honest verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest

from llmopt import BM25, Dense, Document, Evaluator, Grounded, Hybrid, Pipeline, Sample
from llmopt.errors import ModelUnavailableError, UsageError
from llmopt.evaluation import Comparison, ExactMatch, Row
from llmopt.evaluation.comparison import compare_rows
from llmopt.experiments import Ladder, Limits, differences
from llmopt.experiments.verdict import decide, holm_threshold, samples_needed
from llmopt.prompting import Direct
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.types import Completion, Message, Score, Usage

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
    assert "changes nothing" in rungs[1].verdict.reason


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
    assert one.step("better", model=FakeModel("yes")).verdict.decision in {"undecided", "drop"}
    broken = ladder()
    rung = broken.step("dead", model=FakeModel(ModelUnavailableError("down")))
    assert rung.verdict.decision == "undecided"
    assert "no sample has a figure" in rung.verdict.reason


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
    climb = ladder()
    climb.step("a better model", model=model_right_on(0.9))
    climb.step("a worse prompt", prompt=Direct("Say no."))
    text = str(climb)
    assert "a better model" in text
    assert "keep" in text
    assert "drop" in text


# differences


def test_differences_go_down_to_nested_parameters() -> None:
    before = BASE.but(retriever=Dense(FakeEmbedder(64)).index(DOCUMENTS))
    after = BASE.but(retriever=Dense(FakeEmbedder(128)).index(DOCUMENTS))
    (change,) = differences(before, after)
    assert str(change) == "retriever.embedder.dimensions: 64 -> 128"


def test_another_class_in_a_slot_is_one_change() -> None:
    before = BASE.but(retriever=BM25().index(DOCUMENTS))
    after = BASE.but(retriever=Hybrid([BM25(), Dense(FakeEmbedder())]).index(DOCUMENTS))
    assert [change.path for change in differences(before, after)] == ["retriever"]


def test_other_passages_are_a_change_of_their_own() -> None:
    before, after = (BASE.but(retriever=BM25().index(each)) for each in (DOCUMENTS, DOCUMENTS[:1]))
    (change,) = differences(before, after)
    assert str(change) == "retriever.documents: 2 passages -> 1 passages"
    dense = BASE.but(retriever=Dense(FakeEmbedder()).index(DOCUMENTS[:1]))
    assert len(differences(before, dense)) == 2


def test_routes_and_lists_are_compared_place_by_place() -> None:
    hybrid = Hybrid([BM25(), BM25(k1=1.0)])
    (change,) = differences(hybrid, Hybrid([BM25(), BM25(k1=2.0)]))
    assert change.path == "retrievers.1.k1"
    assert differences(BASE, BASE.but(prompt=Direct())) == []
    assert [each.path for each in differences(BASE, BASE.but(prompt=Grounded()))] == ["prompt"]


# statistics of the verdict


def compared(before: Sequence[float], after: Sequence[float]) -> Comparison:
    def rows(values: Sequence[float]) -> list[Row]:
        return [Row(Sample(question=f"q{n}", id=f"s{n}"), {"m": Score(float(value))}) for n, value in enumerate(values)]

    return compare_rows("m", rows(before), rows(after))


def decision(before: Sequence[float], after: Sequence[float], threshold: float) -> str:
    comparison = compared(before, after)
    return decide(comparison, threshold=threshold, least=0.02, limits=Limits(), seconds=0.1, dollars=0.0).decision


def test_useless_changes_are_kept_in_at_most_one_ladder_of_twenty() -> None:
    random = np.random.default_rng(0)
    false_keeps = 0
    for _ in range(200):
        before = random.random(80) < 0.6
        kept = False
        for tried in range(1, 5):
            after = np.where(random.random(80) < 0.3, random.random(80) < 0.6, before)
            kept |= decision(list(before), list(after), holm_threshold(0.05, 4, 0, tried)) == "keep"
        false_keeps += kept
    assert false_keeps / 200 <= 0.05 + 0.02


def test_a_planted_gain_is_found_with_the_power_that_the_required_number_promises() -> None:
    random = np.random.default_rng(1)
    gain, flips = 0.10, 0.2  # 15 % of the samples get better, 5 % worse: variance of the difference 0.19
    count = samples_needed(gain, flips - gain**2, threshold=0.05, exact=True)
    found = 0
    for _ in range(200):
        chance = random.random(count)
        before = np.where(chance < 0.15, 0.0, np.where(chance < 0.2, 1.0, random.random(count) < 0.5))
        after = np.where(chance < 0.15, 1.0, np.where(chance < 0.2, 0.0, before))
        found += decision(list(before), list(after), 0.05) == "keep"
    assert 0.74 <= found / 200 <= 0.88


def test_thresholds_follow_holm_and_get_stricter_beyond_the_plan() -> None:
    assert holm_threshold(0.05, 5, 0, 1) == pytest.approx(0.01)
    assert holm_threshold(0.05, 5, 4, 5) == pytest.approx(0.05)
    assert holm_threshold(0.05, 5, 0, 10) == pytest.approx(0.005)
