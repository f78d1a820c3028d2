"""Linear maps of queries, and how well they rank."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt.errors import ContractError, UsageError
from llmopt.retrieval._groups import groups_of
from llmopt.retrieval._pairs import Pairs, folds_of, unit
from llmopt.retrieval.maps import (
    Contrast,
    Learning,
    Ridge,
    Rotation,
    _batches,  # pyright: ignore[reportPrivateUsage]
)
from llmopt.types import Matrix

LEARNINGS: list[Learning] = [Contrast(points=4, steps=20, rate=3e-3), Ridge(points=6), Rotation(points=4)]


def turned(count: int, dimensions: int, noise: float, seed: int = 0) -> Pairs:
    """Queries that are their documents, turned a little and blurred."""
    random = np.random.default_rng(seed)
    documents = unit(random.standard_normal((count, dimensions)).astype(np.float32))
    skew = 0.4 * random.standard_normal((dimensions, dimensions))
    blur = noise * random.standard_normal(documents.shape)
    queries = unit((documents + documents @ (skew - skew.T) + blur).astype(np.float32))
    return Pairs.of(queries, documents, [[number] for number in range(count)])


@pytest.mark.parametrize("learning", LEARNINGS)
def test_a_map_learnt_from_some_queries_helps_others(learning: Learning) -> None:
    pairs = turned(400, 16, noise=0.1)
    train, rest, pool = np.arange(300), np.arange(300, 400), np.arange(400)
    maps = list(learning.path(pairs, train, learning.points))
    assert len(maps) == learning.points
    assert pairs.gains(rest, maps[-1], pool).mean() > pairs.gains(rest, None, pool).mean() + 0.05


@pytest.mark.parametrize("learning", LEARNINGS)
def test_the_path_leads_away_from_the_identity_and_its_beginning_is_the_same_path(learning: Learning) -> None:
    pairs = turned(100, 8, noise=0.3)
    maps = list(learning.path(pairs, np.arange(100), learning.points))
    away = [float(np.linalg.norm(map - np.eye(8))) for map in maps]
    assert away == sorted(away)
    again = list(learning.path(pairs, np.arange(100), 2))
    assert len(again) == 2
    np.testing.assert_array_equal(again[1], maps[1])
    assert all(map.dtype == np.float32 for map in maps)


def test_the_gradient_is_that_of_the_loss() -> None:
    random = np.random.default_rng(3)
    documents = unit(random.standard_normal((9, 5)).astype(np.float32)).astype(np.float64)
    queries = unit(random.standard_normal((4, 5)).astype(np.float32)).astype(np.float64)
    # In float64 for the comparison, which the types do not foresee.
    pairs = Pairs.of(cast(Matrix, queries), cast(Matrix, documents), [[0, 5], [1], [2], [3, 4]])
    candidates, targets, scale = np.array([0, 1, 2, 3, 4, 5, 8]), np.array([0, 1, 2, 3]), 7.0

    def loss(map: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
        rows = queries @ map
        logits = scale * (rows / np.linalg.norm(rows, axis=1, keepdims=True)) @ documents[candidates].T
        logits[0, 5] = logits[3, 4] = -np.inf  # the other positives of queries 0 and 3
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return float(-np.log(chances[np.arange(4), [0, 1, 2, 3]]).mean())

    start = np.eye(5) + 0.1 * random.standard_normal((5, 5))
    numeric = np.zeros((5, 5))
    for place in np.ndindex(5, 5):
        step = np.zeros((5, 5))
        step[place] = 1e-5
        numeric[place] = (loss(start + step) - loss(start - step)) / 2e-5
    gradient = Contrast(scale=scale)._gradient(  # pyright: ignore[reportPrivateUsage]
        cast(Matrix, start), pairs, np.arange(4), targets, candidates
    )
    np.testing.assert_allclose(gradient, numeric, atol=1e-6)


@pytest.mark.parametrize(("count", "size"), [(1, 32), (33, 32), (590, 84), (919, 131)])
def test_every_batch_is_a_whole_one_and_every_pair_has_its_turn(count: int, size: int) -> None:
    rounds = max(1, count // size)
    batches = list(islice(_batches(count, size, np.random.default_rng(0)), rounds))
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert min(len(batch) for batch in batches) >= min(count, size)


def test_mined_negatives_are_near_and_never_answers() -> None:
    pairs = turned(60, 8, noise=0.1)
    random = np.random.default_rng(0)
    mined = Contrast(negatives=5)._mined(pairs, np.arange(60), random)  # pyright: ignore[reportPrivateUsage]
    scores = pairs.queries @ pairs.documents.T
    for query, found in enumerate(mined.tolist()):
        assert query not in found
        others = np.delete(scores[query], query)
        assert scores[query, found].min() >= np.sort(others)[-5] - 1e-6


def by_hand(scores: list[float], positives: list[int]) -> float:
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    gain = sum(1 / math.log2(rank + 2) for rank, place in enumerate(order[:10]) if place in positives)
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(10, len(positives))))


LABELS = st.lists(st.lists(st.integers(0, 14), min_size=1, max_size=4, unique=True), min_size=1, max_size=12)


@settings(max_examples=50)
@given(labels=LABELS, seed=st.integers(0, 99))
def test_gains_are_ndcg_of_the_ranking(labels: list[list[int]], seed: int) -> None:
    random = np.random.default_rng(seed)
    documents = unit(random.standard_normal((15, 6)).astype(np.float32))
    queries = unit(random.standard_normal((len(labels), 6)).astype(np.float32))
    map: Matrix = random.standard_normal((6, 6)).astype(np.float32)
    pairs = Pairs.of(queries, documents, labels)
    chosen = np.arange(len(labels))[::-1]
    order: list[int] = chosen.tolist()
    mapped = unit(queries @ map) @ documents.T
    expected = [by_hand(mapped[query].tolist(), labels[query]) for query in order]
    assert pairs.gains(chosen, map, np.arange(15)).tolist() == pytest.approx(expected)


def test_queries_and_documents_of_different_spaces_are_refused() -> None:
    with pytest.raises(ContractError, match="queries 6 dimensions and documents 5"):
        Pairs.of(np.zeros((1, 6), np.float32), np.zeros((1, 5), np.float32), [[0]])


def test_of_documents_that_score_alike_half_stand_above() -> None:
    documents: Matrix = np.eye(5, 6, dtype=np.float32)
    pairs = Pairs.of(np.zeros((1, 6), np.float32), documents, [[3]])
    assert pairs.gains(np.arange(1), None, np.arange(5)).tolist() == pytest.approx([1 / np.log2(4)])


@settings(max_examples=50)
@given(labels=LABELS, seed=st.integers(0, 99))
def test_what_is_held_out_never_leaks(labels: list[list[int]], seed: int) -> None:
    pairs = Pairs.of(np.zeros((len(labels), 2), np.float32), np.zeros((15, 2), np.float32), labels)
    groups = groups_of(labels, 15)
    folds = folds_of(pairs, groups, seed)
    assert sorted(query for fold in folds for query in fold.unseen.tolist()) == list(range(len(labels)))
    for fold in folds:
        train: list[int] = fold.train.tolist()
        unseen: list[int] = fold.unseen.tolist()
        seen: list[int] = fold.seen.tolist()
        learnt = {document for query in train for document in labels[query]}
        assert all(not learnt.intersection(labels[query]) for query in unseen)
        assert all(learnt.issuperset(labels[query]) for query in seen)
        assert sorted([*train, *unseen, *seen]) == list(range(len(labels)))


@given(labels=LABELS)
def test_queries_that_share_a_document_are_of_one_group(labels: list[list[int]]) -> None:
    groups = groups_of(labels, 15)
    for one, group in zip(labels, groups, strict=True):
        for other, its in zip(labels, groups, strict=True):
            if set(one) & set(other):
                assert group == its
    names: list[int] = groups.tolist()
    belongs = {(document, name) for ids, name in zip(labels, names, strict=True) for document in ids}
    assert len(belongs) == len({document for document, _ in belongs}), "groups share no document"


def test_of_many_queries_a_few_are_held_out_once() -> None:
    labels = [[number // 3] for number in range(9000)]
    pairs = Pairs.of(np.zeros((9000, 2), np.float32), np.zeros((3000, 2), np.float32), labels)
    (fold,) = folds_of(pairs, groups_of(labels, 3000), 0)
    assert 500 <= len(fold.unseen) <= 503
    assert len(fold.seen) == 500


NOWHERE: list[Callable[[], Learning]] = [
    lambda: Contrast(points=0),
    lambda: Contrast(steps=0),
    lambda: Contrast(rate=0),
    lambda: Contrast(scale=-1),
    lambda: Contrast(negatives=0),
    lambda: Ridge(points=0),
    lambda: Rotation(points=-1),
]


@pytest.mark.parametrize("wrong", NOWHERE)
def test_paths_that_lead_nowhere_are_refused(wrong: Callable[[], Learning]) -> None:
    with pytest.raises(UsageError, match="got"):
        wrong()
