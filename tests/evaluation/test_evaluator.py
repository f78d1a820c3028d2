"""The evaluator: what it runs, what it refuses, and what becomes of everything that fails."""

from __future__ import annotations

import asyncio
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from typing import cast

import pytest

from llmopt.errors import ModelUnavailableError, SampleError, UsageError
from llmopt.evaluation import (
    ContextRecall,
    Evaluator,
    ExactMatch,
    Faithfulness,
    ModelJudge,
    Recall,
    Row,
    TokenF1,
    metric,
)
from llmopt.interfaces import Metric
from llmopt.pipeline import Pipeline
from llmopt.prompting import Direct
from llmopt.testing import FakeJudge, FakeModel, Reply
from llmopt.types import Message, Sample, Score

ANSWERED = [Sample(question=f"q{n}", answer=f"a{n}", reference=f"a{n % 3}") for n in range(12)]


def echo(messages: Sequence[Message]) -> Reply:
    question = messages[-1].content
    return ModelUnavailableError("the server is down") if "q3" in question else f"the {question.split()[-1]}"


def pipeline(model: FakeModel | None = None) -> Pipeline:
    return Pipeline(model=model or FakeModel(echo), prompt=Direct())


class Slow(Metric):
    """Counts how many of its measurements go on at a time."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def measure(self, sample: Sample) -> Score:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.002)
        self.now -= 1
        return Score(1.0)


# --- what it runs


def test_answered_samples_are_scored_in_their_order() -> None:
    report = Evaluator([ExactMatch(), TokenF1()]).run(ANSWERED)
    assert [row.sample.question for row in report] == [sample.question for sample in ANSWERED]
    assert [row.sample.id for row in report][:2] == ["1", "2"]
    assert report.metrics == ("exact_match", "token_f1")
    assert report.summary("exact_match").mean == 0.25
    assert all(row.run is None for row in report)


def test_a_pipeline_answers_first_and_its_latency_tokens_and_cost_are_kept() -> None:
    report = Evaluator([ExactMatch()]).run(
        [Sample(question="q1", reference="q1"), Sample(question="q2", reference="x")], pipeline=pipeline()
    )
    assert [row.sample.answer for row in report] == ["the q1", "the q2"]
    assert [row.scores["exact_match"].value for row in report] == [1.0, 0.0]
    assert report.spent().usage.calls == 2
    assert report.spent().cost == 0.0
    assert all(row.run is not None and row.run.spent.seconds > 0 for row in report)
    assert report.latency().median is not None
    assert "pipeline" in report.settings


def test_sync_async_and_both_streams_agree() -> None:
    evaluator = Evaluator([ExactMatch(), metric(lambda sample: len(sample.answer), name="length")])

    async def both() -> tuple[list[Row], list[Row]]:
        return list(await evaluator.arun(ANSWERED)), [row async for row in evaluator.astream(ANSWERED)]

    first, second = asyncio.run(both())
    third, fourth = list(evaluator.run(ANSWERED)), list(evaluator.stream(iter(ANSWERED)))
    scores = [[dict(row.scores) for row in rows] for rows in (first, second, third, fourth)]
    assert scores[0] == scores[1] == scores[2] == scores[3]


def test_it_runs_inside_a_running_loop_and_in_a_hook_of_its_own() -> None:
    async def inside() -> float | None:
        return Evaluator([ExactMatch()]).run(ANSWERED).summary("exact_match").mean

    assert asyncio.run(inside()) == 0.25


def test_prompts_and_replies_of_judge_and_pipeline_can_be_opened() -> None:
    replies = ['{"claims": ["It rains."]}', '{"verdicts": [{"id": 1, "reason": "said", "verdict": 1}]}']
    judge = ModelJudge(FakeModel("{}", script=replies))
    sample = Sample(question="Weather in May?", answer="It rains.", contexts=["It rains in May."])
    (row,) = Evaluator([Faithfulness(judge)]).run([sample])
    assert [call.purpose for call in row.calls] == ["faithfulness"] * len(row.calls)
    assert any("It rains in May." in message.content for call in row.calls for message in call.messages)
    assert replies[0] in [call.reply for call in row.calls]
    assert row.judging.usage.calls == len(row.calls) > 0
    (bare,) = Evaluator([Faithfulness(ModelJudge(FakeModel("{}", script=replies)))], prompts=False).run([sample])
    assert bare.calls == ()


def test_places_are_shared_by_all_metrics_and_runs() -> None:
    first, second = Slow(), Slow()
    names = [metric(_awaiting(slow), name=name) for slow, name in ((first, "first"), (second, "second"))]
    Evaluator(names, concurrency=3).run(ANSWERED)
    assert 1 < max(first.most, second.most) <= 3
    lonely = Slow()
    Evaluator([lonely], concurrency=1).run(ANSWERED)
    assert lonely.most == 1


def _awaiting(slow: Slow):  # type: ignore[no-untyped-def]
    async def measure(sample: Sample) -> Score:
        return await slow.measure(sample)

    return measure


def test_blocking_metrics_do_not_hold_up_the_loop() -> None:
    threads: set[int] = set()

    def blocking(sample: Sample) -> float:
        threads.add(threading.get_ident())
        time.sleep(0.005)
        return 1.0

    Evaluator([metric(blocking)], concurrency=4).run(ANSWERED)
    assert len(threads) > 1


# --- what fails


def test_a_failing_run_fails_its_scores_with_the_reason_and_the_others_go_on() -> None:
    samples = [Sample(question=f"q{n}", reference=f"q{n}") for n in range(1, 6)]
    report = Evaluator([ExactMatch(), TokenF1()]).run(samples, pipeline=pipeline())
    summary = report.summary("exact_match")
    assert (summary.scored, summary.failed, summary.total, summary.mean) == (4, 1, 5, 1.0)
    (failed,) = report.failures()
    assert failed.sample.question == "q3"
    assert failed.run is not None
    assert failed.run.failure == "ModelUnavailableError: the server is down"
    assert failed.scores["token_f1"] == Score(
        None, "the pipeline failed: ModelUnavailableError: the server is down", "failed"
    )


def test_an_empty_question_is_a_failed_run_not_a_crash() -> None:
    (row,) = Evaluator([ExactMatch()]).run([Sample(question=" ", reference="x")], pipeline=pipeline())
    assert row.run is not None
    assert "the question is empty" in row.run.failure


def broken(sample: Sample) -> float:
    return 1 / (len(sample.question) - 2)


async def broken_async(sample: Sample) -> float:
    raise KeyError("nowhere")


def wrong(sample: Sample) -> float:
    return float("nan")


def test_mistakes_in_a_metric_are_failures_that_say_where() -> None:
    report = Evaluator([metric(broken), metric(broken_async), metric(wrong), ExactMatch()]).run(ANSWERED[:2])
    reason = report.rows[0].scores["broken"].reason
    assert reason.startswith("ZeroDivisionError: ")
    assert "test_evaluator.py:" in reason
    assert "KeyError: 'nowhere'" in report.rows[0].scores["broken_async"].reason
    assert "ContractError" in report.rows[0].scores["wrong"].reason
    assert report.summary("broken").failed == 2
    assert report.summary("broken").mean is None
    assert report.summary("exact_match").scored == 2


def interrupted(sample: Sample) -> float:
    raise KeyboardInterrupt


async def leaving(sample: Sample) -> float:
    raise SystemExit(3)


def test_replies_of_no_use_are_asked_for_once_more_and_then_it_is_a_failure() -> None:
    good = ['{"claims": ["It rains."]}', '{"verdicts": [{"id": 1, "reason": "said", "verdict": 1}]}']
    sample = Sample(question="Weather in May?", answer="It rains.", contexts=["It rains in May."])
    model = FakeModel("never", script=["garbage", "garbage", *good])
    (row,) = Evaluator([Faithfulness(ModelJudge(model))]).run([sample])
    assert row.scores["faithfulness"].value == 1.0
    assert [options.replicate for options in model.options] == [0, 0, 500_000, 500_000]
    assert row.judging.usage.calls == len(row.calls) == 4
    hopeless = FakeModel("never")
    (row,) = Evaluator([Faithfulness(ModelJudge(hopeless))]).run([sample])
    assert row.scores["faithfulness"].status == "failed"
    assert len(hopeless.requests) == 4


def test_an_error_of_the_line_is_not_measured_again() -> None:
    model = FakeModel(ModelUnavailableError("down"))
    Evaluator([Faithfulness(ModelJudge(model))]).run([Sample(question="q", answer="a", contexts=["c"])])
    assert len(model.requests) == 1


def test_an_interrupt_and_an_exit_are_not_swallowed_and_do_not_stop_the_loop() -> None:
    for stop, expected in ((interrupted, KeyboardInterrupt), (leaving, SystemExit)):
        with pytest.raises(expected):
            Evaluator([metric(stop), metric(broken_async)]).run(ANSWERED)
    assert Evaluator([ExactMatch()]).run(ANSWERED).summary("exact_match").scored == 12


def test_leaving_a_stream_early_stops_the_work() -> None:
    slow = Slow()
    for row in Evaluator([slow], concurrency=2).stream(ANSWERED):
        assert row.scores["slow"].value == 1.0
        break
    time.sleep(0.02)
    assert slow.now <= 2


# --- what it refuses


def test_needs_are_checked_for_all_samples_before_anything_is_run() -> None:
    model = FakeModel("x")
    samples = [Sample(question="a", reference="x"), Sample(question="b", id="second"), Sample(question="c")]
    with pytest.raises(SampleError) as caught:
        Evaluator([ExactMatch()]).run(samples, pipeline=pipeline(model))
    assert "`exact_match` needs `reference`, which 2 of 3 samples lack ('second', '3')" in str(caught.value)
    assert "Nothing was run" in str(caught.value)
    assert model.requests == []


def test_what_the_pipeline_fills_need_not_be_there_before() -> None:
    report = Evaluator([metric(lambda s: True, name="m", needs=["answer"])]).run(
        [Sample(question="q1")], pipeline=pipeline()
    )  # fmt: skip
    assert report.summary("m").mean == 1.0
    with pytest.raises(SampleError, match="needs `answer`"):
        Evaluator([metric(lambda s: True, name="m", needs=["answer"])]).run([Sample(question="q1")])


def test_samples_marked_unanswerable_need_no_truth() -> None:
    samples = [Sample(question="a", gold=["d"], context_ids=["d"]), Sample(question="b", answerable=False)]
    report = Evaluator([Recall(k=1)]).run(samples)
    assert report.rows[1].scores["recall@1"] == Score(None, "the sample is marked unanswerable and has no gold")
    assert (report.summary("recall@1").scored, report.summary("recall@1").undefined) == (1, 1)


def test_a_partly_labelled_set_can_be_measured_where_it_is_labelled() -> None:
    samples = [Sample(question="a", answer="x", reference="x"), Sample(question="b", answer="x")]
    report = Evaluator([ExactMatch()], partial=True).run(samples)
    assert report.rows[1].scores["exact_match"] == Score(None, "the sample has no reference", "undefined")
    with pytest.raises(SampleError, match="1 of 1 samples lack"):
        Evaluator([ExactMatch()], partial=True).run(samples[1:])


def test_a_generator_is_checked_sample_by_sample() -> None:
    rows = list(Evaluator([ExactMatch()]).stream(iter([ANSWERED[0], Sample(question="b", answer="x")])))
    assert rows[0].scores["exact_match"].value == 1.0
    assert rows[1].scores["exact_match"].status == "failed"
    assert "needs reference" in rows[1].scores["exact_match"].reason


def test_no_samples_and_an_id_given_twice_are_refused() -> None:
    with pytest.raises(SampleError, match="no samples"):
        Evaluator([ExactMatch()]).run([])
    twice = [Sample(question="a", id="x", reference=""), Sample(question="b", id="x", reference="")]
    with pytest.raises(SampleError, match="samples 1 and 2 both have the id 'x'"):
        Evaluator([ExactMatch()]).run(twice)


def test_what_is_no_sample_or_no_metric_is_refused_by_name() -> None:
    with pytest.raises(SampleError, match=r"number 1 is 'answers.csv'; load_samples\(path\)"):
        Evaluator([ExactMatch()]).run(cast("list[Sample]", "answers.csv"))
    with pytest.raises(SampleError, match=r"number 13 is \{'question': 'q'\}"):
        Evaluator([ExactMatch()]).run(cast("list[Sample]", [*ANSWERED, {"question": "q"}]))
    with pytest.raises(UsageError, match=r"got the class ExactMatch: make one, `ExactMatch\("):
        Evaluator(cast("list[Metric]", [ExactMatch])).run(ANSWERED)


def test_metrics_need_a_name_of_their_own_and_places_to_work_in() -> None:
    with pytest.raises(UsageError, match="two metrics have the name 'exact_match'"):
        Evaluator([ExactMatch(), ExactMatch()]).run(ANSWERED)
    with pytest.raises(UsageError, match="at least one metric"):
        Evaluator([]).run(ANSWERED)
    with pytest.raises(UsageError, match="at least 1, got 0"):
        Evaluator([ExactMatch()], concurrency=0).run(ANSWERED)


# --- bounded


def test_a_stream_draws_no_more_samples_than_it_needs_and_keeps_none() -> None:
    drawn = 0

    def many() -> Iterator[Sample]:
        nonlocal drawn
        for number in range(3000):
            drawn += 1
            yield Sample(question="q", answer="x" * 5000 + str(number), reference="x")

    stream = Evaluator([ExactMatch()], concurrency=2).stream(many())
    next(stream)
    assert drawn <= 20
    tracemalloc.start()
    try:
        assert sum(1 for _ in stream) == 2999
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_judge_without_verdicts_fails_and_is_counted() -> None:
    sample = Sample(question="q", answer="a", contexts=["c"], reference="r")
    report = Evaluator([Faithfulness(FakeJudge()), ContextRecall(FakeJudge())]).run([sample])
    assert [summary.failed for summary in report.summaries()] == [1, 1]


class Blocking(Metric):
    """A metric in plain sync code that asks a judge."""

    def __init__(self, judge: ModelJudge) -> None:
        self.judge = judge

    def measure(self, sample: Sample) -> Score:
        return Score(float(len(self.judge.split(sample.question, sample.answer))))


def test_a_metric_in_sync_code_is_measured_again_too() -> None:
    model = FakeModel('{"claims": ["It rains."]}', script=["garbage", "garbage"])
    (row,) = Evaluator([Blocking(ModelJudge(model))]).run([Sample(question="q", answer="It rains.")])
    assert row.scores["blocking"].value == 1.0
    assert len(model.requests) == 3
