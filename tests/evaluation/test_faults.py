"""A run against a server that fails in every way still gives every score, and never spends more than it may."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt.evaluation import (
    AnswerRelevancy,
    ContextPrecision,
    ContextRecall,
    Evaluator,
    Faithfulness,
    ModelJudge,
)
from llmopt.models import Budget, Price, chat_model, embedder
from llmopt.testing.server import FakeOpenAI, Fault
from llmopt.types import Sample

FAULTS = (
    Fault("rate_limit", rate=0.10, retry_after=0.01),
    Fault("server_error", rate=0.05),
    Fault("malformed_content", rate=0.02, path="/v1/chat/completions"),
    Fault("reset", rate=0.01),
)
SAMPLES = [
    Sample(
        question=f"What is the weather on day {n}?",
        answer=f"On day {n} it rains. It is cold.",
        contexts=[f"Day {n} is wet.", "It is cold in May.", "Cats sleep."],
        reference="It rains.",
    )
    for n in range(30)
]


def reply(body: Mapping[str, object]) -> str:
    asked = cast("Sequence[Mapping[str, str]]", body["messages"])[-1]["content"]
    form = asked[asked.rindex("Form:") :]
    ids = re.findall(r"\d+", found.group(1)) if (found := re.search(r"each id of ([\d, ]+)\.", asked)) else ["1"]
    if '"claims"' in form:
        return '{"claims": ["It rains.", "It is cold."]}'
    if '"questions"' in form:
        return json.dumps({"questions": [{"question": f"What is day {n}?", "noncommittal": 0} for n in range(3)]})
    if '"statements"' in form:
        return '{"statements": [{"statement": "It rains.", "reason": "r", "verdict": 1}]}'
    return json.dumps({"verdicts": [{"id": int(n), "reason": "r", "verdict": 1} for n in ids]})


def evaluator(server: FakeOpenAI, budget: Budget | None = None, embedding: Budget | None = None) -> Evaluator:
    model = chat_model(
        "judge", base_url=server.base_url, api_key="k", attempts=12, budget=budget, price=Price(1.0, 1.0)
    )
    judge = ModelJudge(model)
    vectors = embedder(
        "vectors", base_url=server.base_url, api_key="k", attempts=12, budget=embedding, price=Price(1.0, 0.0)
    )
    metrics = [Faithfulness(judge), AnswerRelevancy(judge, vectors), ContextPrecision(judge), ContextRecall(judge)]
    return Evaluator(metrics, concurrency=16, progress=False)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_score_comes_though_the_server_fails_in_every_way(seed: int) -> None:
    with FakeOpenAI(reply, faults=FAULTS, seed=seed) as server:
        report = evaluator(server).run(SAMPLES)
        requests = server.count()
    assert [summary.scored for summary in report.summaries()] == [30] * 4, [s.reasons for s in report.summaries()]
    assert report.summary("faithfulness").mean == 1.0
    assert requests > 5 * 30


@settings(max_examples=10)
@given(
    unit=st.sampled_from(["calls", "tokens", "dollars"]),
    room=st.integers(0, 60),
    concurrency=st.integers(1, 16),
    shared=st.booleans(),
)
def test_a_budget_is_never_exceeded(unit: str, room: int, concurrency: int, shared: bool) -> None:
    """Whatever is limited, whoever shares the limit, however many requests go on at a time."""
    of_a_call = {"calls": 1.0, "tokens": 5_000.0, "dollars": 0.005}[unit]  # about what is set aside for one
    limit = room * of_a_call
    budget = Budget(**{unit: limit if unit == "dollars" else int(limit)})  # type: ignore[arg-type]
    with FakeOpenAI(reply) as server:
        measure = evaluator(server, budget, embedding=budget if shared else None)
        measure.concurrency = concurrency
        report = measure.run(SAMPLES[:10])
        requests = server.count() if shared else server.count("chat/completions")
    told = report.judging()
    spent = {"calls": requests, "tokens": told.usage.total_tokens, "dollars": told.paid or 0.0}[unit]
    if shared:
        assert spent <= limit
    assert getattr(budget.spent, unit) <= limit
    assert budget.spent.calls == requests
    reasons = [score.reason for row in report for score in row.scores.values() if score.status == "failed"]
    assert all(reason.startswith("BudgetError") for reason in reasons)
    assert bool(reasons) or requests >= 50
    assert requests > 0 or room < 2


def test_a_run_cut_short_by_its_budget_goes_on_with_a_new_one(tmp_path: Path) -> None:
    with FakeOpenAI(reply) as server:
        first = evaluator(server, Budget(calls=20)).run(SAMPLES[:10], journal=tmp_path / "j")
        assert server.count("chat/completions") == 20
        assert sum(summary.failed for summary in first.summaries()) > 0
        second = evaluator(server, Budget(calls=30)).run(SAMPLES[:10], journal=tmp_path / "j")
        assert [summary.scored for summary in second.summaries()] == [10] * 4
        assert server.count("chat/completions") == 50


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = itertools.cycle([0.0, 86_400.0, -86_400.0, 5e8])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    with FakeOpenAI(reply, faults=FAULTS, seed=3) as server:
        report = evaluator(server).run(SAMPLES[:10], journal=tmp_path / "j")
        asked = server.count()
        again = evaluator(server).run(SAMPLES[:10], journal=tmp_path / "j")
        assert server.count() == asked
    assert [summary.scored for summary in report.summaries()] == [10] * 4
    assert [row.scores for row in again] == [row.scores for row in report]
    assert 0 <= report.judging().seconds < 3600
