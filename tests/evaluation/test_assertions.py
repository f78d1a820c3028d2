"""Requirements on reports: evidence decides, and too little of it is said to be too little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from llmopt.errors import UsageError
from llmopt.evaluation import Report, Row, assert_evaluation, check_evaluation
from llmopt.evaluation.assertions import Requirement
from llmopt.types import Sample, Score


def report(values: Sequence[float | None], name: str = "m", *, failed: int = 0) -> Report:
    scores = [Score(value, "none" if value is None else "") for value in values]
    scores += [Score(None, "ModelError: down", "failed")] * failed
    rows = [Row(Sample(question="q", id=f"s{n}"), {name: score}) for n, score in enumerate(scores)]
    return Report(tuple(rows), (name,))


GOOD = report([0.9, 0.95, 0.85, 0.9, 1.0, 0.8] * 10)
BAD = report([0.5, 0.45, 0.55, 0.6] * 10)
FEW = report([1.0, 0.6, 0.9])


def test_a_requirement_holds_when_the_whole_interval_meets_it() -> None:
    assert_evaluation(GOOD, m=">=0.85")
    assert_evaluation(GOOD, m="> 85 %")
    assert_evaluation(BAD, m="<0.6")
    assert_evaluation(GOOD, {"m": "<= 1"}, m=">0.5")


def test_it_does_not_hold_when_none_of_the_interval_meets_it() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_evaluation(BAD, m=">=0.8")
    first, second = str(caught.value).splitlines()
    assert first == "1 of 1 requirements not met"
    assert second.startswith("m >= 0.8 does not hold: m 0.525 [0.")
    assert "look at s1, s" in second


@pytest.mark.parametrize("unclear", ["fail", "pass"])
def test_too_few_samples_are_no_evidence(unclear: str) -> None:
    if unclear == "pass":
        assert_evaluation(FEW, m=">=0.8", unclear="pass")
        with pytest.raises(AssertionError, match="cannot be told"):
            assert_evaluation(FEW, m=">=0.85", unclear="pass")
    else:
        with pytest.raises(AssertionError, match=r"m >= 0.8 cannot be told: m 0.833 .* samples would tell; look at s1"):
            assert_evaluation(FEW, m=">=0.8")


def test_a_perfect_rate_over_a_handful_is_not_taken_for_proof() -> None:
    (check,) = check_evaluation(report([1.0] * 5), {"m": ">=0.9"})
    assert check.outcome == "cannot be told"
    assert check.needed is not None
    assert 30 <= check.needed <= 45
    assert check_evaluation(report([1.0] * check.needed), {"m": ">=0.9"})[0].outcome == "holds"


def test_so_many_samples_as_it_says_do_tell() -> None:
    values = [0.9, 0.7, 0.95, 0.75, 0.85, 1.0, 0.6, 0.85]
    (check,) = check_evaluation(report(values), {"m": ">=0.8"})
    assert check.outcome == "cannot be told"
    assert check.needed is not None
    many = report((values * (check.needed // len(values) + 2))[: check.needed + 8])
    assert check_evaluation(many, {"m": ">=0.8"})[0].outcome == "holds"


def test_a_mean_on_the_bound_is_never_told() -> None:
    (check,) = check_evaluation(report([0.7, 0.9]), {"m": ">=0.8"})
    assert (check.outcome, check.needed) == ("cannot be told", None)


def test_nothing_scored_cannot_be_told() -> None:
    with pytest.raises(AssertionError, match="cannot be told: m -"):
        assert_evaluation(report([None, None]), m=">=0.1", unclear="pass")


def test_failed_samples_fail_the_test_unless_they_are_allowed_for() -> None:
    some = report([0.9] * 20 + [0.95] * 19, failed=1)
    with pytest.raises(AssertionError, match=r"m >= 0\.8: 1 of 40 samples failed: ModelError: down"):
        assert_evaluation(some, m=">=0.8")
    assert_evaluation(some, m=">=0.8", failed_at_most=0.03)


def test_every_requirement_is_told_at_once() -> None:
    both = Report(
        tuple(Row(Sample(question="q", id=str(n)), {"a": Score(0.1), "recall@5": Score(0.2)}) for n in range(3)),
        ("a", "recall@5"),
    )
    with pytest.raises(AssertionError, match="2 of 2 requirements not met") as caught:
        assert_evaluation(both, {"recall@5": ">0.9"}, a=">0.5")
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("wrong", ["0.8", "=0.8", ">=", ">=high", "at least 0.8", ">=0.8 and <1", cast("str", 0.8)])
def test_requirements_that_cannot_be_read_are_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match=r"must be like '>=0.8'"):
        assert_evaluation(GOOD, m=wrong)


def test_unknown_metrics_and_no_requirement_are_refused() -> None:
    with pytest.raises(UsageError, match="no metric 'x'"):
        assert_evaluation(GOOD, x=">0")
    with pytest.raises(UsageError, match="nothing is required"):
        assert_evaluation(GOOD)


def test_requirements_are_written_as_they_are_read() -> None:
    assert str(Requirement.parse("m", ">= 80%")) == "m >= 0.8"
    assert Requirement.parse("m", "<-.5").met_by(-1)
    assert not Requirement.parse("m", "<=0").met_by(0.1)
