"""Retrievers that ask a model first: MultiQuery, SubQuestions, HyDE."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import pytest

from llmopt._trace import record
from llmopt.errors import (
    CredentialsError,
    ModelRefusedError,
    ModelUnavailableError,
    NotReadyError,
    RateLimitError,
    UsageError,
)
from llmopt.interfaces import Embedder, Retriever
from llmopt.retrieval import BM25, Dense, HyDE, MultiQuery, SubQuestions, fuse_ranks
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.testing.contracts import IndexedRetrieverContract
from llmopt.types import Completion, Document, Hit, Matrix, Options, Step, TextKind

ANIMALS = [
    Document("cat", "A cat sleeps by day."),
    Document("dog", "A dog barks."),
    Document("cow", "A cow eats grass."),
]


def queries(*texts: str) -> str:
    return json.dumps({"queries": texts})


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.document.id for hit in hits]


def traced(retriever: Retriever, query: str) -> Step:
    with record("test", "test") as recorder:
        retriever.retrieve(query)
    return recorder.frozen().children[0]


class TestMultiQuery(IndexedRetrieverContract[MultiQuery]):
    def empty(self) -> MultiQuery:
        return MultiQuery(BM25(), FakeModel(queries("cats", "feline")))


class TestSubQuestions(IndexedRetrieverContract[SubQuestions]):
    def empty(self) -> SubQuestions:
        return SubQuestions(Dense(FakeEmbedder()), FakeModel(queries("a cat?", "a dog?")))


class TestHyDE(IndexedRetrieverContract[HyDE]):
    def empty(self) -> HyDE:
        return HyDE(Dense(FakeEmbedder()), FakeModel("A cat sleeps."), count=2)


def test_multi_query_fuses_the_rankings_of_all_wordings() -> None:
    index = BM25().index(ANIMALS)
    retriever = MultiQuery(index, FakeModel(queries("dog barks", "grass")), count=2)
    expected = fuse_ranks([index.retrieve(query, k=50) for query in ("a cat", "dog barks", "grass")])
    assert retriever.retrieve("a cat") == expected


def test_multi_query_drops_blank_repeated_and_superfluous_wordings() -> None:
    model = FakeModel(queries("", "Dog ", "dog", "A CAT", "cow", "hen"))
    step = traced(MultiQuery(BM25().index(ANIMALS), model, count=2), "a cat")
    assert step.notes["queries"] == ["a cat", "Dog", "cow"]


def test_sub_questions_leave_no_part_without_hits() -> None:
    corpus = [Document(f"cat{number}", "A cat sleeps and sleeps.") for number in range(9)] + ANIMALS[2:]
    model = FakeModel(queries("Does a cat sleep?", "What eats grass?"))
    retriever = SubQuestions(BM25(), model).index(corpus)
    question = "Does a cat sleep, and who feeds on green plants?"
    assert "cow" in ids(retriever.retrieve(question, k=2))
    assert "cow" not in ids(retriever.retriever.retrieve(question, k=2))


def test_a_question_of_one_part_is_searched_for_as_it_is() -> None:
    index = BM25().index(ANIMALS)
    found = SubQuestions(index, FakeModel(queries())).retrieve("a cat that barks")
    assert ids(found) == ids(index.retrieve("a cat that barks"))


REWRITERS: list[Callable[[FakeModel], Retriever]] = [
    lambda model: MultiQuery(BM25().index(ANIMALS), model),
    lambda model: SubQuestions(BM25().index(ANIMALS), model),
    lambda model: HyDE(Dense(FakeEmbedder()).index(ANIMALS), model, count=3),
]


@pytest.mark.parametrize("make", REWRITERS)
@pytest.mark.parametrize(
    "error", [ModelUnavailableError("down"), RateLimitError("busy"), ModelRefusedError("no"), "not JSON at all {"]
)
def test_a_failure_that_may_pass_is_said_in_the_trace_and_the_query_is_searched_for(
    make: Callable[[FakeModel], Retriever], error: Exception | str
) -> None:
    retriever = make(FakeModel(error if isinstance(error, Exception) else Completion(error, finish="content_filter")))
    step = traced(retriever, "a cat")
    assert step.notes["failed"]
    assert ids(retriever.retrieve("a cat", k=1)) == ["cat"]


@pytest.mark.parametrize("make", REWRITERS)
def test_a_failure_that_all_requests_will_have_is_raised(make: Callable[[FakeModel], Retriever]) -> None:
    with pytest.raises(CredentialsError, match="no key"):
        make(FakeModel(CredentialsError("no key"))).retrieve("a cat")


@pytest.mark.parametrize("make", REWRITERS)
def test_a_blank_query_asks_nobody(make: Callable[[FakeModel], Retriever]) -> None:
    model = FakeModel(queries("cat"))
    assert make(model).retrieve(" \n") == []
    assert model.requests == []


@pytest.mark.parametrize("make", REWRITERS)
def test_the_query_goes_to_the_model_verbatim(make: Callable[[FakeModel], Retriever]) -> None:
    model = FakeModel(queries("cat"))
    make(model).retrieve("{query} %s {{count}} \\n")
    assert all(messages[-1].content == "{query} %s {{count}} \\n" for messages in model.requests)
    assert all("{" not in messages[0].content for messages in model.requests)


WRONG: list[Callable[[], Retriever]] = [
    lambda: MultiQuery(BM25().index(ANIMALS), FakeModel(), count=0),
    lambda: SubQuestions(BM25().index(ANIMALS), FakeModel(), most=1),
    lambda: HyDE(Dense(FakeEmbedder()).index(ANIMALS), FakeModel(), count=0),
]


@pytest.mark.parametrize("make", WRONG)
def test_numbers_out_of_range_are_refused(make: Callable[[], Retriever]) -> None:
    with pytest.raises(UsageError, match="at least"):
        make().retrieve("a cat")


class Compass(Embedder):
    """Directions as vectors; an unknown text has none."""

    directions: ClassVar = {"east": (1.0, 0.0), "north": (0.0, 1.0), "west": (-1.0, 0.0)}

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        return np.array([self.directions.get(text, (0.0, 0.0)) for text in texts], np.float32)


COMPASS = [Document(name, name) for name in ("east", "north", "west")]


def test_hyde_searches_near_the_mean_of_query_and_answers() -> None:
    retriever = HyDE(Dense(Compass()).index(COMPASS), FakeModel(script=["north", "north"]), count=2)
    scores = {hit.document.id: hit.score for hit in retriever.retrieve("east")}
    assert scores == pytest.approx({"north": 2 / 5**0.5, "east": 1 / 5**0.5, "west": -1 / 5**0.5})


def test_hyde_falls_back_to_the_query_where_the_mean_is_zero() -> None:
    retriever = HyDE(Dense(Compass()).index(COMPASS), FakeModel("west"), count=1)
    assert ids(retriever.retrieve("east", k=1)) == ["east"]


def test_hyde_samples_its_answers_apart_and_side_by_side() -> None:
    model = FakeModel("A cat sleeps.")
    HyDE(Dense(FakeEmbedder()).index(ANIMALS), model, count=3, options=Options(temperature=0.7, replicate=5)).retrieve(
        "cat"
    )
    assert sorted(options.replicate for options in model.options) == [5, 6, 7]


def test_hyde_says_which_answers_failed_and_uses_the_others() -> None:
    model = FakeModel("a dog barks", script=[ModelUnavailableError("down"), Completion("", finish="refusal")])
    step = traced(HyDE(Dense(FakeEmbedder()).index(ANIMALS), model, count=3), "grass")
    assert step.notes["failed"] == {"ModelUnavailableError: down": 1, "no text, finished by refusal": 1}
    assert step.notes["answers"] == ["a dog barks"]


def test_hyde_pays_for_nothing_before_its_index_is_there() -> None:
    model = FakeModel("A cat.")
    with pytest.raises(NotReadyError):
        HyDE(Dense(FakeEmbedder()), model).retrieve("cat")
    assert model.requests == []
