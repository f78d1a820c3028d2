"""What cannot work in a slot is refused when the component is made, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from llmopt.errors import SampleError, UsageError
from llmopt.evaluation import Evaluator, ExactMatch, Faithfulness, ModelJudge
from llmopt.interfaces import ChatModel, Retriever
from llmopt.pipeline import Pipeline
from llmopt.prompting import ChainOfThought, Direct, FewShot, ReAct, SelfConsistency, Tool
from llmopt.reranking import NewestFirst, Rules
from llmopt.retrieval import BM25, Dense, Hybrid, HyDE, MultiQuery
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.types import Hit, Sample

MODEL = FakeModel("x")
Maker = Callable[..., Any]  # what a user without a type checker writes


@pytest.mark.parametrize(
    ("make", "given", "complaint"),
    [
        (Pipeline, {"model": "gpt-6", "prompt": Direct()}, r"Pipeline.model.*a ChatModel.*chat_model\('gpt-6'\)"),
        (Pipeline, {"model": MODEL, "prompt": Direct}, r"Pipeline.prompt.*the class Direct: make one, `Direct\("),
        (Pipeline, {"model": MODEL, "prompt": Direct(), "retriever": BM25}, r"Pipeline.retriever.*class BM25"),
        (Pipeline, {"model": None, "prompt": Direct()}, "Pipeline.model.*got None"),
        (HyDE, {"retriever": BM25(), "model": MODEL}, r"HyDE.retriever` takes a Dense, got BM25\(\)"),
        (Hybrid, {"retrievers": BM25()}, r"Hybrid.retrievers` takes a list of Retriever.*put it into a list"),
        (Hybrid, {"retrievers": [BM25(), Dense]}, "Hybrid.retrievers.*class Dense"),
        (MultiQuery, {"retriever": BM25(), "model": None}, "MultiQuery.model.*None"),
        (Dense, {"embedder": "all-MiniLM-L6-v2"}, r"an Embedder.*embedder\('all-MiniLM-L6-v2'\)"),
        (Dense, {"embedder": FakeEmbedder}, "class FakeEmbedder"),
        (SelfConsistency, {"inner": Direct}, "SelfConsistency.inner.*class Direct"),
        (ChainOfThought, {"inner": "think"}, "ChainOfThought.inner.*'think'"),
        (Rules, {"rules": NewestFirst()}, "Rules.rules.*list of Rule.*put it into a list"),
        (Evaluator, {"metrics": ExactMatch()}, "Evaluator.metrics.*list of Metric.*put it into a list"),
        (Evaluator, {"metrics": "exact_match"}, "Evaluator.metrics.*list of Metric, got 'exact_match'"),
        (Faithfulness, {"judge": MODEL}, r"Faithfulness.judge.*Judge.*`ModelJudge\(model\)`"),
        (ModelJudge, {"model": "gpt-6-luna"}, "ModelJudge.model.*chat_model"),
        (ModelJudge, {"model": "m" * 1_000}, r"m{90,100}\.\.\."),
    ],
)  # fmt: skip
def test_what_a_slot_cannot_take_is_refused_with_what_to_do(
    make: Maker, given: dict[str, object], complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        make(**given)


def test_a_change_of_a_slot_is_looked_at_too() -> None:
    pipeline = Pipeline(model=MODEL, prompt=Direct())
    with pytest.raises(UsageError, match=r"Pipeline\.retriever"):
        pipeline.but(retriever="BM25")


def test_a_stand_in_of_a_foreign_class_passes() -> None:
    class Wiki:
        async def aretrieve(self, query: str, *, k: int) -> list[Hit]:
            return []

    wiki: Any = Wiki()
    assert Pipeline(model=MODEL, prompt=Direct(), retriever=wiki).run("When?").text == "x"


def test_a_component_of_the_users_own_is_looked_at() -> None:
    make = cast("Maker", Both)
    with pytest.raises(UsageError, match=r"Both\.first.*a Retriever"):
        make(first="one")
    assert Both(BM25(), model=None).model is None


@dataclass(repr=False)
class Both(Retriever):
    first: Retriever
    model: ChatModel | None = None

    async def search(self, query: str, k: int) -> list[Hit]:
        return await self.first.aretrieve(query, k=k)


@pytest.mark.parametrize("name", ["contexts", "context_ids", "gold"])
def test_a_sample_with_one_text_for_a_list_is_refused(name: str) -> None:
    make = cast("Maker", Sample)
    with pytest.raises(SampleError, match=rf"Sample\.{name}.*'one'.*put it into a list"):
        make(question="When?", **{name: "one"})


def test_tools_and_examples_have_their_own_words() -> None:
    react = cast("Maker", ReAct)
    with pytest.raises(UsageError, match=r"list of Tool, got None"):
        react(None)
    with pytest.raises(UsageError, match="put it into a list"):
        react(Tool(len))
    few_shot = cast("Maker", FewShot)
    with pytest.raises(UsageError, match=r"examples as `Shot\(question, answer\)`, got \('2 \+ 2\?', '4'\)"):
        few_shot(Direct(), [("2 + 2?", "4")]).run(MODEL, "3 + 3?")


def test_a_question_must_be_a_text() -> None:
    pipeline: Any = Pipeline(model=MODEL, prompt=Direct())
    with pytest.raises(UsageError, match="must be a text, got None"):
        pipeline.run(None)
