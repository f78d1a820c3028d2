"""Rankings by preference: right on known strengths, finite at the edges, honest about what never met."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import UsageError
from llmopt.evaluation import Annotation, Preference, preferences_of, rank_systems

Meetings = st.lists(
    st.tuples(st.sampled_from(["ab", "bc", "ca"]), st.sampled_from([0, 1, 2])).map(
        lambda met: Preference(met[0][0], met[0][1], [met[0][0], met[0][1], ""][met[1]])
    ),
    min_size=1,
    max_size=12,
)


def played(strengths: dict[str, float], count: int, seed: int) -> list[Preference]:
    chance = random.Random(seed)
    found: list[Preference] = []
    for number in range(count):
        first, second = chance.sample(sorted(strengths), 2)
        odds = strengths[first] / (strengths[first] + strengths[second])
        found.append(Preference(first, second, first if chance.random() < odds else second, f"s{number}"))
    return found


def test_known_strengths_are_recovered_on_the_scale_of_elo() -> None:
    ranking = rank_systems(played({"a": 1.0, "b": 2.0, "c": 8.0}, 4000, seed=1))
    assert list(ranking.ratings) == ["c", "b", "a"]
    values = {name: estimate.value or 0.0 for name, estimate in ranking.ratings.items()}
    assert values["c"] - values["a"] == pytest.approx(400 * math.log10(8), abs=35)
    assert values["b"] - values["a"] == pytest.approx(400 * math.log10(2), abs=35)
    assert sum(values.values()) / 3 == pytest.approx(1000)
    assert ranking.chance("c", "b") == pytest.approx(0.8, abs=0.03)
    assert ranking.meetings == 4000


def test_two_systems_are_ranked_by_their_rate() -> None:
    met = [Preference("a", "b", "a")] * 30 + [Preference("b", "a", "b")] * 10
    assert rank_systems(met).chance("a", "b") == pytest.approx(30.5 / 41)
    assert rank_systems(met).wins == {"a": 30.0, "b": 10.0}


def test_intervals_hold_the_truth() -> None:
    gap, held = 400 * math.log10(2), 0
    for seed in range(40):
        ranking = rank_systems(played({"a": 1.0, "b": 2.0}, 120, seed), seed=seed)
        estimate = ranking.ratings["b"]
        assert estimate.low is not None
        assert estimate.high is not None
        held += estimate.low <= 1000 + gap / 2 <= estimate.high
    assert held >= 35


def test_one_that_always_wins_has_a_finite_rating() -> None:
    rating = rank_systems([Preference("a", "b", "a", str(n)) for n in range(5)]).ratings["a"]
    assert rating.value is not None
    assert rating.high is not None
    assert 1000 < rating.value <= rating.high < 1400


def test_nothing_but_ties_is_a_draw() -> None:
    ranking = rank_systems([Preference("a", "b", "")] * 4)
    assert ranking.chance("a", "b") == pytest.approx(0.5)
    assert ranking.wins == {"a": 2.0, "b": 2.0}


def test_answers_of_one_sample_are_not_independent() -> None:
    alone = [Preference("a", "b", "a" if n % 4 else "b", f"s{n}") for n in range(40)]
    together = [Preference(met.first, met.second, met.winner, f"s{n % 4}") for n, met in enumerate(alone)]
    wide, narrow = (rank_systems(met).ratings["a"] for met in (together, alone))
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.value == pytest.approx(narrow.value)
    assert wide.low < narrow.low


@given(Meetings)
def test_the_order_of_the_meetings_does_not_matter(met: list[Preference]) -> None:
    try:
        ranking = rank_systems(met)
    except UsageError:
        return
    turned = rank_systems([Preference(m.second, m.first, m.winner, m.sample) for m in met[::-1]])
    assert {n: e.value for n, e in ranking.ratings.items()} == pytest.approx(
        {n: e.value for n, e in turned.ratings.items()}
    )


def test_systems_that_never_met_cannot_be_compared() -> None:
    with pytest.raises(UsageError, match="'a' and 'c' never met"):
        rank_systems([Preference("a", "b", "a"), Preference("c", "d", "c")])


@pytest.mark.parametrize("wrong", [[], [Preference("a", "b", "c")], [Preference("a", "a", "a")]])
def test_preferences_that_make_no_sense_are_refused(wrong: list[Preference]) -> None:
    with pytest.raises(UsageError):
        rank_systems(wrong)


def test_annotations_of_pairs_are_preferences() -> None:
    said = [
        Annotation("1", "old", "new", "Ann", "new"),
        Annotation("2", "new", "tie", "Ann", "old"),
        Annotation("3", "", "yes", "Ann"),
    ]
    assert preferences_of(said) == [Preference("old", "new", "new", "1"), Preference("new", "old", "", "2")]


def test_the_table_shows_ratings_and_the_chance_of_unknown_systems_is_refused() -> None:
    ranking = rank_systems(played({"a": 1.0, "b": 2.0}, 50, seed=3))
    assert "50 preferences" in str(ranking)
    assert str(ranking).splitlines()[3].startswith("b ")
    with pytest.raises(UsageError, match="no system 'z'"):
        ranking.chance("a", "z")
