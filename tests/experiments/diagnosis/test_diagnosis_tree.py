"""The tree of causes: every branch, in the order in which the questions are asked."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.experiments.diagnosis import AXIS_OF, Cause
from llmopt.experiments.diagnosis.tree import Fault, Observed, Place, Right, cause_of

WRONG = Right(current=False, gold=False, none=False)
LOST = Right(current=False, gold=True, none=False)
UNKNOWN = Right(current=False, gold=None, none=False)


@pytest.mark.parametrize(
    ("right", "seen", "cause"),
    [
        (WRONG, Observed(failure="ModelUnavailableError: down"), "error"),
        (WRONG, Observed(failure="ModelOutputError: no JSON"), "format"),
        (WRONG, Observed(failure="ModelRefusedError: no"), "refusal"),
        (Right(current=True, gold=True), Observed(place="not fetched"), "noise"),
        (Right(current=False, gold=True, none=True), Observed(place="not fetched"), "distracting"),
        (LOST, Observed(place="missing from corpus"), "missing from corpus"),
        (LOST, Observed(place="cut by chunking"), "cut by chunking"),
        (LOST, Observed(place="not fetched"), "not fetched"),
        (LOST, Observed(place="ranked below k"), "ranked below k"),
        (LOST, Observed(place="in the prompt"), "drowned"),
        (LOST, Observed(place="lost"), "context, place unknown"),
        (LOST, Observed(), "context, place unknown"),
        (LOST, Observed(place="in the prompt", guessed=True), "context, place unknown"),
        (WRONG, Observed(), "reasoning"),
        (WRONG, Observed(fault="format"), "format"),
        (WRONG, Observed(fault="instruction"), "instruction"),
        (WRONG, Observed(fault="refusal"), "refusal"),
        (WRONG, Observed(supported=True), "suspect label"),
        (WRONG, Observed(supported=True, fault="instruction"), "instruction"),
        (WRONG, Observed(guessed=True), "undetermined"),
        (UNKNOWN, Observed(), "undetermined"),
        (UNKNOWN, Observed(fault="format"), "format"),
        (UNKNOWN, Observed(place="lost"), "context, place unknown"),
        (UNKNOWN, Observed(place="missing from corpus"), "missing from corpus"),
        (UNKNOWN, Observed(place="in the prompt", fault="refusal"), "refusal"),
        (UNKNOWN, Observed(place="in the prompt"), "undetermined"),
        (UNKNOWN, Observed(answerable=False), "instruction"),
        (Right(current=False, none=True), Observed(answerable=False), "instruction"),
        (UNKNOWN, Observed(answerable=False, supported=True), "suspect label"),
        (UNKNOWN, Observed(answerable=False, fault="refusal"), "undetermined"),
    ],
)
def test_the_first_cause_that_fits_is_taken(right: Right, seen: Observed, cause: Cause) -> None:
    assert cause_of(right, seen).cause == cause


def test_behaviour_mentions_a_passage_that_is_lost_as_well() -> None:
    assert "the passage is lost: not fetched" in cause_of(WRONG, Observed(place="not fetched")).reason


verdicts = st.sampled_from([True, False, None])


@given(
    st.builds(Right, verdicts, verdicts, verdicts),
    st.builds(
        Observed,
        failure=st.sampled_from(["", "TimeoutError: late"]),
        place=st.sampled_from(get_args(Place)),
        fault=st.sampled_from(get_args(Fault)),
        supported=st.booleans(),
        answerable=verdicts,
        guessed=st.booleans(),
    ),
)
def test_there_is_always_one_known_cause_with_a_reason(right: Right, seen: Observed) -> None:
    ruling = cause_of(right, seen)
    assert ruling.cause in AXIS_OF
    assert ruling.reason


@given(st.builds(Observed, place=st.sampled_from(get_args(Place)), fault=st.sampled_from(get_args(Fault))))
def test_what_is_right_with_the_gold_passages_and_wrong_now_lies_on_the_context_axis(seen: Observed) -> None:
    assert AXIS_OF[cause_of(LOST, seen).cause] == "context"
