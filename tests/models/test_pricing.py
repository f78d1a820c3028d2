from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import UsageError
from llmopt.models.pricing import Price, price_of
from llmopt.types import Usage

TOKENS = st.integers(0, 200_000)
DOLLARS = st.floats(0, 500)


def test_the_price_of_a_usage_adds_input_and_output() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=500_000, calls=100)
    assert Price(2.0, 8.0).of(usage) == pytest.approx(6.0)


def test_input_from_the_providers_cache_is_cheaper() -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=400_000, calls=100)
    assert Price(2.0, 8.0, cached_input=0.5).of(usage) == pytest.approx(1.4)


def test_without_a_cached_price_cached_input_costs_as_much_as_other_input() -> None:
    assert Price(2.0, 8.0).of(Usage(1_000_000, cached_tokens=400_000, calls=10)) == pytest.approx(2.0)


def test_more_cached_tokens_than_input_never_make_a_negative_price() -> None:
    assert Price(2.0, 8.0, cached_input=0.5).of(Usage(input_tokens=10, cached_tokens=50, calls=1)) == pytest.approx(
        5e-6
    )


def test_a_prompt_long_enough_for_the_cache_pays_for_being_written_to_it() -> None:
    price = Price(2.0, 8.0, cached_input=0.2, cache_write=2.5)
    assert price.of(Usage(input_tokens=1_023, calls=1)) == pytest.approx(1_023 * 2.0e-6)
    assert price.of(Usage(input_tokens=1_024, calls=1)) == pytest.approx(1_024 * 2.5e-6)


def test_a_prompt_beyond_the_limit_pays_double_for_input_and_half_more_for_output() -> None:
    price = Price(2.0, 8.0, long_prompt=100)
    assert price.of(Usage(100, 10, calls=1)) == pytest.approx((100 * 2 + 10 * 8) / 1e6)
    assert price.of(Usage(101, 10, calls=1)) == pytest.approx((101 * 2 * 2 + 10 * 8 * 1.5) / 1e6)
    assert price.of(Usage(200, 20, calls=2)) == pytest.approx((200 * 2 + 20 * 8) / 1e6)


@given(a=st.tuples(TOKENS, TOKENS), b=st.tuples(TOKENS, TOKENS), dear=DOLLARS, cheap=DOLLARS)
def test_more_tokens_never_cost_less(a: tuple[int, int], b: tuple[int, int], dear: float, cheap: float) -> None:
    price = Price(dear, cheap, cached_input=0.0, cache_write=1.25 * dear, long_prompt=50_000)
    less, more = price.of(Usage(*a, calls=1)), price.of(Usage(a[0] + b[0], a[1] + b[1], calls=1))
    assert 0 <= less <= more * (1 + 1e-12)


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_a_price_that_is_none_is_refused_with_its_name(wrong: float) -> None:
    with pytest.raises(UsageError, match="`output`"):
        Price(1.0, wrong)


def test_a_dated_snapshot_costs_what_its_family_costs() -> None:
    assert price_of("gpt-5-mini-2025-08-07") == price_of("gpt-5-mini") == Price(0.25, 2.0, 0.025)


def test_a_snapshot_with_a_price_of_its_own_keeps_it() -> None:
    assert price_of("gpt-4o-2024-05-13") == Price(5.0, 15.0)
    assert price_of("gpt-4o-2024-11-20") == Price(2.5, 10.0, 1.25)


@pytest.mark.parametrize(
    "name",
    ["ft:gpt-4.1-mini", "ft:gpt-4.1-mini-2025-04-14:acme::B5x", "ft:gpt-4.1-mini-2025-04-14:acme:tax:B5x:ckpt-step-80"],
)
def test_a_fine_tuned_model_has_the_price_of_fine_tuned_ones(name: str) -> None:
    assert price_of(name) == Price(0.8, 3.2, 0.2)


@pytest.mark.parametrize(
    "name",
    ["", "llama3.2", "openai/gpt-5", "gpt-5-chat-latest", "gpt-6", "ft:gpt-5-mini:acme::x", "ft:", "gpt-4.1-mini-2025"],
)
def test_an_unknown_name_has_no_price(name: str) -> None:
    assert price_of(name) is None


def test_embeddings_cost_by_input_alone() -> None:
    price = price_of("text-embedding-3-small")
    assert price is not None
    assert price.of(Usage(input_tokens=1_000_000, calls=1)) == pytest.approx(0.02)
