"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from llmopt.evaluation import Report

TESTS = """
from llmopt.evaluation import Report, Row
from llmopt.types import Sample, Score

def report(*values):
    rows = tuple(Row(Sample(question="q", id=f"s{n}"), {"m": Score(v)}) for n, v in enumerate(values))
    return Report(rows, ("m",), "Nightly")

def test_good(evaluation):
    evaluation.check(report(*[0.9, 0.92, 0.95] * 10), m=">=0.8")

def test_bad(evaluation):
    evaluation.check(report(*[0.1, 0.2] * 10), {"m": ">=0.8"})

def test_unclear(evaluation):
    evaluation.check(report(0.7, 0.95, 0.9), m=">=0.8")
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "llmopt.testing.plugin", "-q", "--no-header", *options]
    return subprocess.run([*command, "test_it.py"], cwd=folder, capture_output=True, text=True, check=False)


def test_figures_decide_and_are_shown(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert "1 passed" in done.stdout.replace("2 failed, ", "")
    assert "2 failed" in done.stdout
    assert "test_it.py::test_good: Nightly, 30 samples" in done.stdout
    assert "m >= 0.8 holds: m 0.923" in done.stdout
    assert "m >= 0.8 does not hold: m 0.150" in done.stdout
    assert "AssertionError: 1 of 1 requirements not met" in done.stdout


def test_the_junit_file_has_the_figures(tmp_path: Path) -> None:
    run(tmp_path, "--junit-xml=junit.xml")
    cases = {case.get("name"): case for case in ET.parse(tmp_path / "junit.xml").iter("testcase")}
    (found,) = cases["test_good"].iter("property")
    assert found.get("name") == "evaluation: m"
    assert "m >= 0.8 holds: m 0.923 [0." in (found.get("value") or "")
    (failure,) = cases["test_bad"].iter("failure")
    assert (failure.get("message") or "").startswith("AssertionError: 1 of 1 requirements not met")


def test_unclear_can_be_let_pass_and_reports_written(tmp_path: Path) -> None:
    done = run(tmp_path, "--evaluation-unclear=pass", "--evaluation-reports=reports")
    assert "1 failed, 2 passed" in done.stdout
    names = sorted(path.name for path in (tmp_path / "reports").iterdir())
    assert names == ["test_it.py_test_bad.1.json", "test_it.py_test_good.1.json", "test_it.py_test_unclear.1.json"]
    assert len(Report.from_json(tmp_path / "reports" / names[1])) == 30


def test_without_the_plugin_there_is_no_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "fixture 'evaluation' not found" in done.stdout
