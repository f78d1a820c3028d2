"""Rankings made one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import UsageError
from llmopt.retrieval import fuse_ranks, take_turns
from llmopt.retrieval.fusion import Scales, fuse_scores, normalised
from llmopt.types import Document, Hit

RANKINGS = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8), max_size=4)


def ranking(ids: str | list[str], **signals: float) -> list[Hit]:
    return [Hit(Document(id, id), 1.0 / rank, signals) for rank, id in enumerate(ids, start=1)]


@given(rankings=RANKINGS, constant=st.floats(0, 100))
def test_the_score_is_the_sum_of_reciprocal_ranks(rankings: list[list[str]], constant: float) -> None:
    fused = fuse_ranks([ranking(ids) for ids in rankings], constant=constant)
    for hit in fused:
        expected = sum(1 / (constant + ids.index(hit.document.id) + 1) for ids in rankings if hit.document.id in ids)
        assert hit.score == pytest.approx(expected)
    assert {hit.document.id for hit in fused} == {id for ids in rankings for id in ids}
    assert fused == sorted(fused, key=lambda hit: (-hit.score, hit.document.id))


@given(rankings=RANKINGS)
def test_the_order_of_the_rankings_does_not_matter(rankings: list[list[str]]) -> None:
    one = fuse_ranks([ranking(ids) for ids in rankings])
    other = fuse_ranks([ranking(ids) for ids in reversed(rankings)])
    assert {hit.document.id: hit.score for hit in one} == pytest.approx({hit.document.id: hit.score for hit in other})


def test_weights_count_and_a_ranking_of_weight_zero_adds_nothing() -> None:
    fused = fuse_ranks([ranking("ab"), ranking("ba"), ranking("c")], weights=[1, 3, 0])
    assert [hit.document.id for hit in fused] == ["b", "a", "c"]
    assert fused[0].score == pytest.approx(1 / 62 + 3 / 61)
    assert fused[2].score == 0


def test_equal_scores_stand_in_the_order_of_their_ids() -> None:
    assert [hit.document.id for hit in fuse_ranks([ranking("ba"), ranking("ab")])] == ["a", "b"]


def test_signals_hold_the_score_of_each_named_ranking_beside_earlier_ones() -> None:
    fused = fuse_ranks([ranking("ab", age=3.0), ranking("b")], names=["words", "meaning"])
    assert {hit.document.id: hit.signals for hit in fused} == {
        "a": {"age": 3.0, "words": 1.0},
        "b": {"age": 3.0, "words": 0.5, "meaning": 1.0},
    }


def test_no_rankings_and_empty_ones_give_nothing() -> None:
    assert fuse_ranks([]) == []
    assert fuse_ranks([[], []]) == []


@pytest.mark.parametrize(
    ("weights", "constant", "names"),
    [
        ([1.0], 60, None),
        ([1.0, -1.0], 60, None),
        ([1.0, math.nan], 60, None),
        ([1.0, math.inf], 60, None),
        (None, -1, None),
        (None, math.nan, None),
        (None, 60, ["only one"]),
    ],
)
def test_wrong_weights_constants_and_names_are_refused(
    weights: list[float] | None, constant: float, names: list[str] | None
) -> None:
    with pytest.raises(UsageError, match="rank fusion"):
        fuse_ranks([ranking("a"), ranking("b")], weights=weights, constant=constant, names=names)


SCORED = st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1, 9), max_size=8), max_size=3)


def scored(scores: dict[str, float]) -> list[Hit]:
    return [Hit(Document(id, id), score) for id, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]


@given(tables=SCORED, depth=st.integers(1, 9))
def test_normalised_scores_run_from_the_floor_to_the_best_of_the_list(
    tables: list[dict[str, float]], depth: int
) -> None:
    lists = [scored(table) for table in tables]
    table = normalised(lists, Scales((-1.0,) * len(lists), depth))
    assert set(table) == {id for scores in tables for id in scores}
    for id, row in table.items():
        for value, scores, hits in zip(row, tables, lists, strict=True):
            best = max(scores.values(), default=-1.0)
            if id in scores:
                assert value == pytest.approx((scores[id] + 1) / (best + 1) if best > -1 else 1.0)
            elif len(hits) < depth:
                assert value == 0, "a list that is complete gives the floor to what it has not"
            else:
                assert value == pytest.approx((min(scores.values()) + 1) / (best + 1) if best > -1 else 1.0)


def test_scores_are_fused_by_weight() -> None:
    lists = [scored({"a": 4.0, "b": 2.0}), scored({"b": 1.0, "c": 0.0})]
    fused = fuse_scores(lists, (0.25, 0.75), Scales((0.0, -1.0), depth=2), ["words", "meaning"])
    assert [(hit.document.id, hit.score) for hit in fused] == [
        ("b", 0.25 * 0.5 + 0.75),
        ("a", 0.25 + 0.75 * 0.5),
        ("c", 0.25 * 0.5 + 0.75 * 0.5),
    ]
    assert fused[0].signals == {"words": 2.0, "meaning": 1.0}


@given(rankings=RANKINGS)
def test_taking_turns_leaves_no_ranking_out(rankings: list[list[str]]) -> None:
    taken = take_turns([ranking(ids) for ids in rankings])
    ids = [hit.document.id for hit in taken]
    assert sorted(ids) == sorted({id for ids in rankings for id in ids})
    assert [hit.score for hit in taken] == [1 / place for place in range(1, len(taken) + 1)]
    for own in rankings:
        if own:
            assert set(own) & set(ids[: len(rankings)]), "every ranking has a document among the first turns"


def test_turns_go_round() -> None:
    taken = take_turns([ranking("abc"), ranking("ad"), ranking("x")])
    assert [hit.document.id for hit in taken] == ["a", "d", "x", "b", "c"]
