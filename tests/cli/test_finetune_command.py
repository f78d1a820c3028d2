"""`llmopt finetune check`: what it says and what it exits with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmopt.cli import main


def good(number: int) -> str:
    turns = [{"role": "user", "content": f"what is the number {number}"}, {"role": "assistant", "content": f"{number}"}]
    return json.dumps({"messages": turns})


GOOD = "".join(f"{good(number)}\n" for number in range(60))
BROKEN = "".join(f"{good(number)}\n" if number != 36 else '{"messages": [}\n' for number in range(60))


def check(folder: Path, content: str, *arguments: str) -> int:
    path = folder / "train.jsonl"
    path.write_bytes(content.encode())
    return main(["finetune", "check", str(path), *arguments])


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (GOOD, 0, "ready for supervised fine-tuning, 0 errors"),
        (BROKEN, 1, "not-json: line 37"),
        ("\ufeff" + GOOD, 1, "bom: line 1"),
        (GOOD.replace("\n", "\r\n"), 0, "crlf: line 1"),
        (f"[{','.join(GOOD.splitlines())}]", 1, "json-array: line 1"),
        ("".join(f"{good(number)}\n" for number in range(10)), 0, "few-examples: there are 10 examples"),
        ("".join(f"{good(number)}\n" for number in range(9)), 1, "too-few-examples"),
        ("", 1, "empty-file: line 1"),
    ],
    ids=["good", "broken line", "byte order mark", "carriage returns", "array", "ten lines", "nine lines", "empty"],
)
def test_a_file_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, code: int, said: str
) -> None:
    assert check(tmp_path, content) == code
    assert said in capsys.readouterr().out


def test_training_data_that_is_the_validation_data_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, GOOD, "--validation", str(tmp_path / "train.jsonl")) == 1
    assert "the validation set, too" in capsys.readouterr().out


def test_a_broken_validation_file_is_a_fault_although_the_training_file_is_right(tmp_path: Path) -> None:
    (tmp_path / "valid.jsonl").write_text('{"messages": []}\n')
    assert check(tmp_path, GOOD, "--validation", str(tmp_path / "valid.jsonl")) == 1


def test_the_validation_file_is_checked_as_the_training_file_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question, answer = "how many legs has a spider", f"ask a@b.com {'now ' * 40}"
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    valid, samples = tmp_path / "valid.jsonl", tmp_path / "samples.jsonl"
    valid.write_text(json.dumps({"messages": turns}) + "\n")
    samples.write_text(json.dumps({"question": "how many legs has a spider"}) + "\n")
    assert check(tmp_path, GOOD, "--validation", str(valid), "--evaluation", str(samples)) == 1
    assert "email" in (printed := capsys.readouterr().out)
    assert "is in the evaluation set, too" in printed
    assert check(tmp_path, GOOD, "--validation", str(valid), "--structure-only") == 0
    assert "email" not in capsys.readouterr().out
    assert check(tmp_path, GOOD, "--validation", str(valid), "--context-limit", "40") == 1
    assert "over-context: line 1" in capsys.readouterr().out


def test_a_sample_that_is_asked_inside_a_prompt_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prompt = "Answer from the context.\nContext: numbers are numbers.\nQuestion: How many legs has a spider?"
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": "8"}]
    (tmp_path / "samples.jsonl").write_text(json.dumps({"question": "How many legs has a spider?"}) + "\n")
    content = GOOD + json.dumps({"messages": turns}) + "\n"
    assert check(tmp_path, content, "--evaluation", str(tmp_path / "samples.jsonl")) == 1
    printed = capsys.readouterr().out
    assert "leak: line 61" in printed
    assert "evaluation set" in printed


def test_a_repaired_copy_is_written_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "fixed.jsonl"
    assert check(tmp_path, "\ufeff" + GOOD.replace("\n", "\r\n"), "--fix", str(out)) == 0
    assert out.read_text("utf-8") == GOOD
    assert "repaired: bom 1, crlf 60" in capsys.readouterr().out


def test_the_estimate_takes_the_price_that_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(tmp_path, GOOD, "--price", "2", "--epochs", "4")
    assert "x 4 epochs" in (printed := capsys.readouterr().out)
    assert "at $2 per million" in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ["--least-examples", "0"],
        ["--epochs", "0"],
        ["--price", "-1"],
        ["--fix", "train.jsonl"],
        ["--evaluation", "absent.jsonl"],
    ],
)
def test_what_cannot_be_done_exits_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert check(tmp_path, GOOD, *arguments) == 2
    assert capsys.readouterr().err.startswith("llmopt: ")
    assert (tmp_path / "train.jsonl").read_text("utf-8") == GOOD


def test_a_file_that_is_not_there_exits_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finetune", "check", "absent.jsonl"]) == 2
    assert "cannot read absent.jsonl" in capsys.readouterr().err


def test_a_mistyped_option_exits_with_two() -> None:
    with pytest.raises(SystemExit) as left:
        main(["finetune", "check", "train.jsonl", "--nonsense"])
    assert left.value.code == 2


@pytest.mark.skipif(os.name != "posix", reason="a pipe as in a shell")
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(GOOD, encoding="utf-8")
    command = [sys.executable, "-m", "llmopt", "finetune", "check", str(tmp_path / "train.jsonl")]
    reading, writing = os.pipe()
    os.close(reading)  # as `| head -0` does
    with os.fdopen(writing, "wb") as pipe:
        ended = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (141, "")
