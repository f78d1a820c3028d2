"""The search for nearest rows: what it finds is what comparing everything finds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from llmopt.routing._neighbours import neighbours
from llmopt.types import Matrix


def unit(rows: npt.NDArray[np.floating]) -> Matrix:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms == 0, 1, norms), np.float32)


def brute_force(rows: Matrix, vector: Matrix, count: int) -> list[tuple[int, float]]:
    cosines: list[float] = (rows * vector).sum(axis=1).tolist()
    return sorted(enumerate(cosines), key=lambda pair: -pair[1])[:count]


@st.composite
def searches(draw: st.DrawFn) -> tuple[Matrix, Matrix]:
    """Draw rows and vectors: spread or along a few directions, doubled, zero, near to rows and far from them."""
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    count, rank = draw(st.sampled_from([400, 40, 4, 1])), draw(st.sampled_from([4, 8, 1]))
    spread = draw(st.sampled_from([0.02, 0.1, 0.0, 3.0]))
    width = rank * draw(st.sampled_from([4, 5, 1]))
    kinds = random.standard_normal((count, rank))
    kinds = np.sign(kinds) if draw(st.booleans()) else kinds  # many ties
    rows = kinds @ random.standard_normal((rank, width)) + spread * random.standard_normal((count, width))
    rows[random.random(count) < draw(st.sampled_from([0.0, 0.1]))] = 0
    rows = rows[random.integers(0, count, count)] if draw(st.booleans()) else rows
    near = rows[random.integers(0, count, 3)] + 0.1 * random.standard_normal((3, width))
    return unit(rows), unit(np.vstack([near, rows[:1], random.standard_normal((1, width)), np.zeros((1, width))]))


@given(searches(), st.sampled_from([1, 5, 50, 500]), st.sampled_from([0, 2000]))
def test_the_same_rows_with_the_same_cosines_are_found_as_by_brute_force(
    search: tuple[Matrix, Matrix], count: int, fewest: int
) -> None:
    rows, vectors = search
    index = neighbours(rows, fewest=fewest)
    together = index.nearest(vectors, count)
    for vector, (found, cosines) in zip(vectors, together, strict=True):
        assert list(zip(found.tolist(), cosines.tolist(), strict=True)) == brute_force(rows, vector, count)
        [(alone, same)] = index.nearest(vector[None], count)
        assert (alone.tolist(), same.tolist()) == (found.tolist(), cosines.tolist())


def test_rows_along_a_few_directions_are_searched_by_bounds_and_others_are_not() -> None:
    random = np.random.default_rng(0)
    flat = unit(random.standard_normal((500, 6)) @ random.standard_normal((6, 60)) + 0.05)
    assert neighbours(flat, fewest=500).axes.shape == (60, 15)
    assert neighbours(flat, fewest=501).axes.shape == (60, 0)
    assert neighbours(unit(random.standard_normal((500, 60))), fewest=500).axes.shape == (60, 0)


@given(searches())
def test_no_cosine_is_above_its_bound(search: tuple[Matrix, Matrix]) -> None:
    rows, vectors = search
    index = neighbours(rows, fewest=0)
    along = vectors @ index.axes
    left = np.linalg.norm(vectors - along @ index.axes.T, axis=1, keepdims=True)
    assert (vectors @ rows.T <= np.hstack([along, left]) @ index.bounds.T + 1e-5).all()
