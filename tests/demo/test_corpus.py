from __future__ import annotations

import importlib
import json
import sys
import types
from pathlib import Path

import pytest

from llmopt.demo.corpus import demo_samples, python_reference
from llmopt.errors import CorpusError, SampleError

LINE = {
    "id": "q01",
    "question": "Why?",
    "reference": "Because.",
    "gold": ["assert"],
    "category": "lookup",
    "answerable": True,
    "language": "en",
    "evidence": ["a passage"],
}


def test_every_topic_of_the_interpreter_becomes_one_document() -> None:
    topics = importlib.import_module("pydoc_data.topics").topics
    documents = python_reference()
    assert {document.id: document.text for document in documents} == topics
    assert len(documents) >= 70


def test_documents_come_sorted_by_id_and_the_same_each_time() -> None:
    ids = [document.id for document in python_reference()]
    assert ids == sorted(set(ids))
    assert python_reference() == python_reference()


def test_a_document_carries_its_heading_and_source() -> None:
    by_id = {document.id: document for document in python_reference()}
    assert by_id["assert"].metadata == {"title": 'The "assert" statement', "source": "pydoc_data.topics"}
    assert by_id["debugger"].metadata["title"] == '"pdb" — The Python Debugger'
    assert all(document.metadata["title"] for document in by_id.values())


def test_an_interpreter_without_the_reference_is_told_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(CorpusError, match=r"pydoc_data\.topics of this interpreter is not there.*full CPython"):
        python_reference()


def test_an_interpreter_with_an_empty_reference_is_told_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    stripped = types.ModuleType("pydoc_data.topics")
    stripped.__dict__["topics"] = {}
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", stripped)
    with pytest.raises(CorpusError, match=r"is empty.*documents of your own"):
        python_reference()


def test_samples_carry_what_the_file_says() -> None:
    sample = demo_samples()[0]
    assert sample.id == "q01"
    assert sample.reference
    assert sample.answerable is True
    assert isinstance(sample.gold, tuple)
    assert sample.gold
    assert set(sample.metadata) == {"language", "evidence"}
    assert sample.answer == ""


def put_file(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "questions.jsonl").write_text(text, encoding="utf-8")

    def elsewhere(package: str) -> Path:
        assert package == "llmopt.demo"
        return folder

    monkeypatch.setattr("llmopt.demo.corpus.files", elsewhere)


def test_separators_inside_a_text_do_not_split_the_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    line = json.dumps({**LINE, "reference": "one\u2028two\x85three"}, ensure_ascii=False)
    put_file(monkeypatch, tmp_path, f"{line}\n\n{line}\n")
    assert [sample.reference for sample in demo_samples()] == ["one\u2028two\x85three"] * 2


@pytest.mark.parametrize(
    "second",
    [
        '{"id": "q02"',
        json.dumps({key: value for key, value in LINE.items() if key != "gold"}),
        json.dumps({**LINE, "answerable": "yes"}),
        json.dumps({**LINE, "difficulty": 3}),
        "[]",
    ],
)
def test_a_damaged_line_is_named(second: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_file(monkeypatch, tmp_path, f"{json.dumps(LINE)}\n{second}\n")
    with pytest.raises(SampleError, match=r"line 2 of questions\.jsonl.*reinstall llmopt"):
        demo_samples()
