"""Near-duplicates, leaks between sets, and splits without either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._text import words
from llmopt.errors import SampleError, UsageError
from llmopt.evaluation import find_duplicates, find_leaks, split_samples
from llmopt.types import Sample

Questions = st.lists(st.lists(st.sampled_from("abcde"), max_size=6).map(" ".join), max_size=12)


def samples(*questions: str, prefix: str = "s") -> list[Sample]:
    return [Sample(question=question, id=f"{prefix}{number}") for number, question in enumerate(questions)]


def likeness(first: str, second: str) -> float:
    one, two = (set(found) | set(pairwise(found)) for found in (words(first), words(second)))
    return len(one & two) / len(one | two) if one | two else 0.0


def test_near_duplicates_are_found_most_alike_first() -> None:
    found = find_duplicates(
        samples(
            "How do I reset my password?",
            "how do i RESET my password",
            "How do I reset my e-mail password?",
            "What does the premium plan cost?",
        ),
        threshold=0.6,
    )
    assert [(pair.first, pair.second) for pair in found] == [("s0", "s1"), ("s0", "s2"), ("s1", "s2")]
    assert found[0].likeness == 1.0
    assert 0.6 <= found[1].likeness < 1.0


def test_chinese_questions_are_compared_too() -> None:
    found = find_duplicates(
        samples("如何重置我的登录密码", "请问如何重置我的登录密码", "今天天气怎么样"), threshold=0.6
    )
    assert [(pair.first, pair.second) for pair in found] == [("s0", "s1")]


@given(Questions, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_exactly_the_pairs_above_the_threshold_are_found(questions: list[str], threshold: float) -> None:
    expected = {
        (f"s{i}", f"s{j}")
        for (i, first), (j, second) in combinations(enumerate(questions), 2)
        if likeness(first, second) >= threshold - 1e-9 and words(first)
    }
    found = find_duplicates(samples(*questions), threshold=threshold)
    assert {(pair.first, pair.second) for pair in found} == expected
    assert len(found) == len(expected)


def test_leaks_are_pairs_across_the_sets_only() -> None:
    training = samples("What is a cat?", "What is a cat?", "What is a dog?", prefix="train")
    test = samples("what is a cat", "Where is the moon?", prefix="test")
    assert [(leak.first, leak.second) for leak in find_leaks(training, test)] == [
        ("train0", "test0"),
        ("train1", "test0"),
    ]
    assert find_leaks([], test) == find_leaks(training, []) == []


def test_samples_without_ids_go_by_their_numbers() -> None:
    nameless = [Sample(question="What is a cat?"), Sample(question="what is a cat")]
    assert [(pair.first, pair.second) for pair in find_duplicates(nameless)] == [("1", "2")]
    assert [sample.id for sample in split_samples(nameless, {"all": 1})["all"]] == ["1", "2"]


def test_what_is_compared_can_be_chosen() -> None:
    both = [
        Sample(question="a b c", id="1", reference="same answer"),
        Sample(question="x", id="2", reference="same answer"),
    ]
    assert find_duplicates(both) == []
    assert len(find_duplicates(both, text=lambda sample: sample.reference or "")) == 1


@pytest.mark.parametrize("threshold", [0, 1.5, -1])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(UsageError, match=f"got {threshold}"):
        find_duplicates([], threshold=threshold)


def test_ten_thousand_questions_of_one_template_are_compared_in_reasonable_work() -> None:
    many = samples(
        *(f"What is the price of item number {n} in the catalogue {n * 7919 % 10007}?" for n in range(10_000))
    )
    assert find_duplicates(many, threshold=0.9) == []


# --- splits

Grouped = st.lists(st.tuples(st.sampled_from(["", "g", "h", "i"]), st.sampled_from("abc")), max_size=40)


def grouped(rows: Sequence[tuple[str, str]]) -> list[Sample]:
    return [
        Sample(question=f"q{n}", id=str(n), group=group, category=category) for n, (group, category) in enumerate(rows)
    ]


@given(Grouped, st.integers(0, 5))
def test_every_sample_is_in_one_part_and_no_group_in_two(rows: list[tuple[str, str]], seed: int) -> None:
    given_samples = grouped(rows)
    parts = split_samples(given_samples, {"train": 0.7, "dev": 0.1, "test": 0.2}, seed=seed)
    assert list(parts) == ["train", "dev", "test"]
    assert sorted((s.id for part in parts.values() for s in part), key=int) == [s.id for s in given_samples]
    places = {(sample.group, name) for name, part in parts.items() for sample in part if sample.group}
    assert len(places) == len({group for group, _ in places})


def test_shares_are_met_in_every_category() -> None:
    many = [Sample(question=f"q{n}", id=str(n), category="abcd"[n % 4]) for n in range(400)]
    parts = split_samples(many, {"train": 80, "test": 20}, apart=None)
    assert Counter(sample.category for sample in parts["test"]) == dict.fromkeys("abcd", 20)
    assert [int(sample.id) for sample in parts["train"]] == sorted(int(sample.id) for sample in parts["train"])


def test_the_seed_settles_the_split() -> None:
    many = [Sample(question=f"q{n}", id=str(n)) for n in range(50)]
    first, again, other = (
        {sample.id for sample in split_samples(many, {"a": 1, "b": 1}, seed=seed)["a"]} for seed in (1, 1, 2)
    )
    assert first == again != other


def test_near_duplicates_stay_on_one_side() -> None:
    questions = [f"How do I change the setting {n % 10} of my phone{'?' * (n // 10)}" for n in range(30)]
    for seed in range(5):
        parts = split_samples(samples(*questions), {"train": 0.5, "test": 0.5}, seed=seed, apart=0.9)
        assert find_leaks(parts["train"], parts["test"], threshold=0.9) == []
        assert parts["test"]


def test_splits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="shares above 0"):
        split_samples([], {"train": 1, "test": 0})
    with pytest.raises(UsageError, match="shares above 0"):
        split_samples([], {})
    with pytest.raises(SampleError, match="given twice, the first is 'x'"):
        split_samples([Sample(question="a", id="x"), Sample(question="b", id="x")], {"a": 1})
