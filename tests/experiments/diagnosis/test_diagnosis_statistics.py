"""From noisy readings to shares: what is inferred, and intervals that say how sure it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt.experiments.diagnosis import Cause, Finding
from llmopt.experiments.diagnosis.posterior import Case, Counts, Reading, infer
from llmopt.experiments.diagnosis.shares import Tally, axis_shares, cause_shares
from llmopt.experiments.diagnosis.tree import Observed, cause_of
from llmopt.types import Sample

ALL = (True, True, True)


def case(current: int, gold: int, none: int, *, times: int = 3, possible: tuple[bool, bool, bool] = ALL) -> Case:
    readings = (Reading(current, times), Reading(gold, times), Reading(none, times))
    blank = Case(readings, possible, (), "")
    causes: tuple[Cause, ...] = tuple(cause_of(right, Observed(place="not fetched")).cause for right in blank.verdicts)
    return Case(readings, possible, causes, "lost")


def mean_counts(cases: list[Case], *, exact: bool = False) -> dict[Cause, float]:
    return {cause: float(counts.mean()) for cause, counts in infer(cases, exact=exact).counts.items()}


def test_clear_readings_are_taken_at_their_word() -> None:
    found = mean_counts([case(0, 3, 0)] * 20 + [case(0, 0, 0)] * 10)
    assert found["not fetched"] == pytest.approx(20, abs=0.5)
    assert found["reasoning"] == pytest.approx(10, abs=0.5)


def test_the_readings_of_the_others_tell_how_far_one_reading_can_be_trusted() -> None:
    steady = infer([case(0, 3, 0)] * 40 + [case(0, 0, 0)] * 40 + [case(0, 2, 0)], exact=False).chances[-1]
    shaky = infer([case(0, 2, 0)] * 40 + [case(0, 1, 0)] * 40 + [case(0, 2, 0)], exact=False).chances[-1]
    assert steady.max() > shaky.max()


def test_one_reading_settles_it_for_a_pipeline_that_always_says_the_same() -> None:
    assert mean_counts([case(0, 1, 0, times=1)] * 3 + [case(0, 0, 0, times=1)], exact=True) == {
        "not fetched": 3.0,
        "reasoning": 1.0,
    }


def test_what_cannot_be_known_has_no_verdict() -> None:
    found = mean_counts([case(0, 0, 0, possible=(True, False, False))] * 5)
    assert set(found) == {"noise", "undetermined"}


def test_no_cases_have_no_causes() -> None:
    assert infer([], exact=False).counts == {}


def test_the_same_seed_draws_the_same() -> None:
    cases = [case(1, 2, 0), case(0, 3, 1), case(2, 1, 0)]
    first, second = (infer(cases, exact=False, seed=3).counts for _ in range(2))
    assert all((first[cause] == second[cause]).all() for cause in first)


readings = st.integers(0, 3)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.builds(case, readings, readings, readings), min_size=1, max_size=6))
def test_every_draw_gives_every_case_one_cause(cases: list[Case]) -> None:
    found = infer(cases, exact=False)
    assert set(np.sum(list(found.counts.values()), axis=0)) == {len(cases)}
    assert np.allclose(found.chances.sum(axis=1), 1)


def tally(counts: dict[Cause, list[int]], total: int, groups: list[str] | None = None) -> Tally:
    findings = [Finding(Sample(question="?"), cause, "") for cause, drawn in counts.items() for _ in range(drawn[0])]
    drawn: dict[Cause, Counts] = {cause: np.array(listed) for cause, listed in counts.items()}
    return Tally(findings, [0.0] * len(findings), drawn, total, right=1.0, groups=groups)


def test_shares_are_of_all_samples_and_the_largest_comes_first() -> None:
    shares = cause_shares(tally({"format": [5], "noise": [20]}, 100))
    assert [(each.cause, each.count, each.share.value) for each in shares] == [("noise", 20, 0.2), ("format", 5, 0.05)]


def test_doubt_about_the_labels_widens_the_interval() -> None:
    sure = cause_shares(tally({"format": [20]}, 100))[0].share
    unsure = cause_shares(tally({"format": [20, 10, 30, 5, 35]}, 100))[0].share
    assert unsure.low < sure.low < 0.2 < sure.high < unsure.high  # type: ignore[operator]  # both have ends


def test_more_causes_make_wider_intervals_because_they_are_to_hold_together() -> None:
    one = cause_shares(tally({"format": [10]}, 100))[0].share
    many = cause_shares(tally({"format": [10], "noise": [1], "error": [1], "refusal": [1], "drowned": [1]}, 100))
    assert one.high < many[0].share.high  # type: ignore[operator]  # both have ends


def test_a_group_that_fails_as_one_counts_as_few() -> None:
    apart = cause_shares(tally({"format": [20]}, 100))[0].share
    groups = [f"g{number // 10}" for number in range(100)]
    together = cause_shares(tally({"format": [20]}, 100, groups))[0].share
    assert together.high > apart.high + 0.05  # type: ignore[operator]  # both have ends


def test_the_gain_is_what_right_samples_score_more() -> None:
    counted = tally({"format": [10]}, 100)
    halved = Tally(counted.findings, [0.4] * 10, counted.counts, 100, right=0.9)
    assert cause_shares(halved)[0].gain.value == pytest.approx(0.05)


def test_the_axes_add_their_causes_up() -> None:
    axes = axis_shares(tally({"format": [5], "refusal": [5], "drowned": [10]}, 100))
    assert {axis: share.value for axis, share in axes.items()} == {
        "context": 0.1,
        "behaviour": 0.1,
        "measurement": 0.0,
    }
