from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._trace import record
from llmopt.errors import RateLimitError, UsageError
from llmopt.evaluation.faithfulness import Faithfulness
from llmopt.evaluation.heuristic_judge import HeuristicJudge
from llmopt.evaluation.inquiry import Inquiry
from llmopt.evaluation.model_judge import ModelJudge
from llmopt.evaluation.panel import Panel
from llmopt.testing import FakeJudge, FakeModel
from llmopt.types import ImpliedQuestion, Sample


def judge(holds: bool | None) -> FakeJudge:
    return FakeJudge({"a": holds})


@pytest.mark.parametrize(
    ("votes", "holds", "share"),
    [
        ([True, True, False], True, 2 / 3),
        ([False, True, False], False, 1 / 3),
        ([True, False], None, 0.5),
        ([True, None, None], True, 1.0),
        ([None, None], None, None),
    ],
)
def test_the_majority_of_those_with_a_verdict_counts(
    votes: list[bool | None], holds: bool | None, share: float | None
) -> None:
    panel = Panel([judge(vote) for vote in votes])
    for verdict in (panel.verify(["a"], ["c"])[0], panel.rate("q", "t", ["a"])[0], panel.attribute("q", "a", ["c"])[0]):
        assert verdict.holds is holds
        assert verdict.probability == (share if share is None else pytest.approx(share))
        assert verdict.reason


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=7))
def test_the_order_of_the_judges_does_not_count(votes: list[bool | None]) -> None:
    forward = Panel([judge(vote) for vote in votes]).verify(["a"], ["c"])[0]
    backward = Panel([judge(vote) for vote in reversed(votes)]).verify(["a"], ["c"])[0]
    assert (forward.holds, forward.probability) == (backward.holds, backward.probability)


def test_the_first_judge_splits_and_implies() -> None:
    first = FakeJudge({"a": True, "b": False}, {"all": ["a", "b"]}, {"all": [ImpliedQuestion("Q?")]})
    panel = Panel([first, FakeJudge({"a": True, "b": False})])
    assert Faithfulness(panel).score(Sample(question="?", answer="all", contexts=["c"])).value == 0.5
    assert panel.imply("all") == [ImpliedQuestion("Q?")]


def test_a_judge_whose_model_fails_has_no_vote() -> None:
    broken = ModelJudge(FakeModel(RateLimitError("too many")))
    with record("test", "test") as recorder:
        found = Panel([judge(True), broken]).verify(["a"], ["c"])
    assert found[0].holds is True
    assert "too many" in str(recorder.frozen().children[0].notes)
    with pytest.raises(RateLimitError):
        Panel([broken, broken]).verify(["a"], ["c"])


def test_an_empty_panel_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one judge"):
        Panel([]).verify(["a"], ["c"])


def test_the_plan_adds_up_those_who_are_asked() -> None:
    model = ModelJudge(FakeModel())
    panel = Panel([model, model, HeuristicJudge()])

    def calls(inquiry: Inquiry) -> int:
        return sum(item.usage.calls for item in panel.plan(inquiry))

    assert calls(Inquiry(hook="claims", text="a.")) == 1
    assert calls(Inquiry(hook="questions", text="a.", count=3)) == 1
    assert calls(Inquiry(hook="supported", statements=("a",), contexts=("c",))) == 2
    assert calls(Inquiry(hook="useful", text="a", contexts=("c",))) == 2
    assert calls(Inquiry(hook="attributed", text="a.", contexts=("c",))) == 3
