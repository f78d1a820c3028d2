"""From noisy readings to what is so: which conditions a pipeline is right under, and with what chance.

A pipeline that is right nine times of ten is wrong now and then, and one that guesses is right now and then:
counting labels that were read off three repeats gives biased shares. So the labels are not counted but
inferred. Every sample has a chance of being right under each condition; "right" means a chance above a
half. The readings are binomial in the chances; how the chances are spread is learnt from all the samples
together (a mixture over a grid, with a weight for each combination of conditions in each stratum). Gibbs
sampling draws from what the readings leave possible.

Source: latent class analysis of error-prone readings, Dawid and Skene (1979), Applied Statistics 28; by
data augmentation, Diebolt and Robert (1994), JRSS B 56.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from ..._stats.estimate import Floats
from .finding import Cause, Condition
from .tree import Right

__all__ = ["CONDITIONS", "Case", "Inferred", "Reading", "infer"]

Counts: TypeAlias = npt.NDArray[np.int64]

CONDITIONS: Final[tuple[Condition, ...]] = ("current", "gold", "none")

_CHAINS, _BURNT, _KEPT = 16, 80, 120
_GRID = np.array([[0.01, 0.1, 0.25, 0.4], [0.99, 0.9, 0.75, 0.6]])  # chances below and above a half
_PRIOR = np.array([1.0, 0.7, 0.4, 0.2])  # most readers are of one mind about most questions
# The eight combinations of (current, gold, none), and how likely each is before anything is read.
_STATES = np.array([[state >> bit & 1 for bit in range(3)] for state in range(8)])
_WEIGHTS = np.array([0.5, 0.125, 0.5, 0.125, 0.25, 0.125, 0.25, 0.125])


@dataclass(frozen=True, slots=True)
class Reading:
    """How often a sample was read under one condition, and how often it was right."""

    right: int = 0
    times: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """A failed sample as the statistics see it.

    Attributes:
        readings: Per condition, in the order of `CONDITIONS`.
        possible: Per condition, whether it can be known at all; else its verdict is None.
        causes: The cause for each of the eight combinations of verdicts.
        stratum: Samples of one stratum fail in like ways.
    """

    readings: tuple[Reading, Reading, Reading]
    possible: tuple[bool, bool, bool]
    causes: tuple[Cause, ...]
    stratum: str

    @property
    def verdicts(self) -> list[Right]:
        """The eight combinations, with None for what cannot be known."""
        return [_verdicts(state, self.possible) for state in range(8)]


@dataclass(frozen=True, slots=True)
class Inferred:
    """What the readings say.

    Attributes:
        counts: Per cause, how many of the cases have it, once per draw.
        chances: Per case, the chance of each of the eight combinations.
    """

    counts: dict[Cause, Counts]
    chances: Floats


def infer(cases: Sequence[Case], *, exact: bool, seed: int = 0) -> Inferred:
    """Return how many cases have each cause, as draws from what the readings leave possible.

    Args:
        cases: The failed samples.
        exact: Whether one reading tells, as of a pipeline that always says the same.
        seed: Of the draws.
    """
    if not cases:
        return Inferred({}, np.zeros((0, 8)))
    if exact:
        chances = np.array([_settled(case) for case in cases])
        pairs = zip(cases, chances, strict=True)
        told = Counter[Cause](case.causes[int(np.argmax(row))] for case, row in pairs)
        settled: dict[Cause, Counts] = {cause: np.array([count]) for cause, count in told.items()}
        return Inferred(settled, chances)
    patterns = Counter(cases)
    return _Sampler(list(patterns), list(patterns.values()), seed).run(cases)


def _settled(case: Case) -> Floats:
    """Return certainty for the combination that the readings say, by majority; what was not read is wrong."""
    bits = (int(2 * reading.right > reading.times) for reading in case.readings)
    state = sum(bit << place for place, bit in enumerate(bits))
    certain: Floats = np.eye(8)[state]
    return certain


def _verdicts(state: int, possible: tuple[bool, bool, bool]) -> Right:
    known = [bool(state >> bit & 1) if possible[bit] else None for bit in range(3)]
    return Right(current=known[0], gold=known[1], none=known[2])


class _Sampler:
    """Gibbs sampling over patterns of readings, several chains side by side."""

    def __init__(self, patterns: Sequence[Case], counts: Sequence[int], seed: int) -> None:
        self._patterns = patterns
        self._counts = np.array(counts)
        self._random = np.random.default_rng(seed)
        strata = {key: number for number, key in enumerate(dict.fromkeys(map(_stratum, patterns)))}
        self._stratum = np.array([strata[_stratum(case)] for case in patterns])
        self._allowed = np.array([_allowed(case.possible) for case in patterns])
        self._prior = np.array([_WEIGHTS @ _collapse(possible) for possible, _ in strata])
        # How likely each pattern's readings are for each chance of the grid: [condition, pattern, side, chance].
        self._likely = np.array([[_likelihood(case.readings[bit]) for case in patterns] for bit in range(3)])

    def run(self, cases: Sequence[Case]) -> Inferred:
        weights = np.repeat((self._prior / self._prior.sum(-1, keepdims=True))[None], _CHAINS, axis=0)
        spread = np.broadcast_to(_PRIOR / _PRIOR.sum(), (_CHAINS, 3, 2, 4)).copy()
        mean = np.zeros((len(self._patterns), 8))
        drawn: list[Counts] = []
        for turn in range(_BURNT + _KEPT):
            chances = self._chances(weights, spread)
            states = self._random.multinomial(self._counts, chances)
            weights, spread = self._weights(states), self._spread(states, spread)
            if turn >= _BURNT:
                mean += chances.mean(axis=0) / _KEPT
                drawn.append(states)
        place = {case: number for number, case in enumerate(self._patterns)}
        return Inferred(self._by_cause(np.concatenate(drawn)), mean[[place[case] for case in cases]])

    def _chances(self, weights: Floats, spread: Floats) -> Floats:
        """Return the chance of each combination: [chain, pattern, state]."""
        sides = np.einsum("bpsg,cbsg->cbps", self._likely, spread)
        odds = weights[:, self._stratum] * self._allowed
        for bit in range(3):
            odds = odds * sides[:, bit][:, :, _STATES[:, bit]]
        return _shares(odds)

    def _weights(self, states: Counts) -> Floats:
        alpha = np.repeat(self._prior[None], _CHAINS, axis=0)
        for number in range(len(self._prior)):
            alpha[:, number] += states[:, self._stratum == number].sum(axis=1)
        return _shares(self._random.gamma(np.maximum(alpha, 1e-12)))

    def _spread(self, states: Counts, spread: Floats) -> Floats:
        """Draw how the chances are spread, below and above a half, under each condition."""
        alpha = np.broadcast_to(_PRIOR, (_CHAINS, 3, 2, 4)).copy()
        for bit in range(3):
            for side in range(2):
                members = states[:, :, _STATES[:, bit] == side].sum(axis=-1)
                odds = self._likely[bit][None, :, side] * spread[:, bit, side][:, None]
                read = self._likely[bit][:, side].min(axis=-1) < 1  # what was not read tells nothing
                alpha[:, bit, side] += self._random.multinomial(members[:, read], _shares(odds[:, read])).sum(axis=1)
        return _shares(self._random.gamma(alpha))

    def _by_cause(self, states: Counts) -> dict[Cause, Counts]:
        counts: dict[Cause, Counts] = {}
        for number, case in enumerate(self._patterns):
            for state, cause in enumerate(case.causes):
                if self._allowed[number, state]:
                    empty = np.zeros(len(states), np.int64)
                    counts[cause] = counts.get(cause, empty) + states[:, number, state]
        return counts


def _shares(weights: Floats) -> Floats:
    total: Floats = weights.sum(axis=-1, keepdims=True)
    return weights / total


def _stratum(case: Case) -> tuple[tuple[bool, bool, bool], str]:
    return case.possible, case.stratum


def _allowed(possible: tuple[bool, bool, bool]) -> list[bool]:
    """Return which combinations there are: what cannot be known is wrong in all of them."""
    return [all(known or not bit for known, bit in zip(possible, row, strict=True)) for row in _STATES.tolist()]


def _collapse(possible: tuple[bool, bool, bool]) -> Floats:
    """Return the matrix that adds each combination's weight to the one it becomes."""
    mask = sum(1 << bit for bit in range(3) if possible[bit])
    return np.array([np.eye(8)[state & mask] for state in range(8)])


def _likelihood(reading: Reading) -> Floats:
    wrong = reading.times - reading.right
    found: Floats = _GRID**reading.right * (1 - _GRID) ** wrong
    return found
