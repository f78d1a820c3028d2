"""What type checkers see of the public surface; mypy and pyright read this file, pytest runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import assert_type

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from llmopt import (
    BM25,
    Answer,
    Completion,
    Dense,
    Document,
    Evaluator,
    ExactMatch,
    Grounded,
    Hit,
    Pipeline,
    Report,
    Sample,
    Score,
)
from llmopt.evaluation import Comparison, Summary
from llmopt.routing import Keyword
from llmopt.testing import FakeEmbedder, FakeJudge, FakeModel
from llmopt.types import AnswerDelta, Classification, Delta, Failure, Matrix, Verdict

DOCUMENTS = [Document("a", "a cat"), Document("b", "a dog")]


class City(BaseModel):
    name: str


def test_retrieval_types() -> None:
    retriever = BM25().index(DOCUMENTS)
    assert_type(retriever, BM25)
    assert_type(retriever.retrieve("cat"), list[Hit])
    assert_type(retriever.retrieve_many(["cat"]), list[list[Hit]])
    assert_type(asyncio.run(retriever.aretrieve("cat")), list[Hit])
    assert_type(Dense(FakeEmbedder()).index(DOCUMENTS), Dense)
    assert_type(FakeEmbedder().encode(["cat"], kind="query"), npt.NDArray[np.float32])
    assert_type(FakeEmbedder().encode(["cat"], kind="query"), Matrix)
    assert_type(Keyword({"a": ["x"]}, default="b").classify("x"), Classification)


def test_model_types() -> None:
    model = FakeModel('{"name": "Oslo"}')
    assert_type(model.complete("hi"), Completion)
    assert_type(model.extract("hi", City), City)
    assert_type(asyncio.run(model.aextract("hi", City)), City)
    assert_type(model.complete_stream("hi"), Iterator[Delta])


def test_pipeline_types() -> None:
    pipeline = Pipeline(model=FakeModel("cat [1]"), prompt=Grounded(), retriever=BM25().index(DOCUMENTS))
    assert_type(pipeline.but(k=1), Pipeline)
    assert_type(pipeline.run("cat"), Answer)
    assert_type(pipeline.run_many(["cat"]), list[Answer | Failure])
    assert_type(pipeline.stream("cat"), Iterator[AnswerDelta])
    assert_type(asyncio.run(pipeline.arun("cat")), Answer)


def test_evaluation_types() -> None:
    report = Evaluator([ExactMatch()]).run([Sample(question="q", answer="a", reference="a")])
    assert_type(report, Report)
    assert_type(report.summary("exact_match"), Summary)
    assert_type(report.compare(report, "exact_match"), Comparison)
    assert_type(ExactMatch().score(Sample(question="q", answer="a", reference="a")), Score)
    verdicts: Sequence[Verdict] = FakeJudge().verify(["a"], ["b"])
    assert len(verdicts) == 1
