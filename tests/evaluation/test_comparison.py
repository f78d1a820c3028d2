"""Two reports of the same samples."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from llmopt.errors import SampleError, UsageError
from llmopt.evaluation import Report, Row, comparison_table, with_holm
from llmopt.types import Sample, Score


def report(values: Sequence[float | None], *, groups: str = "", name: str = "m") -> Report:
    rows = [
        Row(Sample(question=f"q{n}", id=f"s{n}", group=groups[n : n + 1]), {name: Score(value, "none")})
        for n, value in enumerate(values)
    ]
    return Report(tuple(rows), (name,))


def test_the_difference_is_paired_with_an_interval_and_a_p() -> None:
    noise = random.Random(3)
    before = [noise.random() for _ in range(60)]
    after = [value + 0.05 + noise.gauss(0, 0.02) for value in before]
    found = report(after).compare(report(before), "m")
    assert found.difference.value == pytest.approx(0.05, abs=0.01)
    assert found.difference.low is not None
    assert found.difference.low > 0
    assert found.p < 0.001
    assert "p < 0.001 over 60 samples" in str(found)
    assert found.significant
    assert found.method == "permutation"
    assert found.better + found.ties + found.worse == 60
    # Unpaired, the spread between the samples would drown so small a difference.
    assert report(before).summary("m").estimate.high is not None
    assert found.candidate.low is not None
    assert found.candidate.low < found.baseline.high  # type: ignore[operator] # pyright: ignore[reportOperatorIssue]


def test_yes_and_no_are_compared_by_mcnemar() -> None:
    found = report([1, 1, 1, 1, 0, 1, 1, 1, 1, 1]).compare(report([0, 0, 0, 0, 0, 1, 0, 0, 1, 1]), "m")
    assert (found.method, found.better, found.worse, found.ties) == ("mcnemar", 6, 0, 4)
    assert found.p == pytest.approx(2 / 2**6)


def test_a_report_does_not_differ_from_itself() -> None:
    same = report([0.1, 0.5, 0.7])
    found = same.compare(same, "m")
    assert (found.difference.value, found.p, found.ties, found.significant) == (0.0, 1.0, 3, False)


def test_the_order_of_the_rows_does_not_matter() -> None:
    first, second = report([0.1, 0.5, 0.7, 0.2]), report([0.2, 0.4, 0.9, 0.9])
    turned = Report(tuple(reversed(second.rows)), ("m",))
    assert str(first.compare(second, "m")) == str(first.compare(turned, "m"))


def test_samples_without_a_figure_on_one_side_are_left_out_on_both_and_counted() -> None:
    found = report([0.5, None, 0.7, 0.1]).compare(report([0.4, 0.4, None, 0.1]), "m")
    assert (found.difference.n, found.left_out) == (2, 2)
    assert found.baseline.value == pytest.approx(0.25)
    assert "2 left out" in str(found)


def test_nothing_in_common_gives_no_figure() -> None:
    found = report([None, 0.5]).compare(report([0.5, None]), "m")
    assert (found.difference.value, found.p, found.left_out, found.detectable) == (None, 1.0, 2, None)
    assert "-" in str(found)


def test_groups_are_clustered() -> None:
    before, after = [0.1] * 8, [0.2, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1]
    plain = report(after).compare(report(before), "m")
    grouped = report(after, groups="aaaabbbb").compare(report(before, groups="aaaabbbb"), "m")
    assert grouped.p > plain.p
    assert grouped.difference.method == "clustered t"
    assert grouped.detectable is None


def test_different_samples_cannot_be_compared() -> None:
    with pytest.raises(SampleError, match="the candidate lacks 1 of 3: 's2'"):
        report([0.1, 0.2]).compare(report([0.1, 0.2, 0.3]), "m")
    with pytest.raises(SampleError, match="the baseline lacks 1 of 3"):
        report([0.1, 0.2, 0.3]).compare(report([0.1, 0.2]), "m")
    other = Report((Row(Sample(question="another", id="s0"), {"m": Score(0.1)}),), ("m",))
    with pytest.raises(SampleError, match="'s0' asks 'another' in the baseline and 'q0' in the candidate"):
        report([0.1]).compare(other, "m")


def test_both_must_have_the_metric() -> None:
    with pytest.raises(UsageError, match="no metric 'm'"):
        report([0.1]).compare(report([0.1], name="other"), "m")


def test_many_comparisons_are_adjusted_together() -> None:
    base = report([0.0] * 12)
    variants = [report([1.0] * count + [0.0] * (12 - count)).compare(base, "m") for count in (6, 7, 9)]
    alone = [variant.significant for variant in variants]
    together = with_holm(variants)
    assert alone == [True, True, True]
    assert [comparison.significant for comparison in together] == [True, True, True] or together[0].adjusted > 0.03
    assert together[2].adjusted == pytest.approx(3 * variants[2].p)


def test_the_table_names_the_candidates() -> None:
    found = report([1.0, 0.0]).compare(report([0.0, 0.0]), "m")
    text = str(comparison_table({"BM25": found}, caption="m against Direct"))
    assert "m against Direct" in text
    assert "+0.500 [" in text
    assert "1/1/0" in text
