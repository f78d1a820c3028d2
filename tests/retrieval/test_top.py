"""The best few of many scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.retrieval._top import contenders, hits_at
from llmopt.types import Document

DOCUMENTS = [Document(id, id) for id in ("d", "b", "c", "a")]


@given(
    scores=st.lists(st.sampled_from([-np.inf, -2.0, -1.0, 0.0, 0.25, 0.5, 1.0, 3.0]), max_size=60),
    repeats=st.integers(1, 40),
    k=st.integers(1, 70),
    slack=st.sampled_from([0.0, 0.3]),
)
def test_contenders_are_all_within_slack_of_the_kth_best(
    scores: list[float], repeats: int, k: int, slack: float
) -> None:
    many = np.array(scores * repeats, np.float32)
    finite = np.sort(many[many > -np.inf])[::-1]
    bound = finite[k - 1] if len(finite) >= k else -np.inf
    expected = np.flatnonzero((many >= bound - slack) & (many > -np.inf))
    assert contenders(many, k, slack).tolist() == expected.tolist()


@given(seed=st.integers(0, 2**31), count=st.integers(1, 20_000), k=st.integers(1, 300))
def test_contenders_of_many_different_scores_are_the_best_k(seed: int, count: int, k: int) -> None:
    scores = np.random.default_rng(seed).permutation(count).astype(np.float32)
    assert sorted(scores[contenders(scores, k)].tolist()) == list(range(max(0, count - k), count))


def test_hits_come_best_first_with_ties_by_id() -> None:
    hits = hits_at(DOCUMENTS, np.arange(4), np.array([1.0, 1.0, 2.0, 1.0]), 3, "Test")
    assert [hit.document.id for hit in hits] == ["c", "a", "b"]
    assert (hits[0].score, hits[0].signals) == (2.0, {"Test": 2.0})


def test_scores_become_plain_floats() -> None:
    (hit,) = hits_at(DOCUMENTS, np.arange(1), np.array([0.5], np.float32), 3, "Test")
    assert type(hit.score) is float


@pytest.mark.parametrize("k", [1, 5])
def test_nothing_has_no_contenders(k: int) -> None:
    assert contenders(np.array([], np.float32), k).tolist() == []
    assert contenders(np.full(1000, -np.inf, np.float32), k).tolist() == []
