"""Cutting examples into a set to train on and one to validate on, without leaks between them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from .._text import words
from ..errors import UsageError
from ..types import Example

__all__ = ["Split", "split_examples"]


@dataclass(frozen=True, slots=True)
class Split:
    """The two sets; each keeps the order of the examples."""

    training: tuple[Example, ...]
    validation: tuple[Example, ...]


def split_examples(examples: Sequence[Example], *, validation: float = 0.2, seed: int = 0) -> Split:
    """Return the examples in two sets; those of one group, or with the same question, stay together.

    Groups are drawn in a random order, and put into the validation set as long as it is not full, so its
    size may be off by the size of a group.

    Args:
        examples: At least two.
        validation: The share to validate on, between 0 and 1.
        seed: Of the random order.

    Raises:
        UsageError: When the share is not between 0 and 1, or all examples are of one group.

    Example:
        >>> from llmopt.types import Message
        >>> examples = [
        ...     Example((Message("user", f"{n}?"), Message("assistant", "yes")), group=str(n % 5)) for n in range(10)
        ... ]
        >>> split = split_examples(examples, validation=0.4)
        >>> len(split.validation), {e.group for e in split.training} & {e.group for e in split.validation}
        (4, set())
    """
    if not 0 < validation < 1:
        raise UsageError(f"split_examples: `validation` is a share between 0 and 1, got {validation}")
    if not examples:
        raise UsageError("split_examples: there are no examples to split")
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for place, example in enumerate(examples):
        groups[example.group or _question(example)].append(place)
    if len(groups) < 2:
        raise UsageError(
            f"split_examples: all {len(examples)} examples belong to one group, so no cut is without a leak: "
            "add examples of other groups"
        )
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    wanted = max(1, round(validation * len(examples)))
    held: set[int] = set()
    for name in order[:-1]:
        if len(held) + len(groups[name]) <= max(wanted, len(groups[name]) if not held else 0):
            held.update(groups[name])
    return Split(
        tuple(example for place, example in enumerate(examples) if place not in held),
        tuple(example for place, example in enumerate(examples) if place in held),
    )


def _question(example: Example) -> str:
    asked = (message.content for message in example.messages[:-1] if message.role == "user")
    return "question: " + " ".join(words("\n".join(asked)))
