from __future__ import annotations

import pytest

from llmopt.evaluation.utilisation import ContextUtilisation
from llmopt.testing import FakeJudge
from llmopt.types import Sample


def test_the_value_is_the_share_of_contexts_used() -> None:
    judge = FakeJudge({"a": False, "b": True, "c": False, "d": False})
    score = ContextUtilisation(judge).score(Sample(question="?", answer="x", contexts=["a", "b", "c", "d"]))
    assert score.value == 0.25
    assert score.details["used"] == 1
    assert score.details["last_used_rank"] == 2


def test_order_does_not_count() -> None:
    judge = FakeJudge({"a": False, "b": True})
    values = {
        ContextUtilisation(judge).score(Sample(question="?", answer="x", contexts=contexts)).value
        for contexts in (["a", "b"], ["b", "a"])
    }
    assert values == {0.5}


@pytest.mark.parametrize(
    "sample",
    [
        Sample(question="?", answer="x"),
        Sample(question="?", answer=" ", contexts=["a"]),
        Sample(question="?", answer="I don't know.", contexts=["a"], abstained=True),
    ],
)
def test_where_nothing_can_be_used_it_is_undefined(sample: Sample) -> None:
    score = ContextUtilisation(FakeJudge({"a": True})).score(sample)
    assert (score.value, score.status) == (None, "undefined")
    assert score.reason


def test_no_verdict_is_a_failure() -> None:
    score = ContextUtilisation(FakeJudge()).score(Sample(question="?", answer="x", contexts=["a"]))
    assert (score.value, score.status) == (None, "failed")
