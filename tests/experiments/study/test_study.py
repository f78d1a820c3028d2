"""A study as a value: what it gathers, that it comes back from JSON, and what CI reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from llmopt import Evaluator, ExactMatch, Pipeline, Sample, Score
from llmopt._stats import Estimate
from llmopt.errors import StorageError, UsageError
from llmopt.evaluation import Report, Row, Run, Spent
from llmopt.experiments import Ladder, Limits
from llmopt.experiments.diagnosis import CauseShare, Diagnosis, Finding, Suggestion
from llmopt.experiments.study import Study
from llmopt.prompting import Direct
from llmopt.testing import FakeModel
from llmopt.types import Message, Usage


def report(right: Sequence[float | None], name: str = "", first: int = 0) -> Report:
    """Return a report with these scores."""
    rows = [
        Row(
            Sample(question=f"question {n}?", id=f"s{n}", answer="a", reference="b"),
            {"right": Score(value, "judge timed out" if value is None else "", "failed" if value is None else "")},
        )
        for n, value in enumerate(right, first)
    ]
    return Report(tuple(rows), ("right",), name, {"pipeline": f"Pipeline({name})"})


def diagnosis(of: Report) -> Diagnosis:
    """Return a diagnosis of a report's first sample."""
    sample = of.rows[0].sample
    share = Estimate(0.1, 0.0, 0.3, 10, "wilson")
    return Diagnosis(
        "right",
        10,
        1,
        [Finding(sample, "not fetched", "the passage is not among 50", {"current": (0.0,), "gold": (1.0,)})],
        [CauseShare("not fetched", 1, share, share)],
        {"context": share, "behaviour": Estimate(0.0, 0.0, 0.2, 10, "wilson")},
        of,
        [Suggestion("fetch more", "not fetched", "why", 'ladder.step("fetch more", k=10)', {"k": object()}, 0.1, 1)],
        caveats=["no gold passages"],
    )


def climbed() -> Ladder:
    """Return a ladder with one kept and one dropped step."""
    samples = [Sample(question=f"question {n}?", id=f"s{n}", reference="yes") for n in range(60)]

    def half(messages: Sequence[Message]) -> str:
        return "yes" if "1" in messages[-1].content else "no"

    base = Pipeline(model=FakeModel(half), prompt=Direct())
    ladder = Ladder(base, samples, Evaluator([ExactMatch()], progress=False), "exact_match", limits=Limits(seconds=60))
    ladder.step("a better model", model=FakeModel("yes"))
    ladder.step("a worse model", model=FakeModel("no"))
    ladder.confirm()
    return ladder


def of_ladder(ladder: Ladder) -> Study:
    return Study.of_rungs(ladder.rungs, ladder.target, title="Climb", confirmation=ladder.confirmed)


def test_a_ladder_becomes_variants_with_decisions_changes_and_what_each_was_compared_with() -> None:
    study = of_ladder(climbed())
    assert [(v.name, v.decision, v.against) for v in study.variants] == [
        ("baseline", "keep", ""),
        ("a better model", "keep", "baseline"),
        ("a worse model", "drop", "a better model"),
    ]
    assert study.variants[1].change.startswith("model")
    assert study.variants[study.top].name == "a better model"
    assert study.confirmation is not None
    assert study.decided


def test_a_study_comes_back_equal_from_json(tmp_path: Path) -> None:
    ladder = climbed()
    rows = tuple(ladder.rungs[1].report.rows)
    found = replace(diagnosis(report([0.0])), report=ladder.rungs[1].report)
    study = Study.of_rungs(ladder.rungs, "exact_match", confirmation=ladder.confirmed, diagnosis=found)
    study.to_json(tmp_path / "study.json")
    again = Study.from_json(tmp_path / "study.json")
    assert again == study
    assert again.variants[1].report.rows == rows


def test_a_study_holds_no_pipelines_and_no_second_copy_of_the_samples() -> None:
    only = report([0.0, 1.0])
    study = Study.of_reports({"it": only}, "right", diagnosis=diagnosis(only))
    assert study.diagnosis is not None
    assert study.diagnosis.suggestions[0].changes == {}
    assert study.diagnosis.suggestions[0].code == 'ladder.step("fetch more", k=10)'
    assert len(study.diagnosis.report) == 0


def test_reports_are_compared_with_the_first_and_adjusted_for_their_number() -> None:
    before, after = report([0.0] * 10 + [1.0] * 2), report([1.0] * 12)
    alone = Study.of_reports({"old": before, "new": after}, "right").variants[1].comparison
    several = Study.of_reports({"old": before, "new": after, "newer": after}, "right").variants
    assert alone is not None
    assert alone.adjusted == alone.p
    assert [v.against for v in several] == ["", "old", "old"]
    assert all(v.comparison is not None and v.comparison.adjusted == 2 * alone.p for v in several[1:])
    assert not Study.of_reports({"old": before, "new": after}, "right").decided


