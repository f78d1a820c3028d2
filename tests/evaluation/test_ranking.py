"""Ranking formulas and metrics against recorded output of pytrec_eval, and at the edges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import SampleError, UsageError
from llmopt.evaluation import NDCG, AveragePrecision, HitRate, Precision, Recall, ReciprocalRank
from llmopt.evaluation.ranking import (
    average_precision_of_ranking,
    distinct,
    hit_rate_at,
    ndcg_at,
    precision_at,
    recall_at,
    reciprocal_rank,
)
from llmopt.interfaces import Metric
from llmopt.types import Sample

Ids = st.lists(st.sampled_from("abcdefgh"), max_size=12)
SomeIds = st.sets(st.sampled_from("abcdefgh"), min_size=1)


class Case(TypedDict):
    ranking: list[str]
    grades: dict[str, int]
    expected: dict[str, float]


RECORDED = cast("list[Case]", json.loads(Path(__file__).with_name("trec_eval.json").read_text("utf-8"))["cases"])


@pytest.mark.parametrize("case", RECORDED, ids=str)
def test_the_formulas_are_those_of_trec_eval(case: Case) -> None:
    ranking, grades, expected = case["ranking"], case["grades"], case["expected"]
    relevant = {id for id, grade in grades.items() if grade > 0}
    found = {"map": average_precision_of_ranking(ranking, relevant), "recip_rank": reciprocal_rank(ranking, relevant)}
    for k in (1, 5, 10):
        found |= {
            f"recall_{k}": recall_at(ranking, relevant, k),
            f"P_{k}": precision_at(ranking, relevant, k),
            f"success_{k}": hit_rate_at(ranking, relevant, k),
            f"ndcg_cut_{k}": ndcg_at(ranking, grades, k),
        }
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("case", RECORDED[:20], ids=str)
def test_the_metrics_are_the_formulas_on_a_sample(case: Case) -> None:
    gold = tuple(id for id, grade in case["grades"].items() if grade > 0)
    sample = Sample(question="q", context_ids=case["ranking"], gold=gold, metadata={"qrels": case["grades"]})
    expected = case["expected"]
    for metric, name in (
        (Recall(k=5), "recall_5"),
        (Precision(k=5), "P_5"),
        (HitRate(k=5), "success_5"),
        (NDCG(k=10), "ndcg_cut_10"),
        (AveragePrecision(), "map"),
        (ReciprocalRank(), "recip_rank"),
    ):
        assert metric.score(sample).value == pytest.approx(expected[name], abs=1e-9)


def test_names_tell_the_cut() -> None:
    metrics: list[Metric] = [Recall(k=3), Precision(k=3), HitRate(k=3), NDCG(k=3), AveragePrecision(), ReciprocalRank()]
    assert [metric.name for metric in metrics] == [
        "recall@3", "precision@3", "hit_rate@3", "ndcg@3", "average_precision", "reciprocal_rank",
    ]  # fmt: skip


def test_a_document_found_twice_counts_once_at_its_best_rank() -> None:
    assert distinct(["a", "a", "b", "a"]) == ["a", "b"]
    assert precision_at(["a", "a", "b"], {"a", "b"}, 2) == 1.0
    assert average_precision_of_ranking(["x", "a", "a", "b"], {"a", "b"}) == pytest.approx((1 / 2 + 2 / 3) / 2)


@given(Ids, SomeIds, st.integers(1, 10))
def test_every_figure_lies_between_zero_and_one(ranking: list[str], relevant: set[str], k: int) -> None:
    figures = [
        recall_at(ranking, relevant, k),
        precision_at(ranking, relevant, k),
        hit_rate_at(ranking, relevant, k),
        reciprocal_rank(ranking, relevant),
        average_precision_of_ranking(ranking, relevant),
        ndcg_at(ranking, dict.fromkeys(relevant, 1.0), k),
    ]
    assert all(0 <= figure <= 1 + 1e-12 for figure in figures)


@given(SomeIds)
def test_the_best_order_has_the_full_figure(relevant: set[str]) -> None:
    ranking = [*sorted(relevant), "z"]
    gains = {id: float(number + 1) for number, id in enumerate(sorted(relevant, reverse=True))}
    assert ndcg_at(ranking, gains, 20) == pytest.approx(1.0)
    assert average_precision_of_ranking(ranking, relevant) == pytest.approx(1.0)


def test_graded_gains_come_from_a_function_where_one_is_given() -> None:
    sample = Sample(question="q", context_ids=("a", "b"), gold=("a", "b"))
    binary, graded = NDCG(k=2), NDCG(k=2, gains=lambda _: {"a": 1.0, "b": 3.0})
    assert binary.score(sample).value == 1.0
    assert graded.score(sample).value == pytest.approx(0.796708, abs=1e-6)


def test_qrels_that_are_no_mapping_are_refused() -> None:
    sample = Sample(question="q", id="s1", context_ids=("a",), gold=("a",), metadata={"qrels": ["a"]})
    with pytest.raises(SampleError, match="'s1' has metadata `qrels` of type list"):
        NDCG().score(sample)


def test_nothing_retrieved_scores_zero_and_says_so() -> None:
    score = Recall(k=5).score(Sample(question="q", gold=("a",)))
    assert (score.value, score.reason) == (0.0, "nothing was retrieved")


def test_contexts_without_ids_are_undefined() -> None:
    score = Recall(k=5).score(Sample(question="q", contexts=("text",), gold=("a",)))
    assert (score.value, score.status) == (None, "undefined")
    assert "not their ids" in score.reason


def test_the_reason_names_the_ranks() -> None:
    sample = Sample(question="q", context_ids=("x", "a", "b"), gold=("a", "b", "c"))
    assert Recall(k=3).score(sample).reason == "2 of 3 gold documents at rank 2, 3"


def test_no_gold_is_refused() -> None:
    with pytest.raises(SampleError, match="needs gold"):
        Recall().score(Sample(question="q", context_ids=("a",)))
    with pytest.raises(UsageError, match="no relevant document"):
        ndcg_at(["a"], {"a": 0}, 5)


def test_a_cut_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1, got 0"):
        recall_at(["a"], {"a"}, 0)
