"""What differs between two pipelines, and the same pipeline with something else deep inside it."""

from __future__ import annotations

import asyncio

import pytest

from llmopt import BM25, Dense, Document, Grounded, Hybrid, Pipeline
from llmopt.errors import UsageError
from llmopt.experiments import differences
from llmopt.experiments.variation import taken_over, value_at, varied
from llmopt.interfaces import IndexedRetriever
from llmopt.prompting import Direct
from llmopt.reranking import NewestFirst, Rules
from llmopt.routing import Keyword, Linear
from llmopt.testing import FakeEmbedder, FakeModel

DOCUMENTS = [Document("a", "a cat sleeps all day"), Document("b", "a dog barks at cars"), Document("c", "rain falls")]
BASE = Pipeline(model=FakeModel(), prompt=Direct())


def with_retriever(retriever: IndexedRetriever) -> Pipeline:
    return BASE.but(retriever=retriever.index(DOCUMENTS))


def test_differences_go_down_to_nested_parameters() -> None:
    before, after = (with_retriever(Dense(FakeEmbedder(size))) for size in (64, 128))
    (change,) = differences(before, after)
    assert str(change) == "retriever.embedder.dimensions: 64 -> 128"


def test_another_class_in_a_slot_is_one_change() -> None:
    before = with_retriever(BM25())
    after = with_retriever(Hybrid([BM25(), Dense(FakeEmbedder())]))
    assert [change.path for change in differences(before, after)] == ["retriever"]


def test_other_passages_are_a_change_of_their_own() -> None:
    before, after = (BASE.but(retriever=BM25().index(each)) for each in (DOCUMENTS[:2], DOCUMENTS[:1]))
    (change,) = differences(before, after)
    assert str(change) == "retriever.documents: 2 passages -> 1 passages"
    dense = BASE.but(retriever=Dense(FakeEmbedder()).index(DOCUMENTS[:1]))
    assert len(differences(before, dense)) == 2


def test_routes_and_lists_are_compared_place_by_place() -> None:
    hybrid = Hybrid([BM25(), BM25(k1=1.0)])
    (change,) = differences(hybrid, Hybrid([BM25(), BM25(k1=2.0)]))
    assert change.path == "retrievers.1.k1"
    assert differences(BASE, BASE.but(prompt=Direct())) == []
    assert [each.path for each in differences(BASE, BASE.but(prompt=Grounded()))] == ["prompt"]


def test_what_only_works_together_is_one_change() -> None:
    routed = BASE.but(classifier=Keyword({"pets": ["cat"]}), routes={"pets": BASE}, margin=0.2)
    assert [each.path for each in differences(BASE, routed)] == ["classifier"]
    assert [each.path for each in differences(routed, BASE)] == ["classifier"]
    plain = with_retriever(BM25())
    ranked = plain.but(reranker=Rules([NewestFirst("date", 30)]), fetch=20)
    assert [each.path for each in differences(plain, ranked)] == ["reranker"]
    assert [each.path for each in differences(ranked, ranked.but(fetch=30))] == ["fetch"]


def test_a_parameter_deep_inside_is_changed_and_the_retriever_finds_as_before() -> None:
    base = with_retriever(BM25())
    made = asyncio.run(varied(base, {"retriever.k1": 0.9, "k": 2}))
    assert [str(each) for each in differences(base, made)] == ["retriever.k1: 1.5 -> 0.9", "k: 5 -> 2"]
    assert [hit.document.id for hit in made.contexts("cat")][:1] == ["a"]
    assert value_at(base, "retriever.k1") == 1.5


def test_a_part_of_a_hybrid_is_changed_without_embedding_the_documents_again() -> None:
    embedder = FakeEmbedder()
    base = with_retriever(Hybrid([BM25(), Dense(embedder)]))
    before = len(embedder.requests)
    for path, value in (("retriever.constant", 10.0), ("retriever.retrievers.0.k1", 2.0)):
        made = asyncio.run(varied(base, {path: value}))
        assert [each.path for each in differences(base, made)] == [path]
        assert value_at(made, path) == value
    assert len(embedder.requests) == before


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("retriever.nothing", r"a BM25 has no 'nothing'; it has .*k1"),
        ("retriever.k1.deeper", "has no 'deeper'"),
        ("nothing", "no slot 'nothing'"),
        ("routes.pets.k", "has no 'pets'"),
    ],
)
def test_a_path_that_is_not_there_is_named(path: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        asyncio.run(varied(with_retriever(BM25()), {path: 1}))


def test_what_was_learnt_is_not_lost_silently() -> None:
    classifier = Linear(FakeEmbedder()).fit(["a cat", "a car"] * 3, ["pets", "cars"] * 3)
    routed = BASE.but(classifier=classifier, routes={"pets": BASE, "cars": BASE})
    with pytest.raises(UsageError, match="has learnt something"):
        asyncio.run(varied(routed, {"classifier.embedder": FakeEmbedder(8)}))


def test_differences_are_taken_over_one_at_a_time() -> None:
    before = BASE.but(retriever=BM25().index(DOCUMENTS[:2]))
    after = BASE.but(retriever=Dense(FakeEmbedder()).index(DOCUMENTS), k=2)
    changes = differences(before, after)
    assert [each.path for each in changes] == ["retriever", "retriever.documents", "k"]
    for number, change in enumerate(changes):
        made = asyncio.run(taken_over(before, after, change))
        assert [each.path for each in differences(before, made)] == [change.path], number
    both = asyncio.run(taken_over(asyncio.run(taken_over(before, after, changes[0])), after, changes[1]))
    assert [each.path for each in differences(both, after)] == ["k"]


def test_several_new_routes_are_taken_over_one_at_a_time() -> None:
    classifier = Keyword({"pets": ["cat"], "cars": ["car"], "rain": ["rain"]})
    before = BASE.but(classifier=classifier, routes={"pets": BASE})
    after = before.but(routes={"pets": BASE, "cars": BASE.but(k=2), "rain": BASE.but(k=3)})
    changes = differences(before, after)
    assert [each.path for each in changes] == ["routes.cars", "routes.rain"]
    made = asyncio.run(taken_over(before, after, changes[1]))
    assert list(made.routes) == ["pets", "rain"]
