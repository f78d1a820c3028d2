"""The report: its statistics, its tables, its files."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmopt.errors import MissingExtraError, StorageError, UsageError
from llmopt.evaluation import ModelCall, Report, Row, Run, Spent
from llmopt.evaluation.report_csv import guarded, unguarded
from llmopt.types import Citation, Message, Sample, Score, ToolCall, Usage, Verdict

FULL = Row(
    Sample(question="猫？", id="s1", answer="=1+1", contexts=("c",), reference="r", category="猫", abstained=True),
    {
        "faithfulness": Score(0.5, "one of two", verdicts=(Verdict("a", True, "yes", 0.9), Verdict("b", None))),
        "recall": Score(None, "no gold", "undefined", details={"n": 3, "pair": (1, 2), "low": float("-inf")}),
    },
    Run(Spent(1.25, Usage(10, 2, 0, 1), 0.01, None), "abstained", (Citation(1, "d"),)),
    Spent(0.5, Usage(5, 1, 2, 2), None, 0.0),
    (
        ModelCall("faithfulness", "FakeModel", (Message("user", "p", (ToolCall("i", "n", "{}"),), "x"),), "r", True),
        ModelCall("pipeline", "FakeModel", (), "", error="ModelError: x"),
    ),
)
FAILED = Row(
    Sample(question="q2", id="s2", category="b"),
    {name: Score(None, "the pipeline failed: ModelError: x", "failed") for name in ("faithfulness", "recall")},
    Run(Spent(0.1), failure="ModelError: x"),
)
REPORT = Report((FULL, FAILED), ("faithfulness", "recall"), "Demo", {"evaluator": "E()"})


def scored(*values: float | None, groups: str = "", name: str = "m", category: str = "") -> Report:
    rows = [
        Row(
            Sample(question=f"q{n}", id=f"s{n}", group=groups[n : n + 1], category=category[n : n + 1]),
            {name: Score(value, "" if value is not None else "no claims")},
        )
        for n, value in enumerate(values)
    ]
    return Report(tuple(rows), (name,))


# --- statistics


def test_a_mean_comes_with_its_interval_and_with_what_is_missing_from_it() -> None:
    summary = scored(0.2, 0.4, None, 0.9).summary("m")
    assert summary.mean == pytest.approx(0.5)
    assert summary.estimate.low is not None
    assert (summary.scored, summary.undefined, summary.failed, summary.total) == (3, 1, 0, 4)
    assert summary.reasons == {"undefined: no claims": 1}
    assert str(summary).endswith("(3 of 4 scored, 1 undefined)")


def test_nothing_scored_has_no_mean_and_never_a_zero() -> None:
    summary = REPORT.summary("recall")
    assert (summary.mean, summary.scored, summary.undefined, summary.failed) == (None, 0, 1, 1)


def test_samples_of_one_group_are_clustered() -> None:
    values = [0.1, 0.1, 0.9, 0.9, 0.3, 0.3]
    assert scored(*values, groups="aabbcc").summary("m").estimate.method == "clustered t"
    assert scored(*values).summary("m").estimate.method == "t"
    assert scored(*values, groups="abcdef").summary("m").estimate.method == "t"


def test_categories_are_told_apart() -> None:
    found = scored(1.0, 0.0, 1.0, category="bab").by_category("m")
    assert list(found) == ["a", "b"]
    assert [summary.mean for summary in found.values()] == [0.0, 1.0]


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UsageError, match="no metric 'x'; it has faithfulness, recall"):
        REPORT.summary("x")


def test_the_worst_rows_come_lowest_first_and_failures_are_not_among_them() -> None:
    report = scored(0.5, None, 0.1, 0.5)
    assert [row.sample.id for row in report.worst("m", 3)] == ["s2", "s0", "s3"]


def test_failures_and_parts_can_be_picked_out() -> None:
    assert [row.sample.id for row in REPORT.failures()] == ["s2"]
    assert len(REPORT.where(lambda row: row.sample.category == "b")) == 1


def test_latency_leaves_failed_runs_out_and_money_does_not() -> None:
    assert REPORT.latency().median == 1.25
    assert REPORT.spent().seconds == pytest.approx(1.35)
    assert REPORT.spent().paid is None
    assert REPORT.judging().usage.calls == 2


# --- tables


def test_the_table_shows_means_intervals_counts_reasons_and_categories() -> None:
    text = str(REPORT)
    assert "Demo: 2 samples" in text
    assert "1/2" in text
    assert "recall: 1 x undefined: no gold" in text
    assert "faithfulness: 1 x failed: the pipeline failed: ModelError: x" in text
    assert "猫" in text
    assert "pipeline: median 1.2 s" in text
    assert "price unknown" in text


def test_a_notebook_gets_escaped_html() -> None:
    report = replace(scored(1.0, 0.0, category="<&"), title="<script>alert(1)</script>")
    page = report._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert '<td style="text-align:left">&amp;</td>' in page


def test_the_repr_is_short_and_the_report_can_be_walked() -> None:
    assert repr(REPORT) == "<Report of 2 samples: faithfulness, recall>"
    assert [row.sample.id for row in REPORT] == ["s1", "s2"]


# --- JSON

Change = Callable[[dict[str, Any]], object]


def test_json_comes_back_equal(tmp_path: Path) -> None:
    REPORT.to_json(tmp_path / "r.json")
    assert Report.from_json(tmp_path / "r.json") == REPORT


def test_json_is_a_line_per_sample_in_readable_text(tmp_path: Path) -> None:
    REPORT.to_json(tmp_path / "r.json")
    lines = (tmp_path / "r.json").read_text("utf-8").splitlines()
    assert len(lines) == 4
    assert "猫？" in lines[1]


CHANGES: list[tuple[Change, str]] = [
    (lambda data: data.update(version=99), "version 99"),
    (lambda data: data.update(format="x"), "is not a report"),
    (lambda data: data.update(extra=1), "the field 'extra'"),
    (lambda data: data.update(rows={}), "`rows` must be a list"),
    (lambda data: data.pop("metrics"), "lacks the field 'metrics'"),
    (lambda data: data["rows"][0].update(x=1), "row 1 has the field 'x'"),
    (lambda data: data["rows"][0]["sample"].update(answer=5), "row 1.sample.answer must be a text, got int"),
    (lambda data: data["rows"][0]["scores"]["recall"].update(status="good"), "status must be one of"),
    (lambda data: data["rows"][0]["scores"]["recall"].update(value=True), "value must be a number"),
    (lambda data: data["rows"][0]["scores"]["faithfulness"].update(value=None), "cannot have the status"),
    (lambda data: data["rows"][0]["scores"].pop("recall"), "expected ['faithfulness', 'recall']"),
    (lambda data: data["rows"][1].pop("sample"), "lacks the field 'sample'"),
    (lambda data: data["rows"][0]["sample"].update(metadata={"$x": 1}), "cannot read"),
    (lambda data: data["rows"][0]["sample"].update(contexts="c"), "must be a list"),
    (lambda data: data["rows"][0].update(scores=[]), "must be an object"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_a_file_that_is_not_quite_a_report_is_refused_with_the_place(tmp_path: Path, change, words: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "r.json"
    REPORT.to_json(path)
    data = json.loads(path.read_text("utf-8"))
    change(data)
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(StorageError) as caught:
        Report.from_json(path)
    assert words in str(caught.value)
    assert "r.json" in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"a": 1}'])
def test_other_files_are_no_reports(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(StorageError, match="is not"):
        Report.from_json(tmp_path / "r.json")


def test_a_missing_file_and_a_folder_that_is_not_there_are_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        Report.from_json(tmp_path / "r.json")
    with pytest.raises(StorageError, match="cannot write"):
        REPORT.to_json(tmp_path / "nowhere" / "r.json")


def test_details_without_a_json_form_are_refused_by_place(tmp_path: Path) -> None:
    row = Row(Sample(question="q", id="s"), {"m": Score(1.0, details={"x": object()})})
    with pytest.raises(UsageError, match=r"sample 's'\.scores\['m'\]\.details\['x'\] is a builtins\.object"):
        Report((row,), ("m",)).to_json(tmp_path / "r.json")


# --- CSV

Cells = st.text(max_size=6)


def test_csv_comes_back_without_prompts_and_costs(tmp_path: Path) -> None:
    REPORT.to_csv(tmp_path / "r.csv")
    first, second = Report.from_csv(tmp_path / "r.csv").rows
    assert first.sample == FULL.sample
    assert first.scores == FULL.scores
    assert first.run is not None
    assert (first.run.spent.seconds, first.run.spent.cost, first.run.outcome) == (1.25, 0.01, "abstained")
    assert second.run is not None
    assert second.run.failure == "ModelError: x"
    assert second.scores == FAILED.scores


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=Cells, answer=Cells, reason=Cells, value=st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_number_survive_csv(tmp_path: Path, question: str, answer: str, reason: str, value: float) -> None:
    row = Row(Sample(question=question, id="1", answer=answer), {"m": Score(value, reason)})
    report = Report((row,), ("m",))
    report.to_csv(tmp_path / "r.csv")
    assert Report.from_csv(tmp_path / "r.csv").rows == report.rows


@given(Cells)
def test_no_cell_is_a_formula_and_every_cell_comes_back(text: str) -> None:
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(guarded(text)) == text


def test_a_spreadsheet_knows_the_encoding_and_runs_no_formula(tmp_path: Path) -> None:
    REPORT.to_csv(tmp_path / "r.csv")
    content = (tmp_path / "r.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert ",'=1+1," in content.decode()


@pytest.mark.parametrize(
    ("content", "words"),
    [("a,b\n1,2\n", "its columns are"), ("", "its columns are")],
)
def test_other_tables_are_no_reports(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "r.csv").write_text(content)
    with pytest.raises(StorageError, match=words):
        Report.from_csv(tmp_path / "r.csv")


@pytest.mark.parametrize("change", [("0.5", "half"), (",scored,", ",good,"), ("猫？", "猫？,")])
def test_a_damaged_table_is_refused(tmp_path: Path, change: tuple[str, str]) -> None:
    REPORT.to_csv(tmp_path / "r.csv")
    text = (tmp_path / "r.csv").read_text("utf-8")
    (tmp_path / "r.csv").write_text(text.replace(change[0], change[1], 1), "utf-8")
    with pytest.raises(StorageError, match=r"r\.csv"):
        Report.from_csv(tmp_path / "r.csv")


@pytest.mark.skipif(importlib.util.find_spec("pandas") is not None, reason="pandas is installed")
def test_pandas_is_asked_for_by_name_where_it_is_missing() -> None:
    with pytest.raises(MissingExtraError, match="pip install pandas"):
        REPORT.to_pandas()  # pyright: ignore[reportUnknownMemberType]


def test_a_pandas_table_has_a_line_per_sample_and_numbers_for_scores() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    table: Any = REPORT.to_pandas()  # pyright: ignore[reportUnknownMemberType]
    assert list(table["id"]) == ["s1", "s2"]
    assert table["faithfulness"].mean() == 0.5  # what has no score is not a 0
    assert list(table["recall:status"]) == ["undefined", "failed"]
    assert list(table["question"]) == ["猫？", "q2"]
    assert next(iter(table["answer"])) == "=1+1"  # no apostrophe: nothing runs formulas here
    assert next(iter(table["contexts"])) == ["c"]
    assert set(table.columns) > {"faithfulness:reason", "recall:verdicts", "cost", "failure"}
