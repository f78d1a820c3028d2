"""Statistics against tables, against simulation, and at the edges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._stats import (
    Estimate,
    bootstrap,
    clustered_mean,
    holm,
    mcnemar,
    mean,
    minimum_detectable_effect,
    normal_quantile,
    paired_difference,
    permutation_test,
    required_n,
    share,
    t_cdf,
    t_mean,
    t_quantile,
)
from llmopt.errors import UsageError

Numbers = st.lists(st.floats(-1e6, 1e6), max_size=30)

# Tables of Student's t: https://www.itl.nist.gov/div898/handbook/eda/section3/eda3672.htm
T_TABLE = [
    (0.975, 1, 12.706),
    (0.975, 2, 4.303),
    (0.975, 5, 2.571),
    (0.975, 10, 2.228),
    (0.975, 30, 2.042),
    (0.975, 100, 1.984),
    (0.95, 4, 2.132),
    (0.995, 3, 5.841),
    (0.999, 20, 3.552),
]


@pytest.mark.parametrize(("share_below", "freedom", "expected"), T_TABLE)
def test_quantiles_of_t_are_those_of_the_table(share_below: float, freedom: int, expected: float) -> None:
    assert t_quantile(share_below, freedom) == pytest.approx(expected, abs=6e-4)
    assert t_quantile(1 - share_below, freedom) == pytest.approx(-expected, abs=6e-4)


def test_t_has_closed_forms_at_one_and_two_degrees_of_freedom() -> None:
    for x in (-40.0, -1.5, 0.0, 0.3, 7.0):
        assert t_cdf(x, 1) == pytest.approx(0.5 + math.atan(x) / math.pi, abs=1e-12)
        assert t_cdf(x, 2) == pytest.approx(0.5 + x / (2 * math.sqrt(2 + x * x)), abs=1e-12)


@given(st.floats(0.001, 0.999), st.floats(1, 1e6))
def test_quantile_and_distribution_of_t_are_inverse(share_below: float, freedom: float) -> None:
    assert t_cdf(t_quantile(share_below, freedom), freedom) == pytest.approx(share_below, abs=1e-9)


def test_t_with_many_degrees_of_freedom_is_normal() -> None:
    assert t_quantile(0.975, 1e9) == normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)
    assert t_quantile(0.975, 9e6) == pytest.approx(normal_quantile(0.975), abs=1e-6)


def test_no_value_has_no_mean_and_one_value_no_interval() -> None:
    assert mean([]) == Estimate(None, None, None, 0)
    assert t_mean([0.25]) == Estimate(0.25, None, None, 1)
    assert bootstrap([]) == Estimate(None, None, None, 0)
    assert bootstrap([0.25]) == Estimate(0.25, None, None, 1)
    assert paired_difference([], []) == Estimate(None, None, None, 0)
    assert clustered_mean([], []) == Estimate(None, None, None, 0)


def test_one_group_has_a_mean_but_no_interval() -> None:
    assert clustered_mean([0.0, 1.0], ["a", "a"]) == Estimate(0.5, None, None, 2)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert mean([0.3] * 5) == Estimate(0.3, 0.3, 0.3, 5, "t")
    assert bootstrap([0.3] * 5, seed=1) == Estimate(0.3, 0.3, 0.3, 5, "bca")


def test_a_perfect_rate_still_has_an_interval() -> None:
    found = mean([1.0] * 20)
    assert found.method == "wilson"
    assert found.low == pytest.approx(0.8389, abs=1e-4)
    assert found.high == 1.0


def test_wilson_is_the_published_interval() -> None:
    found = share(81, 263)  # Newcombe (1998), table I
    assert found.low == pytest.approx(0.2553, abs=1e-4)
    assert found.high == pytest.approx(0.3662, abs=1e-4)
    assert share(0, 20).high == pytest.approx(0.1611, abs=1e-4)


def test_rates_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="got 3 of 2"):
        share(3, 2)


def test_t_interval_is_the_textbook_one() -> None:
    found = t_mean([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.high == pytest.approx(3 + 2.776445 * math.sqrt(2.5 / 5), abs=1e-6)


def test_an_interval_of_shares_stays_between_zero_and_one() -> None:
    found = mean([0.9, 1.0, 1.0, 0.4])
    assert found.low is not None
    assert found.low > 0
    assert found.high == 1.0


def test_clustering_widens_the_interval_when_groups_agree() -> None:
    values = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.2, 0.2, 0.2, 0.8, 0.8, 0.8]
    groups = [name for name in "abcd" for _ in range(3)]
    assert _width(mean(values, groups=groups)) > 1.8 * _width(mean(values))


def test_groups_of_one_change_nothing() -> None:
    values = [0.1, 0.5, 0.7, 0.2]
    assert mean(values, groups=list("abcd")) == mean(values)
    assert clustered_mean(values, list("abcd")).high == pytest.approx(t_mean(values).high)


def test_groups_that_balance_by_chance_do_not_give_an_interval_of_no_width() -> None:
    assert _width(mean([0.0, 1.0, 1.0, 0.0], groups=list("aabb"))) > 0.5


def test_groups_that_all_succeed_count_as_so_many_trials() -> None:
    found = mean([1.0] * 6, groups=list("aaabbb"))
    assert (found.low, found.n) == (share(2, 2).low, 6)


def test_groups_must_be_as_many_as_values() -> None:
    with pytest.raises(UsageError, match="got 1 for 2 values"):
        clustered_mean([1.0, 2.0], ["a"])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(UsageError, match="number 1 is"):
        mean([1.0, bad])


def test_levels_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="between 0 and 1, got 95"):
        mean([1.0, 0.5], level=95)


@given(Numbers)
def test_every_interval_holds_its_figure(values: list[float]) -> None:
    for found in (mean(values), t_mean(values), bootstrap(values, resamples=50, method="percentile")):
        if found.value is not None and found.low is not None and found.high is not None:
            slack = 1e-9 * max(1.0, abs(found.value))
            assert found.low - slack <= found.high + slack
            if found.method != "percentile":
                assert found.low <= found.value + slack
                assert found.value <= found.high + slack


@given(Numbers, st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_bootstrap(values: list[float], seed: int) -> None:
    assert bootstrap(values, resamples=20, seed=seed) == bootstrap(values, resamples=20, seed=seed)


def test_the_bootstrap_takes_any_statistic_of_the_last_axis() -> None:
    values = np.random.default_rng(3).normal(10, 1, 101)
    found = bootstrap(values, statistic=lambda rows: np.quantile(rows, 0.5, axis=-1))
    assert found.value == pytest.approx(float(np.median(values)))
    assert 0.2 < _width(found) < 1.0


def test_the_bootstrap_of_a_skewed_sample_leans_towards_the_tail() -> None:
    values = [0.0] * 30 + [1.0, 2.0, 3.0, 20.0]
    plain, corrected = (bootstrap(values, method=method) for method in ("percentile", "bca"))
    assert plain.high is not None
    assert corrected.high is not None
    assert corrected.high > plain.high


# --- pairs


def test_few_differences_give_the_exact_permutation_p() -> None:
    differences = [0.3, 0.1, -0.2, 0.5, 0.4, 0.0]
    nonzero = [d for d in differences if d]
    sums = [
        abs(sum(s * d for s, d in zip(signs, nonzero, strict=True))) for signs in itertools.product((-1, 1), repeat=5)
    ]
    expected = sum(total >= abs(sum(nonzero)) - 1e-12 for total in sums) / len(sums)
    assert permutation_test(differences) == pytest.approx(expected)


def test_no_difference_at_all_has_p_one() -> None:
    assert permutation_test([]) == permutation_test([0.0] * 10) == 1.0


def test_many_differences_agree_with_the_normal_approximation() -> None:
    differences = np.random.default_rng(5).normal(0.12, 1, 400)
    z = abs(float(differences.sum())) / math.sqrt(float(differences @ differences))
    assert permutation_test(differences) == pytest.approx(2 * (1 - t_cdf(z, 1e9)), abs=0.01)


def test_very_many_differences_use_the_normal_distribution() -> None:
    differences = np.random.default_rng(5).normal(0, 1, 60_000)
    assert permutation_test(differences) == pytest.approx(permutation_test(differences, seed=9))
    assert 0.01 < permutation_test(differences) < 1


def test_groups_flip_together() -> None:
    differences = [1.0] * 12
    assert permutation_test(differences, groups=["a"] * 6 + ["b"] * 6) == 0.5
    assert permutation_test(differences) == pytest.approx(2 / 2**12)


@given(Numbers)
def test_the_direction_does_not_change_the_permutation_p(values: list[float]) -> None:
    assert permutation_test(values, resamples=200) == pytest.approx(
        permutation_test([-v for v in values], resamples=200)
    )


def test_mcnemar_is_the_exact_sign_test() -> None:
    assert mcnemar(10, 2) == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert mcnemar(0, 0) == mcnemar(3, 3) == 1.0
    assert mcnemar(5, 0) == pytest.approx(2 / 2**5)
    assert 0 < mcnemar(5200, 4800) < 1e-4
    with pytest.raises(UsageError, match="cannot be negative"):
        mcnemar(-1, 2)


def test_holm_is_the_published_procedure() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    with pytest.raises(UsageError, match="between 0 and 1"):
        holm([1.2])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(before <= after <= 1 for before, after in zip(p_values, adjusted, strict=True))
    ordered = [after for _, after in sorted(zip(p_values, adjusted, strict=True))]
    assert ordered == sorted(ordered)


def test_a_paired_difference_of_yes_and_no_has_width_even_when_every_pair_changed() -> None:
    found = paired_difference([0.0] * 8, [1.0] * 8)
    assert (found.value, found.high, found.method) == (1.0, 1.0, "bonett-price")
    assert found.low is not None
    assert 0.3 < found.low < 0.9


def test_a_paired_difference_of_figures_is_the_t_interval_of_the_differences() -> None:
    before, after = [0.1, 0.5, 0.3], [0.4, 0.6, 0.8]
    assert paired_difference(before, after) == t_mean([b - a for a, b in zip(before, after, strict=True)])


def test_pairs_must_be_of_one_length() -> None:
    with pytest.raises(UsageError, match="got 1 and 2"):
        paired_difference([1.0], [1.0, 2.0])


# --- power


def test_required_n_is_the_published_example() -> None:
    assert required_n(0.03, 1 / 9) == 969


@given(st.floats(0.01, 10), st.floats(0.001, 10))
def test_required_n_shows_the_effect_it_was_asked_for(effect: float, variance: float) -> None:
    n = required_n(effect, variance)
    assert minimum_detectable_effect(n, variance) <= effect * (1 + 1e-6)
    if n > 2:
        assert minimum_detectable_effect(n - 1, variance) > effect * (1 - 1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: required_n(0, 1),
        lambda: required_n(0.1, -1),
        lambda: required_n(0.1, 1, power=1),
        lambda: minimum_detectable_effect(0, 1),
    ],
)
def test_power_refuses_what_makes_no_sense(wrong: Callable[[], float]) -> None:
    with pytest.raises(UsageError):
        wrong()


# --- simulation: an interval of 95 % must hold the truth 95 times of 100


def _coverage(draw: Callable[[np.random.Generator], Estimate], truth: float, trials: int) -> float:
    random = np.random.default_rng(20240)
    found = [draw(random) for _ in range(trials)]
    return sum(e.low is not None and e.high is not None and e.low <= truth <= e.high for e in found) / trials


def _normal(random: np.random.Generator) -> Estimate:
    return t_mean(random.normal(0.5, 0.2, 15))


def _skewed(random: np.random.Generator) -> Estimate:
    return mean(random.beta(5, 1, 60))


def _clustered(random: np.random.Generator) -> Estimate:
    centres = np.repeat(random.normal(0.5, 0.1, 40), 4)
    return mean(centres + random.normal(0, 0.1, 160), groups=[str(number // 4) for number in range(160)])


def _bootstrapped(random: np.random.Generator) -> Estimate:
    return bootstrap(random.beta(5, 2, 60), resamples=600, seed=int(random.integers(2**31)))


def _pairs_of_figures(random: np.random.Generator) -> Estimate:
    shared = random.normal(0, 0.3, 40)
    return paired_difference(shared + random.normal(0.5, 0.1, 40), shared + random.normal(0.55, 0.1, 40))


def _pairs_of_yes_and_no(random: np.random.Generator) -> Estimate:
    before = random.random(150) < 0.6
    after = np.where(random.random(150) < 0.5, before, random.random(150) < 0.7)
    return paired_difference(before.astype(float), after.astype(float))


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (_normal, 0.5),
        (_skewed, 5 / 6),
        (_clustered, 0.5),
        (_pairs_of_figures, 0.05),
        (_pairs_of_yes_and_no, 0.05),
    ],
)
def test_intervals_hold_the_truth_95_times_of_100(
    draw: Callable[[np.random.Generator], Estimate], truth: float
) -> None:
    assert 0.93 <= _coverage(draw, truth, 2000) <= 0.97


def test_wilson_intervals_hold_the_truth_95_times_of_100_on_average_over_rates() -> None:
    random = np.random.default_rng(7)
    rates: list[float] = random.uniform(0.05, 0.95, 4000).tolist()
    found = [share(random.binomial(60, rate), 60) for rate in rates]
    held = [e.low <= rate <= e.high for e, rate in zip(found, rates, strict=True) if e.low is not None and e.high]
    assert 0.93 <= sum(held) / 4000 <= 0.97


def test_bootstrap_intervals_hold_the_truth_95_times_of_100() -> None:
    assert 0.93 <= _coverage(_bootstrapped, 5 / 7, 800) <= 0.97


def test_false_alarms_of_the_exact_tests_are_at_most_five_in_a_hundred() -> None:
    sizes = np.array([0.1, 0.2, 0.25, 0.4, 0.5, 0.7, 0.8, 1.3, 2.0])
    patterns = list(itertools.product((-1, 1), repeat=len(sizes)))
    alarms = sum(permutation_test(sizes * np.array(signs)) <= 0.05 for signs in patterns)
    assert 0.03 < alarms / len(patterns) <= 0.05
    for n in range(60):
        assert sum(math.comb(n, up) for up in range(n + 1) if mcnemar(up, n - up) <= 0.05) / 2**n <= 0.05


def test_false_alarms_of_the_drawn_permutation_test_are_about_five_in_a_hundred() -> None:
    random = np.random.default_rng(11)
    trials = 600
    skewed = [random.exponential(1, 25) - random.exponential(1, 25) for _ in range(trials)]
    alarms = sum(permutation_test(row, resamples=400, seed=number) <= 0.05 for number, row in enumerate(skewed))
    assert alarms / trials <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / trials)


def test_a_real_effect_is_found_as_often_as_the_power_says() -> None:
    random = np.random.default_rng(13)
    n = required_n(0.05, 0.04)
    found = [t_mean(random.normal(0.05, 0.2, n)) for _ in range(1500)]
    assert 0.76 <= sum(e.low is not None and e.low > 0 for e in found) / 1500 <= 0.84


def _width(found: Estimate) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low
