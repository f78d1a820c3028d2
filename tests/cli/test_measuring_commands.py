"""`llmopt evaluate`, `ladder` and `diagnose`: on a folder, on a user's own file, and what they refuse."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmopt.cli import main
from llmopt.experiments import Study

_DEPARTMENTS = (
    "archive",
    "canteen",
    "laboratory",
    "library",
    "garage",
    "workshop",
    "garden",
    "cinema",
    "pool",
    "stable",
)
_APP = """
from llmopt import BM25, Document, Evaluator, ExactMatch, Pipeline
from llmopt.prompting import Direct
from llmopt.testing import FakeModel

pipeline = Pipeline(model=FakeModel("no"), prompt=Direct())
evaluator = Evaluator([ExactMatch()], progress=False)
steps = {"another model": {"model": FakeModel("yes")}, "a function": lambda stands: {"notes": "Be brief."}}
number = 7


def build():
    return pipeline


def shout(question):
    return "yes" if "1" in question else "no"
"""


@pytest.fixture(autouse=True)
def forget_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    path = list(sys.path)
    yield
    sys.modules.pop("app", None)
    sys.path[:] = path


@pytest.fixture
def handbook(tmp_path: Path) -> tuple[str, str]:
    folder = tmp_path / "handbook"
    folder.mkdir()
    lines: list[str] = []
    for number, name in enumerate(_DEPARTMENTS):
        facts = {
            f"When does the {name} open?": f"The {name} opens at {number + 6} o'clock in the morning.",
            f"Who runs the {name}?": f"The {name} is run by Person{number} Miller.",
            f"How many people does the {name} hold?": f"The {name} holds {number * 10 + 15} people at most.",
        }
        (folder / f"{name}.md").write_text(f"# The {name}\n\n" + "\n\n".join(facts.values()) + "\n")
        lines += [json.dumps({"question": question, "reference": facts[question]}) for question in facts]
    samples = tmp_path / "questions.jsonl"
    samples.write_text("\n".join(lines) + "\n")
    return str(folder), str(samples)


@pytest.fixture
def app(tmp_path: Path) -> tuple[Path, str]:
    (tmp_path / "app.py").write_text(_APP)
    samples = tmp_path / "samples.jsonl"
    samples.write_text("".join(json.dumps({"question": f"q{n}?", "reference": "yes"}) + "\n" for n in range(40)))
    return tmp_path / "app.py", str(samples)


def test_one_command_gives_a_ladder_a_diagnosis_and_a_report_for_a_folder(
    handbook: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert main(["ladder", *handbook, "--output", str(output), "--limit", "24"]) == 0
    printed = capsys.readouterr().out
    assert "baseline" in printed
    assert "words and meaning (Hybrid)" in printed
    assert "context_recall" in printed
    assert "words and meaning (Hybrid)" in (output / "report.html").read_text()
    study = Study.from_json(output / "report.json")
    assert study.variants[0].report.rows[0].sample.question.startswith(("When", "Who", "How"))
    assert study.diagnosis is not None


def test_a_folder_is_evaluated_and_a_bound_decides_the_exit_code(
    handbook: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path / "out"), "--limit", "12"]
    assert main(["evaluate", *handbook, *output, "--require", "faithfulness>=0.01"]) == 0
    assert main(["evaluate", *handbook, *output, "--require", "answer_correctness>0.9999"]) == 1
    assert "answer_correctness > 0.9999" in capsys.readouterr().out
    assert "<testsuite" in (tmp_path / "out" / "junit.xml").read_text()


def test_a_folder_is_diagnosed(handbook: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", *handbook, "--output", str(tmp_path / "out"), "--limit", "9", "--passing", "1.0"]) == 0
    assert "context_recall" in capsys.readouterr().out
    assert (tmp_path / "out" / "report.html").exists()


def test_the_users_own_pipeline_evaluator_and_steps_are_taken(
    app: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, samples = app
    assert main(["ladder", f"{path}:pipeline", samples, "--output", str(tmp_path / "out"), "--yes"]) == 0
    printed = capsys.readouterr().out
    assert "another model" in printed
    assert "yes" in printed
    assert "a function" in printed


@pytest.mark.parametrize(("name", "mean"), [("pipeline", "0.000"), ("build", "0.000"), ("shout", "0.325")])
def test_a_pipeline_a_function_that_makes_one_and_a_plain_function_are_evaluated(
    name: str, mean: str, app: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, samples = app
    assert main(["evaluate", f"{path}:{name}", samples, "--output", str(tmp_path / "out"), "--yes"]) == 0
    assert mean in capsys.readouterr().out


@pytest.mark.parametrize("evaluator", ["there is one", "evaluator ="])
def test_without_a_yes_nothing_of_the_users_own_is_run(
    evaluator: str, app: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, samples = app
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith(evaluator)))
    assert main(["evaluate", f"{path}:pipeline", samples, "--output", str(tmp_path / "out")]) == 1
    assert "--yes" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "name", "complaint"),
    [
        ("evaluate", "pipe", "has no name 'pipe'"),
        ("evaluate", "number", "is a int"),
        ("ladder", "shout", "needs a Pipeline"),
        ("evaluate", "pipeline --require faithful", "--require must be like"),
        ("evaluate", "pipeline --target speed", "is not measured"),
        ("evaluate", "pipeline --limit -1", "--limit must be at least 1"),
        ("evaluate", "pipeline --evaluator number", "an Evaluator is wanted"),
        ("ladder", "pipeline --steps number", "a mapping from the name of a step"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    command: str, name: str, complaint: str, app: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path, samples = app
    name, *further = name.split()
    assert main([command, f"{path}:{name}", samples, "--yes", *further]) == 2
    assert complaint in capsys.readouterr().err


def test_a_missing_file_and_a_mistake_in_a_line_are_named(
    app: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, samples = app
    assert main(["evaluate", str(tmp_path / "nowhere.py"), samples]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert main(["evaluate", "no_such_module:pipeline", samples]) == 2
    assert "no_such_module" in capsys.readouterr().err
    Path(samples).write_text('{"question": "a?"}\n{"question": \n')
    assert main(["evaluate", f"{path}:pipeline", samples]) == 2
    assert "line 2" in capsys.readouterr().err


def test_an_error_in_the_users_own_file_is_the_users_to_see(app: tuple[Path, str]) -> None:
    path, samples = app
    path.write_text("import a_library_that_is_missing\n")
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_missing"):
        main(["evaluate", f"{path}:pipeline", samples])
