"""Contexts within a budget of tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._fences import read_fences
from llmopt._tokens import count_tokens
from llmopt.errors import UsageError
from llmopt.prompting import Direct, Grounded, Template
from llmopt.prompting.contexts import within_budget
from llmopt.testing import FakeModel
from llmopt.testing.contracts import PromptStrategyContract
from llmopt.types import Answer, Document, Hit


def hits(*texts: str) -> list[Hit]:
    return [Hit(Document(f"d{rank}", text), -float(rank)) for rank, text in enumerate(texts)]


THREE = hits("alpha " * 30, "beta " * 30, "gamma " * 30)
STRATEGIES = [
    Direct(max_context_tokens=75),
    Grounded(max_context_tokens=75),
    Template("{contexts} {question}", max_context_tokens=75),
]


class TestBudgeted(PromptStrategyContract[Grounded]):
    def make(self) -> Grounded:
        return Grounded(max_context_tokens=100_000)


def noted(answer: Answer, name: str) -> object:
    assert answer.trace is not None
    return answer.trace.notes.get(name)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
def test_the_lowest_ranked_contexts_are_dropped_and_the_trace_says_which(strategy: Direct) -> None:
    model = FakeModel("yes [1] [3]")
    answer = strategy.run(model, "q?", THREE)
    shown = [fenced.text for fenced in read_fences(model.requests[0][-1].content)]
    assert shown == [hit.document.text for hit in answer.contexts] == [THREE[0].document.text, THREE[1].document.text]
    assert noted(answer, "contexts dropped") == ["d2"]
    assert all(citation.number == 1 for citation in answer.citations)


def test_when_not_even_the_best_fits_its_text_is_cut() -> None:
    model = FakeModel("yes [1]")
    answer = Grounded(max_context_tokens=10).run(model, "q?", THREE)
    (shown,) = [fenced.text for fenced in read_fences(model.requests[0][-1].content)]
    assert THREE[0].document.text.startswith(shown)
    assert 0 < count_tokens(shown).count <= 10
    assert [hit.document.text for hit in answer.contexts] == [shown]
    assert noted(answer, "context cut") == f"d0: {len(shown)} of 180 characters"
    assert noted(answer, "contexts dropped") == ["d1", "d2"]


def test_contexts_that_fit_are_untouched_and_nothing_is_noted() -> None:
    answer = Direct(max_context_tokens=500).run(FakeModel("x"), "q?", THREE)
    assert list(answer.contexts) == THREE
    assert noted(answer, "contexts dropped") is None


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="max_context_tokens"):
        Direct(max_context_tokens=0).run(FakeModel("x"), "q?", THREE)


@given(st.lists(st.text(max_size=300), min_size=1, max_size=6), st.integers(1, 200))
def test_what_is_shown_never_exceeds_the_budget_and_keeps_the_order(texts: list[str], budget: int) -> None:
    contexts = hits(*texts)
    shown = within_budget(contexts, budget)
    assert sum(count_tokens(hit.document.text).count for hit in shown) <= budget
    assert [hit.document.id for hit in shown] == [hit.document.id for hit in contexts[: len(shown)]]
    assert within_budget(shown, budget) == shown
