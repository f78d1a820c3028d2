"""Settings with a closed set of values: a word that is none of them is refused before anything is paid."""

from __future__ import annotations

import pytest

from llmopt.errors import UsageError
from llmopt.interfaces import PromptStrategy
from llmopt.prompting import ChainOfThought, Decompose, Direct, ReAct, SelfConsistency, Tool
from llmopt.testing import FakeModel


def clock() -> str:
    """Return the time."""
    return "12:00"


@pytest.mark.parametrize(
    ("strategy", "setting"),
    [
        (ChainOfThought(Direct(), kind="numbr"), "kind"),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        (ChainOfThought(Direct(), calls=3), "calls"),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        (SelfConsistency(Direct(), kind="numbr"), "kind"),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        (Decompose(Direct(), mode="paralel"), "mode"),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        (ReAct([Tool(clock)], protocol="texts"), "protocol"),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    ],
)
def test_a_misspelt_setting_is_refused_before_anything_is_paid(strategy: PromptStrategy, setting: str) -> None:
    model = FakeModel("Answer: 7")
    with pytest.raises(UsageError, match=f"`{setting}`"):
        strategy.run(model, "3 + 4?")
    assert not model.requests
