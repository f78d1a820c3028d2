"""Every strategy is saved and loaded, with all that is inside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from llmopt.interfaces import PromptStrategy
from llmopt.pipeline import Pipeline
from llmopt.prompting import (
    ChainOfThought,
    Decompose,
    Direct,
    FewShot,
    Grounded,
    ReAct,
    Repair,
    SelfConsistency,
    Shot,
    Steps,
    Structured,
    Template,
    Tool,
)
from llmopt.retrieval import BM25
from llmopt.testing import FakeModel
from llmopt.types import Document, Hit


class City(BaseModel):
    name: str


def check(text: str) -> str | None:
    """Accept anything."""
    return None


def area(country: str) -> int:
    """Return an area."""
    return 1


SHOTS = (Shot("Dogs?", "Bark [1].", (Hit(Document("dog", "Dogs bark."), 1.0),)),)
STRATEGIES: list[PromptStrategy] = [
    Template("{contexts} {question} {tone}", variables={"tone": "kind"}, max_context_tokens=9),
    SelfConsistency(ChainOfThought(FewShot(Grounded(), SHOTS, BM25(), count=1), kind="number"), samples=3),
    Decompose(Grounded(), mode="sequential", retriever=BM25()),
    Steps((Direct("first"), Grounded("then"))),
    Structured(City, Direct()),
    Repair(Direct(), check),
    ReAct((Tool(area),), Grounded(), fallback=Direct()),
]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
def test_a_pipeline_with_it_is_the_same_after_saving_and_loading(strategy: PromptStrategy, tmp_path: Path) -> None:
    pipeline = Pipeline(model=FakeModel('{"name": "7"}'), prompt=strategy)
    pipeline.save(tmp_path / "pipeline")
    again = Pipeline.load(tmp_path / "pipeline", allow=[City, check, area])
    assert again.fingerprint() == pipeline.fingerprint()
    assert repr(again.prompt) == repr(strategy)
