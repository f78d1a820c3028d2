"""Faults that show in an answer without a judge, and kinds of question."""

from __future__ import annotations

import numpy as np
import pytest

from llmopt import Sample
from llmopt._sync import run_sync
from llmopt.evaluation import FormatValidity, Report, Row
from llmopt.experiments.diagnosis import Finding
from llmopt.experiments.diagnosis.categories import categories_of, characteristic_words, clustered
from llmopt.experiments.diagnosis.faults import flaw_of
from llmopt.experiments.diagnosis.tree import Fault
from llmopt.testing import FakeEmbedder
from llmopt.types import Score


@pytest.mark.parametrize(
    ("answer", "reference", "fault"),
    [
        ("It must be Paris, as I said.", "Paris", "format"),
        ("答案是：北京。", "北京", "format"),
        ("I don't know.", "Paris", "refusal"),
        ("", "Paris", "format"),
        ("bread", "bread and butter with honey", "instruction"),
        ("Beijing", "北京", "instruction"),
        ("Lyon", "Paris", ""),
        ("Lyon", "", ""),
        ("Paris is one of many towns. " * 20, "Paris", ""),
    ],
)
def test_a_fault_is_read_off_the_answer(answer: str, reference: str, fault: Fault) -> None:
    assert flaw_of([Sample(question="?", answer=answer, reference=reference)], [], []).fault == fault


def test_a_format_metric_says_what_form_is_asked_for() -> None:
    metric = FormatValidity(pattern=r"\d+")
    flaw = flaw_of([Sample(question="?", answer="ten", reference="9")], [], [metric])
    assert flaw.fault == "format"
    assert "does not match" in flaw.reason


def test_an_answer_that_does_not_change_with_the_contexts_does_not_use_them() -> None:
    same = Sample(question="?", answer="Lyon", reference="Paris")
    assert flaw_of([same], [same], []).fault == "instruction"


def test_a_fault_that_only_few_answers_show_is_none() -> None:
    right, wrong = (Sample(question="?", answer=a, reference="Paris") for a in ("Lyon", "I don't know."))
    assert flaw_of([right, right, wrong], [], []).fault == ""


def rows(questions: list[str], categories: list[str] | None = None) -> Report:
    names = categories or [""] * len(questions)
    samples = [Sample(question=q, id=str(n), category=c) for n, (q, c) in enumerate(zip(questions, names, strict=True))]
    return Report([Row(sample, {"right": Score(float(n % 2))}) for n, sample in enumerate(samples)], ["right"])


def failed(report: Report) -> list[Finding]:
    return [Finding(row.sample, "format", "") for row in report.rows if row.scores["right"].value == 0]


def test_given_categories_are_kept_and_the_worst_comes_first() -> None:
    report = rows(["a", "b", "c"], ["easy", "easy", "hard"])
    found = run_sync(categories_of, report, failed(report), "right", None)
    assert [(each.name, each.samples, dict(each.causes)) for each in found] == [
        ("hard", 1, {"format": 1}),
        ("easy", 2, {"format": 1}),
    ]
    assert all(each.given for each in found)


ORDERS = ["How do I return my order?", "Can I return shoes?", "Return of a broken lamp?", "When must I return a coat?"]
PRICES = [
    "What price has the lamp?",
    "Is the price of shoes lower?",
    "Price of two coats?",
    "Which price in May?",
]
CHINESE = ["退货政策是什么？", "怎么申请退货？", "退货需要多少天？", "可以退货吗？"]


def test_questions_without_categories_are_grouped_and_named_by_their_words() -> None:
    report = rows([*ORDERS, *ORDERS, *PRICES, *PRICES])
    found = run_sync(categories_of, report, failed(report), "right", None)
    assert sorted(each.name.split(", ")[0] for each in found) == ["price", "return"]
    assert not any(each.given for each in found)
    assert all(each.examples for each in found)


def test_few_questions_are_not_grouped() -> None:
    report = rows(ORDERS)
    assert run_sync(categories_of, report, failed(report), "right", FakeEmbedder()) == []


def test_chinese_groups_are_named_in_chinese() -> None:
    assert characteristic_words(CHINESE, ["价格是多少？", "今天的价格"]).startswith("退货")


def test_clusters_are_the_same_for_the_same_seed_and_cover_every_row() -> None:
    vectors = np.asarray(FakeEmbedder().encode([*ORDERS, *PRICES], kind="query"), np.float64)
    first, second = (clustered(vectors, 2, seed=1)[0] for _ in range(2))
    assert first == second
    assert len(first) == 8


def test_equal_rows_make_one_cluster() -> None:
    assert set(clustered(np.ones((5, 1)), 3)[0]) == {0}
