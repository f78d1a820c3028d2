"""The question set itself: well formed, true to the corpus, spread out, and no two alike."""

from __future__ import annotations

import json
import platform
import re
from collections import Counter
from importlib.resources import files
from itertools import combinations
from typing import cast

import pytest

from llmopt.demo.corpus import demo_samples, python_reference
from llmopt.types import Sample

# The passages were checked word by word on these; a later edition of the manual may reword a few.
CHECKED = ("3.11.2", "3.11.7", "3.12.1", "3.13.0")
FIELDS = ["id", "question", "reference", "gold", "category", "answerable", "language", "evidence"]
LEAST = {"lookup": 24, "how": 18, "two-part": 12, "chinese": 10, "unanswerable": 10}


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return demo_samples()


@pytest.fixture(scope="module")
def topics() -> dict[str, str]:
    return {document.id: " ".join(document.text.split()) for document in python_reference()}


def evidence(sample: Sample) -> tuple[str, ...]:
    return cast("tuple[str, ...]", sample.metadata["evidence"])


def test_each_line_is_an_object_with_exactly_the_fields_in_order() -> None:
    text = (files("llmopt.demo") / "questions.jsonl").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    for line in text.removesuffix("\n").split("\n"):
        assert list(json.loads(line)) == FIELDS


def test_ids_are_unique_and_count_up(samples: list[Sample]) -> None:
    assert [sample.id for sample in samples] == [f"q{number:02d}" for number in range(1, len(samples) + 1)]


def test_there_are_enough_questions_of_each_category(samples: list[Sample]) -> None:
    counts = Counter(sample.category for sample in samples)
    assert set(counts) == set(LEAST)
    assert {name: counts[name] for name in LEAST if counts[name] < LEAST[name]} == {}
    assert len(samples) >= 72


def test_category_language_and_answerable_agree(samples: list[Sample]) -> None:
    for sample in samples:
        chinese = re.search(r"[\u4e00-\u9fff]", sample.question + (sample.reference or "")) is not None
        assert chinese == (sample.category == "chinese") == (sample.metadata["language"] == "zh"), sample.id
        assert sample.answerable == (sample.category != "unanswerable"), sample.id


def test_answerable_questions_have_gold_and_evidence_and_the_others_neither(samples: list[Sample]) -> None:
    for sample in samples:
        assert bool(sample.gold) == bool(evidence(sample)) == sample.answerable, sample.id
        assert len(set(sample.gold)) == len(sample.gold), sample.id
    assert all(len(evidence(sample)) == 2 for sample in samples if sample.category == "two-part")


def test_texts_are_clean_and_of_sane_length(samples: list[Sample]) -> None:
    for sample in samples:
        for text in (sample.question, sample.reference or "", *evidence(sample)):
            assert text, sample.id
            assert text == " ".join(text.split()), sample.id
        assert len(sample.question) <= 200, sample.id
        assert len(sample.reference or "") <= 300, sample.id
        assert all(40 <= len(passage) <= 400 for passage in evidence(sample)), sample.id


def test_gold_topics_exist_in_this_interpreter(samples: list[Sample], topics: dict[str, str]) -> None:
    missing = {(sample.id, topic) for sample in samples for topic in sample.gold if topic not in topics}
    assert missing == set()


def test_evidence_stands_in_a_gold_topic(samples: list[Sample], topics: dict[str, str]) -> None:
    wanted = [(sample, passage) for sample in samples for passage in evidence(sample)]
    lost = [
        (sample.id, passage) for sample, passage in wanted if not any(passage in topics[topic] for topic in sample.gold)
    ]
    allowed = 0 if platform.python_version() in CHECKED else len(wanted) // 10
    assert len(lost) <= allowed, lost


def test_every_topic_that_repeats_all_the_evidence_is_gold(samples: list[Sample], topics: dict[str, str]) -> None:
    for sample in samples:
        if sample.answerable:
            holding = {key for key, text in topics.items() if all(passage in text for passage in evidence(sample))}
            assert holding <= set(sample.gold), sample.id


def test_the_questions_reach_most_of_the_corpus(samples: list[Sample], topics: dict[str, str]) -> None:
    assert len({topic for sample in samples for topic in sample.gold} & set(topics)) >= 60
    first = {next(key for key in sample.gold) for sample in samples if sample.gold}
    assert len(first) >= 45


def words(text: str) -> set[str]:
    return set(re.findall(r"[\u4e00-\u9fff]|[a-z0-9_]+", text.lower()))


def test_no_question_is_nearly_another(samples: list[Sample]) -> None:
    for one, other in combinations(samples, 2):
        a, b = words(one.question), words(other.question)
        assert len(a & b) / len(a | b) < 0.7, (one.id, other.id)


def test_no_question_copies_its_evidence(samples: list[Sample]) -> None:
    for sample in samples:
        asked = words(sample.question)
        for passage in evidence(sample):
            assert len(asked & words(passage)) / len(asked | words(passage)) < 0.5, sample.id


def test_what_the_unanswerable_questions_are_about_is_not_in_the_corpus(topics: dict[str, str]) -> None:
    everything = " ".join(topics.values()).lower()
    for word in ("global interpreter lock", "pip install", "pandas", "timsort", "recursionerror", "vs code"):
        assert word not in everything
