"""The journal: finished work is found again, changed work is not, and nothing damaged is taken for sound."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from llmopt.errors import BudgetError, ModelUnavailableError, StorageError
from llmopt.evaluation import Evaluator, ExactMatch, Faithfulness, ModelJudge, Report
from llmopt.evaluation.journal import Journal
from llmopt.evaluation.journaled import JournaledEmbedder, JournaledModel, journal_scope
from llmopt.evaluation.keeping import corpus_digest
from llmopt.evaluation.rewiring import Rewiring
from llmopt.interfaces import Component, Metric
from llmopt.pipeline import Pipeline
from llmopt.prompting import Direct
from llmopt.retrieval import BM25
from llmopt.testing import FakeEmbedder, FakeModel, Reply
from llmopt.types import Completion, Document, Matrix, Message, Options, Sample, Score, Usage

SAMPLES = [Sample(question=f"Question {n}?", reference=f"answer {n}") for n in range(6)]
ANSWERED = [replace(sample, answer=f"answer {n}", contexts=(f"It is so, {n}.",)) for n, sample in enumerate(SAMPLES)]


def judged(messages: Sequence[Message]) -> Reply:
    if '"claims"' in messages[-1].content:
        return '{"claims": ["It is so."]}'
    return '{"verdicts": [{"id": 1, "reason": "said", "verdict": 1}]}'


def pipeline(model: FakeModel, **slots: object) -> Pipeline:
    return Pipeline(model=model, prompt=Direct()).but(**slots)


def scores(report: Report) -> list[dict[str, Score]]:
    return [dict(row.scores) for row in report]


# --- resuming


def test_a_second_run_pays_for_nothing_and_finds_the_same(tmp_path: Path) -> None:
    reader, judge = FakeModel("answer 3"), FakeModel(judged)
    evaluator = Evaluator([Faithfulness(ModelJudge(judge)), ExactMatch()])
    samples = [replace(sample, reference="answer 3") for sample in SAMPLES]
    first = evaluator.run(samples, pipeline=pipeline(reader), journal=tmp_path / "j")
    paid = len(reader.requests), len(judge.requests)
    again = Evaluator([Faithfulness(ModelJudge(judge)), ExactMatch()], concurrency=2)
    second = again.run(samples, pipeline=pipeline(reader), journal=tmp_path / "j")
    assert (len(reader.requests), len(judge.requests)) == paid == (6, 0)
    assert second.rows == first.rows


def test_a_run_with_a_journal_finds_what_one_without_finds(tmp_path: Path) -> None:
    with_one = Evaluator([Faithfulness(ModelJudge(FakeModel(judged)))]).run(ANSWERED, journal=tmp_path / "j")
    without = Evaluator([Faithfulness(ModelJudge(FakeModel(judged)))]).run(ANSWERED)
    assert scores(with_one) == scores(without)
    assert with_one.judging().usage == without.judging().usage
    assert [call.component for row in with_one for call in row.calls] == ["FakeModel"] * 12


def test_only_what_changed_is_paid_for_again(tmp_path: Path) -> None:
    model = FakeModel(judged)

    def paid(samples: Sequence[Sample], *metrics: Metric) -> int:
        before = len(model.requests)
        Evaluator(metrics).run(samples, journal=tmp_path / "j")
        return len(model.requests) - before

    faithfulness = Faithfulness(ModelJudge(model))
    assert paid(ANSWERED[:4], faithfulness) == 8
    assert paid(ANSWERED, faithfulness) == 4
    assert paid([replace(ANSWERED[0], answer="Another."), *ANSWERED[1:]], faithfulness) == 2
    assert paid(ANSWERED, faithfulness, ExactMatch()) == 0
    assert paid(ANSWERED, Faithfulness(ModelJudge(model, instructions="Be strict."))) == 12
    assert paid(ANSWERED, faithfulness) == 0


def test_another_pipeline_or_another_corpus_is_run_anew(tmp_path: Path) -> None:
    model = FakeModel("x")
    first = BM25().index([Document("1", "cats sleep"), Document("2", "dogs bark")])
    second = BM25().index([Document("1", "cats sleep"), Document("2", "dogs howl")])
    assert corpus_digest(pipeline(model, retriever=first)) != corpus_digest(pipeline(model, retriever=second))
    for retriever, calls in ((first, 6), (first, 6), (second, 12), (None, 18)):
        Evaluator([ExactMatch()]).run(
            SAMPLES, pipeline=pipeline(model, retriever=retriever, k=2), journal=tmp_path / "j"
        )
        assert len(model.requests) == calls


def test_a_kept_run_brings_its_contexts_citations_and_prompts(tmp_path: Path) -> None:
    retriever = BM25().index([Document("d1", "Question of cats"), Document("d2", "dogs")])
    runs = [
        Evaluator([ExactMatch()]).run(
            SAMPLES[:1], pipeline=pipeline(FakeModel("x"), retriever=retriever, k=1), journal=tmp_path / "j"
        )
        for _ in range(2)
    ]
    assert runs[1].rows == runs[0].rows
    assert runs[1].rows[0].sample.context_ids == ("d1",)
    assert runs[1].rows[0].calls[0].purpose == "pipeline"


def test_the_plan_counts_only_what_is_missing(tmp_path: Path) -> None:
    judge = ModelJudge(FakeModel(judged))
    evaluator = Evaluator([Faithfulness(judge)])
    assert evaluator.plan(ANSWERED, journal=tmp_path / "j").calls == 12
    assert not (tmp_path / "j").exists()
    evaluator.run(ANSWERED[:4], journal=tmp_path / "j")
    assert evaluator.plan(ANSWERED, journal=tmp_path / "j").calls == 4
    reader = pipeline(FakeModel("answer"))
    evaluator.run(SAMPLES[:5], pipeline=reader, journal=tmp_path / "j")
    plan = evaluator.plan(SAMPLES, pipeline=reader, journal=tmp_path / "j")
    assert {item.what: item.usage.calls for item in plan.items}["pipeline: answer"] == 1


def test_a_stream_uses_the_journal_too(tmp_path: Path) -> None:
    model = FakeModel(judged)
    evaluator = Evaluator([Faithfulness(ModelJudge(model))])
    stream = evaluator.stream(iter(ANSWERED), journal=tmp_path / "j")
    next(stream)
    del stream
    made = len(model.requests)
    assert len(list(evaluator.stream(iter(ANSWERED), journal=tmp_path / "j"))) == 6
    assert len(model.requests) <= 12
    assert made <= 12


# --- failures


@dataclass(repr=False, eq=False)
class Fails(Metric):
    """Asks a model, then fails as long as it is told to."""

    model: FakeModel
    marker: Path

    async def measure(self, sample: Sample) -> Score:
        await self.model.acomplete(sample.question)
        if not self.marker.exists():
            raise ModelUnavailableError("the server went away after the first call")
        return Score(1.0)


def test_a_failure_is_tried_again_from_the_replies_that_were_paid_for(tmp_path: Path) -> None:
    model = FakeModel("x")
    evaluator = Evaluator([Fails(model, tmp_path / "up")])
    for _ in range(2):
        assert evaluator.run(ANSWERED, journal=tmp_path / "j").summary("fails").failed == 6
        assert len(model.requests) == 6
    (tmp_path / "up").touch()
    assert evaluator.run(ANSWERED, journal=tmp_path / "j").summary("fails").scored == 6
    assert len(model.requests) == 6
    assert calls_in(tmp_path / "j") == 0


def test_models_are_asked_afresh_where_that_is_wanted_and_only_where_something_failed(tmp_path: Path) -> None:
    garbage = FakeModel(judged, script=["garbage"] * 4)
    evaluator = Evaluator([Faithfulness(ModelJudge(garbage))], concurrency=1)
    assert evaluator.run(ANSWERED, journal=tmp_path / "j").summary("faithfulness").failed == 1
    paid = len(garbage.requests)
    assert paid == 4 + 5 * 2
    assert evaluator.run(ANSWERED, journal=tmp_path / "j").summary("faithfulness").failed == 1
    assert len(garbage.requests) == paid
    found = evaluator.run(ANSWERED, journal=tmp_path / "j", retry_failed=True)
    assert found.summary("faithfulness").scored == 6
    assert len(garbage.requests) == paid + 2
    assert calls_in(tmp_path / "j") == 0


@pytest.mark.parametrize("error", [BudgetError("no budget left"), ModelUnavailableError("the server is down")])
def test_a_failure_that_cost_nothing_is_tried_again(tmp_path: Path, error: Exception) -> None:
    reader = FakeModel("answer 1", script=[error, error])
    evaluator = Evaluator([ExactMatch()], concurrency=1)
    assert evaluator.run(SAMPLES, pipeline=pipeline(reader), journal=tmp_path / "j").summary("exact_match").failed == 2
    assert evaluator.run(SAMPLES, pipeline=pipeline(reader), journal=tmp_path / "j").summary("exact_match").failed == 0
    assert len(reader.requests) == 8


@dataclass(repr=False, eq=False)
class Undefined(Metric):
    """Has no figure, and leaves a mark each time it is asked."""

    marks: Path

    def measure(self, sample: Sample) -> Score:
        with self.marks.open("a") as file:
            file.write("x")
        return Score(None, "no figure")


def test_an_undefined_score_is_a_result_and_kept(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    for _ in range(2):
        report = Evaluator([Undefined(calls)]).run(ANSWERED, journal=tmp_path / "j")
        assert report.summary("undefined").undefined == 6
    assert len(calls.read_text()) == 6


def test_replies_of_unfinished_work_are_kept_and_of_finished_work_dropped(tmp_path: Path) -> None:
    model = Interrupting(judged)
    evaluator = Evaluator([Faithfulness(ModelJudge(model))], concurrency=1)
    with pytest.raises(Stopped):
        evaluator.run(ANSWERED[:1], journal=tmp_path / "j")
    assert calls_in(tmp_path / "j") == 1
    model.armed = False
    (row,) = evaluator.run(ANSWERED[:1], journal=tmp_path / "j")
    assert row.scores["faithfulness"].value == 1.0
    assert [call.cached for call in row.calls] == [True, False]
    assert len(model.requests) == 3
    assert calls_in(tmp_path / "j") == 0


class Stopped(BaseException):
    """Something that ends a run and is not an error."""


class Interrupting(FakeModel):
    """A model that is interrupted at its second call."""

    armed = True

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        found = super().generate(messages, options)
        if self.armed and len(self.requests) == 2:
            raise Stopped
        return found


def calls_in(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])
    finally:
        connection.close()


# --- models in a scope


def test_equal_requests_within_one_piece_of_work_are_told_apart(tmp_path: Path) -> None:
    inner = FakeModel("z", script=["a", "b"])
    model = JournaledModel(inner)
    with Journal(tmp_path / "j") as journal:
        with journal_scope(journal, b"s"):
            first = [model.complete("same").text for _ in range(2)]
        with journal_scope(journal, b"s"):
            second = [model.complete("same") for _ in range(3)]
    assert first == ["a", "b"]
    assert [(reply.text, reply.cached) for reply in second] == [("a", True), ("b", True), ("z", False)]


def test_outside_a_scope_a_journaled_model_is_the_inner_one(tmp_path: Path) -> None:
    inner, embedder = FakeModel("x"), FakeEmbedder()
    assert [JournaledModel(inner).complete("q").text for _ in range(2)] == ["x", "x"]
    assert len(inner.requests) == 2
    rows = JournaledEmbedder(embedder).encode(["a cat"], kind="query")
    assert np.array_equal(rows, embedder.encode(["a cat"], kind="query"))


def test_vectors_are_kept_bit_by_bit(tmp_path: Path) -> None:
    inner = FakeEmbedder()
    embedder = JournaledEmbedder(inner)
    with Journal(tmp_path / "j") as journal:
        found: list[Matrix] = []
        for _ in range(2):
            with journal_scope(journal, b"s"):
                found.append(embedder.encode(["a cat", "a dog"], kind="document"))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], inner.encode(["a cat", "a dog"], kind="document"))
    assert len(inner.requests) == 2


@dataclass(repr=False, eq=False)
class Holder(Component):
    """Holds parts."""

    parts: object
    note: str = ""


def test_models_are_replaced_however_deep_and_shared_parts_stay_shared() -> None:
    judge = ModelJudge(FakeModel("x"))
    plain = Holder("nothing")
    whole = Holder([Faithfulness(judge), {"again": judge}, (plain, 5)])
    made = Rewiring(JournaledModel, JournaledEmbedder).apply(whole)
    assert made is not whole
    assert isinstance(made.parts, list)
    faithfulness, again, rest = cast("tuple[Metric, dict[str, object], tuple[object, int]]", made.parts)
    assert isinstance(faithfulness, Faithfulness)
    assert isinstance(faithfulness.judge, ModelJudge)
    assert isinstance(faithfulness.judge.model, JournaledModel)
    assert again["again"] is faithfulness.judge
    assert rest[0] is plain
    assert isinstance(judge.model, FakeModel)
    assert Rewiring(JournaledModel, JournaledEmbedder).apply(plain) is plain


# --- the file


def test_two_runs_at_once_on_one_journal_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"), pytest.raises(StorageError, match="another run is using it"):
        Evaluator([ExactMatch()]).run(ANSWERED, journal=tmp_path / "j")
    assert Evaluator([ExactMatch()]).run(ANSWERED, journal=tmp_path / "j").summary("exact_match").scored == 6


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, but long enough to be read as one" * 100)
    with pytest.raises(StorageError, match="no journal, or damaged"), Journal(tmp_path / "text"):
        pass
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(StorageError, match="no journal of llmopt"), Journal(tmp_path / "other"):
        pass
    with pytest.raises(StorageError, match="its folder exists"), Journal(tmp_path / "nowhere" / "j"):
        pass


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"):
        pass
    with sqlite3.connect(tmp_path / "j") as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(StorageError, match="format 9"), Journal(tmp_path / "j"):
        pass


def test_a_journal_cut_off_anywhere_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    journal = Journal(source)
    journal.__enter__()
    for number in range(50):
        journal.keep_result(bytes([number]), f"body {number}")
    # A copy of the files as they stand is what a killed process leaves behind.
    database, log = source.read_bytes(), (tmp_path / "source-wal").read_bytes()
    journal.__exit__(None, None, None)
    cuts = random.Random(7)
    found: list[int] = []
    for number in range(25):
        copy = tmp_path / f"copy{number}"
        copy.write_bytes(database)
        (tmp_path / f"copy{number}-wal").write_bytes(log[: cuts.randrange(len(log))])
        with Journal(copy) as opened:
            kept = [n for n in range(50) if opened.result(bytes([n])) == f"body {n}"]
            assert kept == list(range(len(kept)))
            opened.keep_result(b"new", "x")
        found.append(len(kept))
    assert min(found) < max(found)


def test_an_entry_that_cannot_be_read_is_measured_again(tmp_path: Path) -> None:
    model = FakeModel(judged)
    evaluator = Evaluator([Faithfulness(ModelJudge(model))])
    evaluator.run(ANSWERED, journal=tmp_path / "j")
    with sqlite3.connect(tmp_path / "j") as connection:
        connection.execute("UPDATE results SET body = '{\"what\": 1}'")
    connection.close()
    assert evaluator.run(ANSWERED, journal=tmp_path / "j").summary("faithfulness").scored == 6
    assert len(model.requests) == 24


def test_a_full_disk_stops_the_run_and_keeps_what_was_written(tmp_path: Path) -> None:
    model = FakeModel(judged)
    samples = [replace(ANSWERED[0], id=str(n), answer="long " * 2000 + str(n)) for n in range(40)]
    evaluator = Evaluator([Faithfulness(ModelJudge(model))], concurrency=1)
    with pytest.raises(StorageError, match=r"the disk is full\. What was finished before is in it"):
        evaluator.run(samples, journal=Small(tmp_path / "j"))
    before = len(model.requests)
    assert before < 80
    assert evaluator.run(samples, journal=tmp_path / "j").summary("faithfulness").scored == 40
    assert len(model.requests) <= 80 + 2


class Small:
    """A path whose journal may grow to 60 pages only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


@pytest.fixture(autouse=True)
def small_disk(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "full_disk" not in request.node.name:
        return
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect
    limits = iter([True])

    def limited(*args: object, **kwargs: object) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        if next(limits, False):
            connection.execute("PRAGMA max_page_count = 60")
        return connection

    monkeypatch.setattr(sqlite3, "connect", limited)


def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        pass
    with pytest.raises(StorageError, match="is closed"):
        journal.result(b"k")


def test_usage_from_an_earlier_run_is_shown_as_it_was_and_not_paid_again(tmp_path: Path) -> None:
    model = FakeModel(Completion('{"claims": []}', Usage(10, 5, calls=1), cost=0.5))
    evaluator = Evaluator([Faithfulness(ModelJudge(model))])
    first = evaluator.run(ANSWERED[:1], journal=tmp_path / "j").judging()
    second = evaluator.run(ANSWERED[:1], journal=tmp_path / "j").judging()
    assert first == second
    assert first.cost == 0.5
