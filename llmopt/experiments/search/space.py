"""The combinations of a space of changes, and the pipelines that they make."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ...errors import UsageError
from ...evaluation.table import shortened
from ...interfaces import Component
from ...interfaces.config import described
from ...pipeline import Pipeline
from ..difference import differences
from ..variation import has_path, value_at, varied

__all__ = ["Choice", "Drawn", "Workshop", "draw"]

Choice: TypeAlias = tuple[tuple[str, int], ...]
"""Per path, the number of the value in its list; a path that stays as it is in the baseline is not in it."""

_WIDEST = 40
_TRIES_PER_DRAW = 50


@dataclass(frozen=True, slots=True)
class Drawn:
    """The combinations to be tried.

    Attributes:
        choices: Each once; single changes first.
        possible: How many combinations the space has.
    """

    choices: Sequence[Choice]
    possible: int


def draw(space: Mapping[str, Sequence[object]], most: int, seed: int) -> Drawn:
    """Return all combinations of the space, or where there are too many: every single change, and others at random.

    Where even the single changes are too many, as many of them, drawn at random.
    """
    possible = math.prod(len(values) + 1 for values in space.values()) - 1
    if possible <= most:
        numbers = [[None, *range(len(values))] for values in space.values()]
        every = [_choice(space, combination) for combination in itertools.product(*numbers)]
        return Drawn(sorted((choice for choice in every if choice), key=len), possible)
    chance = random.Random(seed)
    single: list[Choice] = [((path, number),) for path, values in space.items() for number in range(len(values))]
    found = dict.fromkeys(single if len(single) <= most else chance.sample(single, most))
    for _ in range(_TRIES_PER_DRAW * most):
        if len(found) >= most:
            break
        choice = _choice(space, [chance.choice([None, *range(len(values))]) for values in space.values()])
        if choice:
            found[choice] = None
    return Drawn(list(found), possible)


def _choice(space: Mapping[str, Sequence[object]], numbers: Sequence[int | None]) -> Choice:
    return tuple((path, number) for path, number in zip(space, numbers, strict=True) if number is not None)


class Workshop:
    """Makes the pipelines of choices; a slot that several of them share is made once.

    Args:
        baseline: Where everything begins.
        space: By path, the values; those that the baseline has already are left out.

    Raises:
        UsageError: When a path is not in the baseline and is no slot either, or nothing is left to try.
    """

    def __init__(self, baseline: Pipeline, space: Mapping[str, Sequence[object]]) -> None:
        self._baseline = baseline
        self.space = {path: values for path, given in space.items() if (values := _news(baseline, path, given))}
        if not self.space:
            raise UsageError(f"the space {sorted(space)} has no value that the baseline does not have already")
        self._slots: dict[tuple[str, Choice], object] = {}

    async def pipeline(self, choice: Choice) -> Pipeline:
        """Return the baseline with the choice's values in it.

        Raises:
            LlmoptError: When a part cannot be made, or the parts do not go together.
        """
        if not choice:
            return self._baseline
        slots = dict.fromkeys(path.partition(".")[0] for path, _ in choice)
        made = {slot: await self._slot(slot, choice) for slot in slots}
        return self._baseline.but(**made)

    def name(self, choice: Choice) -> str:
        """Return the choice in one line."""
        return ", ".join(f"{path}={self.shown(path, number)}" for path, number in choice)

    def shown(self, path: str, number: int) -> str:
        """Return a value in a few words, told from others of the same beginning."""
        texts = [shortened(repr(value), _WIDEST) for value in self.space[path]]
        return texts[number] if texts.count(texts[number]) == 1 else f"{texts[number]} (no. {number + 1})"

    async def _slot(self, slot: str, choice: Choice) -> object:
        own = tuple((path, number) for path, number in choice if path.partition(".")[0] == slot)
        if own == ((slot, own[0][1]),):
            return self.space[slot][own[0][1]]
        if (slot, own) not in self._slots:
            changes = {path: self.space[path][number] for path, number in own}
            self._slots[slot, own] = value_at(await varied(self._baseline, changes), slot)
        return self._slots[slot, own]


def _news(baseline: Pipeline, path: str, given: Sequence[object]) -> list[object]:
    """Return the values that are new, each once."""
    if isinstance(given, str):
        raise UsageError(f"the space's values for {path!r} must be a list, got the text {given!r}")
    slot, _, inside = path.partition(".")
    value_at(baseline, slot)
    known = [] if inside and not has_path(baseline, path) else [value_at(baseline, path)]
    before = len(known)
    for value in given:
        if not any(_same(value, each) for each in known):
            known.append(value)
    return known[before:]


def _same(one: object, other: object) -> bool:
    if isinstance(one, Component) and isinstance(other, Component):
        return not differences(one, other)  # retrievers over other documents are others
    return described(one) == described(other)