def test_a_report_of_other_samples_is_shown_and_not_compared(tmp_path: Path) -> None:
    study = Study.of_reports({"old": report([0.0, 1.0]), "other": report([1.0], first=7)}, "right")
    assert study.variants[1].comparison is None
    assert "not compared" in study.variants[1].reason
    study.to_html(tmp_path / "page.html")
    assert "not compared" in (tmp_path / "page.html").read_text("utf-8")


def test_nothing_and_an_unmeasured_target_are_refused() -> None:
    with pytest.raises(UsageError, match="needs something that was evaluated"):
        Study.of_reports({}, "right")
    with pytest.raises(UsageError, match="'it' was not measured by 'wrong'; it has right"):
        Study.of_reports({"it": report([1.0])}, "wrong")
    with pytest.raises(UsageError, match="needs something"):
        Study.of_rungs([], "right")


def test_files_that_are_no_studies_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    report([1.0]).to_json(path)
    with pytest.raises(StorageError, match="is not a study"):
        Study.from_json(path)
    Study.of_reports({"it": report([1.0])}, "right").to_json(path)
    path.write_text(path.read_text("utf-8").replace('"version": 1', '"version": 99'), "utf-8")
    with pytest.raises(StorageError, match="version 99"):
        Study.from_json(path)
    path.write_text("{", "utf-8")
    with pytest.raises(StorageError, match="cannot read"):
        Study.from_json(path)


def test_ci_sees_steps_requirements_and_samples(tmp_path: Path) -> None:
    study = of_ladder(climbed())
    study.to_junit(tmp_path / "junit.xml", {"exact_match": ">=0.95"}, passing=0.5)
    root = fromstring((tmp_path / "junit.xml").read_text("utf-8"))
    suites = {suite.attrib["name"]: suite for suite in root}
    assert list(suites) == ["steps", "requirements", "samples: a better model"]
    steps = {case.attrib["name"]: [child.tag for child in case] for case in suites["steps"]}
    assert steps["baseline"] == []
    assert steps["a worse model"] == ["skipped"]
    assert "confirmed on held-out samples" in steps
    assert suites["requirements"].attrib["failures"] == "1", "so few samples cannot tell 0.95"
    assert suites["samples: a better model"].attrib["failures"] == "0"
    assert root.attrib["tests"] == str(sum(len(suite) for suite in root))


def test_a_requirement_that_is_not_met_a_failed_metric_and_a_low_sample_fail_in_ci(tmp_path: Path) -> None:
    study = Study.of_reports({"it": report([0.0, 1.0, None])}, "right")
    study.to_junit(tmp_path / "junit.xml", {"right": ">0.99"}, passing=0.5)
    root = fromstring((tmp_path / "junit.xml").read_text("utf-8"))
    (failure,) = root.findall("testsuite[@name='requirements']/testcase/failure")
    assert "1 of 3 samples failed: judge timed out" in failure.attrib["message"]
    samples = {case.attrib["name"]: [child.tag for child in case] for case in root.findall("testsuite[3]/testcase")}
    assert samples == {"s0": ["failure", "system-out"], "s1": [], "s2": ["error", "system-out"]}


def test_ci_files_hold_no_character_that_xml_forbids(tmp_path: Path) -> None:
    row = Row(Sample(question="\x00\ud800<&", id="\x1b[31m"), {"right": Score(0.0, "\x0c")})
    Study.of_reports({"\x01": Report((row,), ("right",))}, "right", title="]]>").to_junit(
        tmp_path / "j.xml", passing=1.0
    )
    assert fromstring((tmp_path / "j.xml").read_text("utf-8")).attrib["failures"] == "1"


def test_cost_is_unknown_where_a_price_is_and_absent_where_nothing_ran() -> None:
    assert Study.of_reports({"it": report([1.0])}, "right").variants[0].dollars is None
    ran = [
        replace(row, run=Run(Spent(2.0, Usage(calls=1), cost, cost)))
        for row, cost in zip(report([1.0, 1.0]).rows, (0.25, 0.75), strict=True)
    ]
    priced = Study.of_reports({"it": Report(tuple(ran), ("right",))}, "right").variants[0]
    assert priced.dollars == 0.5
    assert priced.seconds == 2.0
    unknown = replace(ran[0], run=Run(Spent(2.0, Usage(calls=1), None, None)))
    assert Study.of_reports({"it": Report((unknown, ran[1]), ("right",))}, "right").variants[0].dollars is None
