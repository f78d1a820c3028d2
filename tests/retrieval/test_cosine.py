"""Exact cosine search over unit rows."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt.retrieval._cosine import Found, nearest, nearest_many
from llmopt.types import Matrix


def unit_rows(count: int, dimensions: int, seed: int) -> Matrix:
    rows = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    unit: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def best(found: Found, k: int) -> list[tuple[float, int]]:
    positions, scores = found
    places: list[int] = positions.tolist()
    values: list[float] = scores.tolist()
    return sorted(((-value, place) for value, place in zip(values, places, strict=True)))[:k]


def by_hand(rows: Matrix, vector: Matrix, k: int) -> list[int]:
    scores = (rows.astype(np.float64) * vector.astype(np.float64)).sum(axis=1)
    order: list[int] = np.argsort(-scores, kind="stable")[:k].tolist()
    return order


@settings(deadline=None, max_examples=40)
@given(count=st.integers(1, 3000), dimensions=st.integers(1, 48), k=st.integers(1, 40), seed=st.integers(0, 2**31))
def test_the_best_are_those_of_the_full_ranking(count: int, dimensions: int, k: int, seed: int) -> None:
    rows, vector = unit_rows(count, dimensions, seed), unit_rows(1, dimensions, seed + 1)[0]
    assert [place for _, place in best(nearest(rows, vector, k), k)] == by_hand(rows, vector, k)


@settings(deadline=None, max_examples=40)
@given(count=st.integers(1, 3000), k=st.integers(1, 40), share=st.floats(0, 1), seed=st.integers(0, 2**31))
def test_only_allowed_rows_are_ranked(count: int, k: int, share: float, seed: int) -> None:
    rows, vector = unit_rows(count, 16, seed), unit_rows(1, 16, seed + 1)[0]
    allowed = np.random.default_rng(seed).random(count) < share
    chosen = np.flatnonzero(allowed)
    expected: list[int] = chosen[by_hand(rows[chosen], vector, k)].tolist()
    assert [place for _, place in best(nearest(rows, vector, k, allowed), k)] == expected


@settings(deadline=None, max_examples=15)
@given(count=st.integers(1, 500), queries=st.integers(1, 20), k=st.integers(1, 30), seed=st.integers(0, 2**31))
def test_many_queries_find_exactly_what_each_finds_alone(count: int, queries: int, k: int, seed: int) -> None:
    rows, vectors = unit_rows(count, 24, seed), unit_rows(queries, 24, seed + 1)
    together = [best(found, k) for found in nearest_many(rows, vectors, k)]
    assert together == [best(nearest(rows, vector, k), k) for vector in vectors]


@pytest.mark.parametrize("count", [70_000, 70_017])
@pytest.mark.parametrize("k", [1, 10, 400])
def test_many_queries_over_many_rows_find_exactly_what_each_finds_alone(count: int, k: int) -> None:
    rows, vectors = unit_rows(count, 8, 1), unit_rows(3, 8, 2)
    rows[-1] = vectors[0]
    together = [best(found, k) for found in nearest_many(rows, vectors, k)]
    assert together == [best(nearest(rows, vector, k), k) for vector in vectors]
    assert together[0][0][1] == count - 1


def test_equal_rows_score_exactly_equally_wherever_they_stand() -> None:
    rows = unit_rows(5000, 100, 3)
    rows[[0, 17, 2500, 4999]] = rows[1000]
    positions, scores = nearest(rows, unit_rows(1, 100, 4)[0], 5000)
    same = scores[np.isin(positions, [0, 17, 1000, 2500, 4999])]
    assert len(same) == 5
    assert len(set(same.tolist())) == 1


def test_neither_one_query_nor_many_copy_the_matrix() -> None:
    rows, vectors = unit_rows(200_000, 32, 5), unit_rows(300, 32, 6)
    matrix = rows.nbytes
    tracemalloc.start()
    nearest(rows, vectors[0], 10)
    _, one = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    tracemalloc.start()
    for _ in nearest_many(rows, vectors, 10):
        pass
    _, many = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert one < matrix / 10
    assert many < 100e6
