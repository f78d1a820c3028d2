"""A plain function in a pipeline's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmopt.errors import ContractError, UsageError
from llmopt.evaluation import Application, Evaluator, ExactMatch, Recall
from llmopt.types import Answer, Document, Hit, Sample


def shout(question: str) -> str:
    return question.upper()


async def search(question: str) -> Answer:
    return Answer("found", [Hit(Document("d1", "text"), 1.0)])


def wrong(question: str) -> int:
    return 5


SAMPLES = [Sample(question="paris", reference="PARIS", gold=["d1"])]


def test_text_is_an_answer() -> None:
    report = Evaluator([ExactMatch()]).run(SAMPLES, pipeline=Application(shout))
    assert report.rows[0].sample.answer == "PARIS"
    assert report.latency().median is not None


def test_an_answer_brings_its_contexts() -> None:
    report = Evaluator([Recall(k=1)]).run(SAMPLES, pipeline=Application(search))
    assert report.rows[0].sample.context_ids == ("d1",)
    assert report.summary("recall@1").mean == 1.0


def test_anything_else_breaks_the_contract() -> None:
    with pytest.raises(ContractError, match="`wrong` must return text or an Answer, it returned int"):
        Application(wrong).run("q")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="question is empty"):
        Application(shout).run(" ")


def test_a_journal_knows_another_function_or_version_by_its_fingerprint(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def answering(question: str) -> str:
        with log.open("a") as file:
            file.write("x")
        return question

    for version, calls in (("1", 1), ("1", 1), ("2", 2)):
        Evaluator([ExactMatch()]).run(SAMPLES, pipeline=Application(answering, version), journal=tmp_path / "j")
        assert len(log.read_text()) == calls
    assert Application(shout).fingerprint() != Application(search).fingerprint()
