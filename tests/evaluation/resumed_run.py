"""A run in a process of its own, to be killed: `python resumed_run.py FOLDER SAMPLES SECONDS_PER_CALL`.

Every call to a model is written to `FOLDER/calls`: `began KEY` when it starts, `ended KEY` when its reply is
handed back. The last line on standard output is the mean and the number of scores.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmopt.evaluation import ContextRecall, Evaluator, Faithfulness, ModelJudge
from llmopt.interfaces import ChatModel
from llmopt.types import Answer, Completion, Document, Hit, Message, Options, Sample, Usage

CONCURRENCY = 8


@dataclass(repr=False, eq=False)
class Model(ChatModel):
    """Answers after a while and writes down that it was asked."""

    log: Path
    seconds: float

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        key = hashlib.sha256(messages[-1].content.encode()).hexdigest()
        self.write(f"began {key}")
        await asyncio.sleep(self.seconds)
        self.write(f"ended {key}")
        return Completion(reply(messages[-1].content), Usage(10, 5, calls=1), cost=0.001)

    def write(self, line: str) -> None:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, (line + "\n").encode())
        os.close(descriptor)


def reply(asked: str) -> str:
    if '"claims"' in asked:
        return '{"claims": ["It rains.", "It is cold."]}'
    if '"statements"' in asked:
        return '{"statements": [{"statement": "It rains.", "reason": "r", "verdict": 1}]}'
    return '{"verdicts": [{"id": 1, "reason": "r", "verdict": 1}, {"id": 2, "reason": "r", "verdict": 0}]}'


@dataclass(frozen=True)
class Reader:
    """A pipeline of one call."""

    model: Model

    async def arun(self, question: str) -> Answer:
        completion = await self.model.acomplete(f"Answer: {question}")
        hit = Hit(Document("d", f"{question} It rains."), 1.0)
        return Answer(f"It rains. {question} {completion.text[:3]}", [hit])

    def fingerprint(self) -> str:
        return "reader"


def main(folder: Path, count: int, seconds: float) -> None:
    model = Model(folder / "calls", seconds)
    judge = ModelJudge(model)
    samples = [Sample(question=f"What is the weather on day {n}?", reference="It rains.") for n in range(count)]
    evaluator = Evaluator([Faithfulness(judge), ContextRecall(judge)], concurrency=CONCURRENCY, progress=False)
    report = evaluator.run(samples, pipeline=Reader(model), journal=folder / "journal")
    summaries = report.summaries()
    print(  # noqa: T201
        report.spent().usage.calls + report.judging().usage.calls,
        *(f"{s.mean} {s.scored}" for s in summaries),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
