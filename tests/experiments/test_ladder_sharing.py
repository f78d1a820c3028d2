"""A step pays only for what it changes, and a ladder that was interrupted only for what is missing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from llmopt import (
    AnswerRelevancy,
    ContextPrecision,
    Dense,
    Document,
    Evaluator,
    ExactMatch,
    Faithfulness,
    ModelJudge,
    Pipeline,
    Sample,
)
from llmopt._fences import read_fences
from llmopt.evaluation import Report, Row, Run, Spent, metric
from llmopt.experiments import Ladder
from llmopt.interfaces import Reranker
from llmopt.prompting import Direct, Grounded
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.types import Hit, Message

DOCUMENTS = [Document(str(n), f"Fact {n} about thing {n % 7} is {n * n}.") for n in range(40)]
SAMPLES = [Sample(question=f"What is fact {n} about thing {n % 7}?", reference=f"It is {n * n}.") for n in range(20)]


class Reversed(Reranker):
    """Turns the order round."""

    def score(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return the places."""
        return [float(place) for place in range(len(hits))]


def answering(messages: Sequence[Message]) -> str:
    """Answer by the first context for every other question, so that reranking changes some answers only."""
    asked = messages[-1].content
    number = int((re.findall(r"What is fact (\d+)", asked) or ["0"])[-1])
    if number % 2:
        return f"It is {number * number}."
    fences = read_fences("\n".join(message.content for message in messages))
    return (fences[0].text if fences else "I do not know") + "!"


def judging(messages: Sequence[Message]) -> str:
    """Judge by what is asked, always in the right form."""
    asked = messages[-1].content
    ids = re.findall(r"\d+", found.group(1)) if (found := re.search(r"each id of ([\d, ]+)\.", asked)) else ["1"]
    if '"claims"' in asked[asked.rindex("Form:") :]:
        return json.dumps({"claims": ["It is so."]})
    if '"questions"' in asked[asked.rindex("Form:") :]:
        return json.dumps({"questions": [{"question": f"What is it, {n}?", "noncommittal": 0} for n in range(3)]})
    return json.dumps({"verdicts": [{"id": int(id), "reason": "Said.", "verdict": 1} for id in ids]})


class World:
    """A pipeline with a judge and embedders, all of which count what they are asked."""

    def __init__(self) -> None:
        self.reader, self.critic = FakeModel(answering), FakeModel(judging)
        self.searcher, self.relater = FakeEmbedder(), FakeEmbedder(128)
        retriever = Dense(self.searcher).index(DOCUMENTS)
        self.pipeline = Pipeline(model=self.reader, prompt=Grounded(), retriever=retriever, k=3, fetch=3)
        judge = ModelJudge(self.critic, remember=0)
        metrics = [Faithfulness(judge), AnswerRelevancy(judge, self.relater), ContextPrecision(judge)]
        self.evaluator = Evaluator(metrics, progress=False)

    def ladder(self, folder: Path | None) -> Ladder:
        return Ladder(self.pipeline, SAMPLES, self.evaluator, "faithfulness", held_out=0.0, folder=folder)

    def asked(self) -> dict[str, list[str]]:
        """Return every request so far, by what it was for."""
        said = [" ".join(message.content for message in request) for request in self.critic.requests]
        return {
            "claims": [text for text in said if '"claims"' in text[text.rindex("Form:") :]],
            "questions": [text for text in said if '"questions"' in text[text.rindex("Form:") :]],
            "query vectors": [text for request in self.searcher.requests for text in request],
            "question vectors": [text for request in self.relater.requests for text in request],
            "answers": [" ".join(message.content for message in request) for request in self.reader.requests],
        }

    def total(self) -> int:
        return sum(map(len, self.asked().values()))


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_step_that_changes_the_reranker_repeats_no_call_of_the_step_before(on_disk: bool, tmp_path: Path) -> None:
    world = World()
    ladder = world.ladder(tmp_path / "climb" if on_disk else None)
    before = ladder.begin().report
    first = world.asked()
    after = ladder.step("reversed", reranker=Reversed()).report
    second = {purpose: texts[len(first[purpose]) :] for purpose, texts in world.asked().items()}
    for purpose, texts in second.items():
        assert len(set(first[purpose])) == len(first[purpose]), f"{purpose} asked twice at once"
        assert not set(texts) & set(first[purpose]), f"{purpose} asked again"
    changed = sum(old.sample.answer != new.sample.answer for old, new in zip(before, after, strict=True))
    assert 0 < changed < len(SAMPLES)
    assert second["query vectors"] == []
    assert len(second["claims"]) == changed
    assert 0 < len(second["questions"]) <= changed  # equal answers to different questions imply the same ones


def climbed(world: World, folder: Path | None) -> Ladder:
    ladder = world.ladder(folder)
    ladder.step("reversed", reranker=Reversed())
    ladder.step("fewer", k=2)
    return ladder


