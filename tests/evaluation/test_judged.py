"""Scores from verdicts that were collected before, and summaries that need no list."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import SampleError
from llmopt.evaluation import Evaluator, ExactMatch, Report, Row
from llmopt.evaluation.judged import Judged, read_judged, scores_of, summarise_judged
from llmopt.evaluation.running import RunningSummary, summarise_rows
from llmopt.types import Sample, Score

Values = st.lists(st.none() | st.floats(0, 1) | st.floats(-50, 50), max_size=30)
Rates = st.lists(st.none() | st.sampled_from([0.0, 1.0]), max_size=30)


def test_the_four_figures_are_those_of_the_definitions() -> None:
    judged = Judged(
        claims=[True, False, None, True],
        contexts=[True, False, True],
        statements=[False, True],
        cosines=[0.9, 0.7],
        noncommittal=[True, False],
    )
    assert scores_of(judged) == {
        "faithfulness": pytest.approx(2 / 3),
        "answer_relevancy": pytest.approx(0.8),
        "context_precision": pytest.approx(5 / 6),
        "context_recall": 0.5,
    }


def test_what_has_no_verdicts_is_undefined_and_counted() -> None:
    summaries = summarise_judged([Judged(claims=[True]), Judged(claims=[None]), Judged()])
    assert [(s.metric, s.scored, s.undefined, s.total) for s in summaries] == [
        ("faithfulness", 1, 2, 3),
        ("answer_relevancy", 0, 3, 3),
        ("context_precision", 0, 3, 3),
        ("context_recall", 0, 3, 3),
    ]
    assert summaries[0].reasons == {"undefined: there are no verdicts on claims": 2}
    assert summaries[1].mean is None


def test_a_stream_of_any_length_takes_no_more_memory() -> None:
    def stream(count: int) -> Iterator[Judged]:
        return (Judged(id=str(n), claims=[n % 3 > 0, True], contexts=[True], cosines=[0.5]) for n in range(count))

    peaks: list[int] = []
    for count in (1_000, 20_000):
        tracemalloc.start()
        summarise_judged(stream(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 20_000


@given(st.one_of(Values, Rates), st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=60))
def test_a_running_summary_is_that_of_the_list(values: list[float | None], groups: list[str]) -> None:
    of = [*groups, *[""] * len(values)]
    rows = [Row(Sample(question="q", id=str(n), group=of[n]), {"m": Score(v, "none")}) for n, v in enumerate(values)]
    expected = Report(tuple(rows), ("m",)).summary("m")
    found = summarise_rows(rows)[0] if rows else RunningSummary("m").summary()
    assert found.reasons == expected.reasons
    assert (found.scored, found.undefined, found.total) == (expected.scored, expected.undefined, expected.total)
    assert found.estimate.method == expected.estimate.method
    assert found.estimate.n == expected.estimate.n
    for mine, theirs in (
        (found.estimate.value, expected.estimate.value),
        (found.estimate.low, expected.estimate.low),
        (found.estimate.high, expected.estimate.high),
    ):
        assert (mine is None) == (theirs is None)
        if mine is not None and theirs is not None:
            assert math.isclose(mine, theirs, rel_tol=1e-6, abs_tol=1e-6)


def test_the_rows_of_an_evaluators_stream_are_summed_up() -> None:
    samples = (Sample(question="q", answer=str(n % 4), reference="1") for n in range(100))
    (summary,) = summarise_rows(Evaluator([ExactMatch()]).stream(samples))
    assert (summary.mean, summary.scored) == (0.25, 100)


def test_samples_of_one_group_widen_the_interval_of_a_stream() -> None:
    samples = [Sample(question="q", answer=str(n // 10 % 2), reference="1", group=f"g{n // 10}") for n in range(100)]
    (clustered,) = summarise_rows(Evaluator([ExactMatch()]).stream(samples))
    (naive,) = summarise_rows(Evaluator([ExactMatch()]).stream(replace(sample, group="") for sample in samples))
    assert clustered.estimate.method == "clustered t"
    assert clustered.mean == naive.mean == 0.5
    low, high, narrow, upper = clustered.estimate.low, clustered.estimate.high, naive.estimate.low, naive.estimate.high
    assert low is not None and high is not None and narrow is not None and upper is not None  # noqa: PT018
    assert high - low > 3 * (upper - narrow)


def test_reasons_without_end_are_cut() -> None:
    running = RunningSummary("m")
    for number in range(3000):
        running.add(None, reason=f"reason {number}", status="failed")
    found = running.summary()
    assert found.failed == 3000
    assert found.reasons["failed: other reasons"] == 2000
    assert len(found.reasons) == 1001


def test_verdicts_are_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text('{"id": "a", "claims": [true, null]}\n\n{"cosines": [1, 0.5], "noncommittal": [false, true]}\n')
    assert list(read_judged(path)) == [
        Judged(id="a", claims=[True, None]),
        Judged(cosines=[1, 0.5], noncommittal=[False, True]),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "line 2: not JSON"),
        (b"[]", "line 2: expected an object of verdicts, got list"),
        (b'{"claim": []}', "line 2: expected the fields"),
        (b'{"claims": [1, 0]}', "line 2: `claims` must be a list of true, false and null, got [1, 0]"),
        (b'{"claims": true}', "line 2: `claims` must be"),
        (b'{"cosines": ["a"]}', "line 2: `cosines` must be a list of numbers"),
        (b'{"noncommittal": [0]}', "line 2: `noncommittal` must be"),
        (b'{"id": 5}', "line 2: `id` must be text"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_lines_that_are_no_verdicts_are_refused(tmp_path: Path, line: bytes, words: str) -> None:
    path = tmp_path / "v.jsonl"
    path.write_bytes(b'{"claims": []}\n' + line + b"\n")
    with pytest.raises(SampleError) as caught:
        list(read_judged(path))
    assert words in str(caught.value)
