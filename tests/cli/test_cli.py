"""The command line: what it prints, what it refuses, what it exits with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmopt.cli import main
from llmopt.evaluation import Report
from llmopt.experiments import Study
from llmopt.testing.server import FakeOpenAI


def handbook(folder: Path) -> Path:
    (folder / "leave.md").write_text("# Leave\n\nEmployees have 25 days of paid leave a year.\n")
    (folder / "travel.html").write_text("<h1>Travel</h1><p>Hotels are paid after the trip.</p>")
    return folder


def test_a_question_is_answered_from_ones_own_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["ask", "How many days of paid leave do employees have?", "--corpus", str(handbook(tmp_path))])
    printed = capsys.readouterr().out
    assert code == 0
    assert "25 days" in printed
    assert "leave.md" in printed


def test_what_is_not_in_the_folder_is_not_made_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Who won the football world cup in 1998?", "--corpus", str(handbook(tmp_path))]) == 0
    assert "I don't know" in capsys.readouterr().out


def test_the_trace_can_be_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["ask", "paid leave?", "--corpus", str(handbook(tmp_path)), "--trace", "--retriever", "BM25"])
    assert "retrieve  BM25" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--corpus", "nowhere"], "no file or folder"),
        (["--corpus", ".", "--k", "0"], "`k` must be at least 1"),
        (["--corpus", ".", "--base-url", "http://127.0.0.1:9"], "no model is named"),
    ],
)
def test_mistakes_are_said_in_one_line_without_a_traceback(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(handbook(tmp_path))
    assert main(["ask", "paid leave?", *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_an_empty_question_and_a_folder_without_text_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ask", " ", "--corpus", str(handbook(tmp_path))]) == 2
    assert "empty" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert main(["ask", "q", "--corpus", str(tmp_path / "none")]) == 2
    assert "no text to search" in capsys.readouterr().err


def test_a_model_on_a_server_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeOpenAI(lambda body: "They have 25 days [1].") as server:
        arguments = ["--corpus", str(handbook(tmp_path)), "--model", "any", "--base-url", server.base_url]
        assert main(["ask", "How many days of paid leave?", *arguments]) == 0
        assert server.count("chat/completions") == 1
    assert "They have 25 days [1]." in capsys.readouterr().out


def test_the_demo_runs_offline_on_a_few_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--limit", "6", "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    for word in ("BM25", "Hybrid", "faithfulness", "evidence_recall", "6 questions", "Offline", "still fails"):
        assert word in printed
    study = Study.from_json(tmp_path / "out" / "report.json")
    assert study.variants[0].name == "baseline"
    assert len(study.variants) == 8
    assert study.diagnosis is not None
    assert "<script" in (tmp_path / "out" / "report.html").read_text()
    report = Report.from_json(tmp_path / "out" / "top-of-the-ladder.json")
    assert len(report) == 6
    assert not report.failures()


def judge_and_reader(body: object) -> str:
    """Reply to whatever the demo asks; a judge that gets prose counts as failed, never as a score."""
    text = json.dumps(body)
    return "Underscores group digits [1]." if "# Question" in text else "I cannot say."


def test_the_demo_with_a_model_shows_the_plan_and_wants_a_yes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeOpenAI(judge_and_reader) as server:
        model = ["--model", "any", "--base-url", server.base_url, "--output", str(tmp_path / "out")]
        assert main(["demo", "--limit", "2", *model]) == 1
        assert server.count("chat/completions") == 0
        assert "calls" in capsys.readouterr().out
        assert main(["demo", "--limit", "2", "--yes", *model]) == 0
        assert server.count("chat/completions") > 0
    report = Report.from_json(tmp_path / "out" / "first-try.json")
    assert report.rows[0].sample.answer == "Underscores group digits [1]."
    assert all(score.value is None for name, score in report.rows[0].scores.items() if name == "context_precision")


def test_with_a_key_alone_the_usual_model_of_openai_is_planned_and_nothing_is_spent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert main(["demo", "--limit", "1", "--output", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().out
    assert "The plan, at most" in printed
    assert "$" in printed


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("llmopt ")