def test_a_ladder_that_is_run_again_on_its_folder_pays_nothing_and_says_the_same(tmp_path: Path) -> None:
    first = climbed(World(), tmp_path / "climb")
    world = World()
    indexing = world.total()
    second = climbed(world, tmp_path / "climb")
    assert world.total() == indexing
    assert [(rung.verdict, rung.comparison, rung.seconds) for rung in second.rungs] == [
        (rung.verdict, rung.comparison, rung.seconds) for rung in first.rungs
    ]


def test_an_interrupted_ladder_pays_only_for_the_steps_that_are_missing(tmp_path: Path) -> None:
    begun, world, whole = World(), World(), World()
    begun.ladder(tmp_path / "climb").step("reversed", reranker=Reversed())
    climbed(world, tmp_path / "climb")
    climbed(whole, None)
    paid, missing, needed = begun.asked(), world.asked(), whole.asked()
    for purpose in ("answers", "claims", "questions", "question vectors"):
        assert len(missing[purpose]) + len(paid[purpose]) == len(needed[purpose]), purpose
        assert not set(missing[purpose]) & set(paid[purpose]), purpose


def test_answers_from_a_cache_say_nothing_of_the_time() -> None:
    world = World()
    ladder = world.ladder(None)
    assert ladder.begin().seconds is not None
    rung = ladder.step("no effect at all", fetch=4)
    assert rung.seconds is None
    assert rung.verdict.decision == "drop"
    assert "no effect" in rung.verdict.reason
    assert "-" in str(ladder)


def test_the_report_names_the_pipeline_as_the_user_made_it() -> None:
    rung = World().ladder(None).begin()
    assert rung.report.settings["fingerprint"] == rung.pipeline.fingerprint()
    assert "Cached" not in rung.report.settings["pipeline"] + rung.report.settings["evaluator"]


def test_the_models_of_the_user_stay_as_they_are() -> None:
    world = World()
    ladder = world.ladder(None)
    ladder.begin()
    assert ladder.top.pipeline is world.pipeline
    assert world.pipeline.model is world.reader


def test_a_metric_of_ones_own_takes_part() -> None:
    @metric
    def brief(sample: Sample) -> float:
        return float(len(sample.answer) < 30)

    base = Pipeline(model=FakeModel("A very long answer that goes on and on."), prompt=Direct())
    ladder = Ladder(base, SAMPLES, Evaluator([brief, ExactMatch()], progress=False), "brief", held_out=0.0)
    assert ladder.step("brief", model=FakeModel("Short.")).verdict.decision == "keep"


SCRIPT = """
import os, pathlib, threading
from llmopt import Direct, Evaluator, ExactMatch, Pipeline, Sample
from llmopt.experiments import Ladder
from llmopt.testing import FakeModel

calls = pathlib.Path("calls.txt")
one_at_a_time = threading.Lock()

def reply(messages):
    with one_at_a_time:
        with calls.open("a") as file:
            file.write(messages[0].content + messages[-1].content + "\\n")
        if len(calls.read_text().splitlines()) == int(os.environ["DIES_AT"]):
            os._exit(9)
    return "yes" if "kindly" in messages[0].content else "no"

base = Pipeline(model=FakeModel(reply), prompt=Direct("Answer."))
samples = [Sample(question=f"question {n}?", reference="yes") for n in range(30)]
evaluator = Evaluator([ExactMatch()], progress=False, concurrency=4)
ladder = Ladder(base, samples, evaluator, "exact_match", held_out=0.0, folder="climb")
ladder.step("briefly", **{"prompt.instructions": "Answer briefly."})
ladder.step("kindly", **{"prompt.instructions": "Answer kindly."})
print(ladder.top.name)
"""


def test_a_ladder_that_was_killed_asks_again_only_for_what_was_under_way(tmp_path: Path) -> None:
    def ran(dies_at: int) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "DIES_AT": str(dies_at)}
        command = [sys.executable, "-c", SCRIPT]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    assert ran(45).returncode == 9
    whole = ran(0)
    assert (whole.returncode, whole.stdout.strip()) == (0, "kindly"), whole.stderr
    asked = (tmp_path / "calls.txt").read_text().splitlines()
    assert len(set(asked)) == 90
    assert len(asked) <= 90 + 4


def test_a_run_that_was_cheaper_than_it_costs_came_from_a_cache_also_where_requests_are_not_kept() -> None:
    spared, full = (Run(Spent(0.1, cost=0.02, paid=paid)) for paid in (0.0, 0.02))
    rows = [Row(Sample(question="?", id=str(n)), run=run) for n, run in enumerate((spared, full, full))]
    assert [row.cached for row in rows] == [True, False, False]
    assert Report(rows, ()).latency().mean.n == 2
