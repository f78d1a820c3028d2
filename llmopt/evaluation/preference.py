"""Which system people prefer: Bradley-Terry strengths on the scale of Elo, with intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .._stats import Estimate
from .._stats.estimate import Floats
from ..errors import UsageError
from .annotation import TIE, Annotation
from .table import Table

__all__ = ["Preference", "Ranking", "preferences_of", "rank_systems"]

_SCALE = 400 / math.log(10)
_MIDDLE = 1000.0
_RESAMPLES = 1000
_MOST_STEPS = 100
_LONGEST_STEP = 1.0
_PRECISION = 1e-10


@dataclass(frozen=True, slots=True)
class Preference:
    """Two systems met on a sample.

    Attributes:
        first: One of them.
        second: The other.
        winner: The one that was preferred; empty for a tie.
        sample: The sample's id: what people say on one sample is not independent.
    """

    first: str
    second: str
    winner: str
    sample: str = ""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Systems by strength.

    Attributes:
        ratings: Per system, best first: its rating with a 95 % interval. The mean rating is 1000; 400 points
            more are ten to one odds to be preferred.
        wins: Per system, how often it was preferred, ties counting half.
        meetings: How many preferences there are.
    """

    ratings: dict[str, Estimate]
    wins: dict[str, float]
    meetings: int

    def chance(self, first: str, second: str) -> float:
        """Return the chance that `first` is preferred to `second`, ties counting half, 0 to 1.

        Raises:
            UsageError: When one of them is not in the ranking.
        """
        for name in (first, second):
            if name not in self.ratings:
                raise UsageError(f"the ranking has no system {name!r}; it has {', '.join(self.ratings)}")
        one, other = self.ratings[first].value or 0.0, self.ratings[second].value or 0.0
        return 1 / (1 + math.exp((other - one) / _SCALE))

    def __str__(self) -> str:
        """Draw the table."""
        rows = [
            [name, f"{e.value:.0f}", f"[{e.low:.0f}, {e.high:.0f}]", f"{self.wins[name]:g}/{e.n}"]
            for name, e in self.ratings.items()
        ]
        caption = f"{self.meetings} preferences"
        return str(Table(("system", "rating", "95 % interval", "won"), rows, numbers=3, caption=caption))


def preferences_of(annotations: Iterable[Annotation]) -> list[Preference]:
    """Return the preferences among annotations of pairs; others are left out."""
    return [
        Preference(said.system, said.other, "" if said.label == TIE else said.label, said.sample)
        for said in annotations
        if said.other
    ]


def rank_systems(preferences: Sequence[Preference], *, seed: int = 0) -> Ranking:
    """Return the systems by their Bradley-Terry strength, which does not depend on the order of the meetings.

    A tie is half a win for both. Every two systems that met get half a win each on top, so that one that
    won always has a finite rating. The intervals are bootstrapped over samples.

    Args:
        preferences: Who met whom, and who was preferred.
        seed: For the bootstrap.

    Raises:
        UsageError: When there are none, a winner took no part, or some systems never met, directly or
            through others, so that they cannot be compared.

    Source: Bradley and Terry (1952), Biometrika 39. Elo's own sequential update would depend on the order.

    Example:
        >>> met = [Preference("new", "old", "new", str(n)) for n in range(3)] + [Preference("new", "old", "old", "3")]
        >>> ranking = rank_systems(met)
        >>> list(ranking.ratings), round(ranking.chance("new", "old"), 2)
        (['new', 'old'], 0.7)
    """
    names = sorted({name for met in preferences for name in (met.first, met.second)})
    _check(preferences, names)
    by_sample: defaultdict[str, Floats] = defaultdict(lambda: np.zeros((len(names), len(names))))
    places = {name: place for place, name in enumerate(names)}
    for number, met in enumerate(preferences):
        _count(by_sample[met.sample or f"\0{number}"], met, places)
    counts = np.stack(list(by_sample.values()))
    whole: Floats = counts.sum(axis=0)
    prior = np.where(whole + whole.T > 0, 0.5, 0.0)
    ratings = _fitted(whole + prior)
    drawn = _fitted(_resampled(counts, seed) + prior) if len(counts) > 1 else ratings[None, :]
    lows, highs = np.quantile(drawn, [0.025, 0.975], axis=0)
    order = sorted(range(len(names)), key=lambda place: (-ratings[place], names[place]))
    played = (whole + whole.T).sum(axis=1)
    return Ranking(
        {names[p]: _estimate(ratings[p], lows[p], highs[p], round(float(played[p]))) for p in order},
        {names[p]: float(whole[p].sum()) for p in order},
        len(preferences),
    )


def _estimate(value: float, low: float, high: float, n: int) -> Estimate:
    return Estimate(float(value), float(min(value, low)), float(max(value, high)), n, "percentile")


def _check(preferences: Sequence[Preference], names: Sequence[str]) -> None:
    if not preferences:
        raise UsageError("there are no preferences to rank by")
    for met in preferences:
        if met.winner not in {"", met.first, met.second} or met.first == met.second:
            raise UsageError(
                f"{met.first!r} met {met.second!r} and the winner is {met.winner!r}: it must be one of two"
            )
    reached, waiting = {names[0]}, [names[0]]
    neighbours: defaultdict[str, set[str]] = defaultdict(set)
    for met in preferences:
        neighbours[met.first].add(met.second)
        neighbours[met.second].add(met.first)
    while waiting:
        new = neighbours[waiting.pop()] - reached
        reached |= new
        waiting += new
    if len(reached) < len(names):
        apart = next(name for name in names if name not in reached)
        raise UsageError(f"{names[0]!r} and {apart!r} never met, not even through others: they cannot be compared")


def _count(wins: Floats, met: Preference, places: dict[str, int]) -> None:
    first, second = places[met.first], places[met.second]
    for winner, loser, name in ((first, second, met.first), (second, first, met.second)):
        wins[winner, loser] += 0.5 if not met.winner else float(met.winner == name)


def _resampled(counts: Floats, seed: int) -> Floats:
    """The matrices of wins of as many bootstrap samples as the intervals need."""
    random = np.random.default_rng(seed)
    draws = random.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=_RESAMPLES)
    return np.tensordot(draws.astype(np.float64), counts, axes=1)


def _solved(matrices: Floats, right: Floats) -> Floats:
    found = np.linalg.solve(matrices, right[..., None]).astype(np.float64)
    return found[..., 0]


def _fitted(wins: Floats) -> Floats:
    """Ratings from matrices of wins (row over column) in the last two axes, by Newton's method."""
    size = wins.shape[-1]
    met = wins + np.swapaxes(wins, -1, -2)
    won = wins.sum(axis=-1)
    strength: Floats = np.zeros(wins.shape[:-1])
    for _ in range(_MOST_STEPS):
        chance = 1 / (1 + np.exp(strength[..., None, :] - strength[..., :, None]))
        slope = won - (met * chance).sum(axis=-1)
        bend: Floats = -met * chance * (1 - chance)
        bend[..., range(size), range(size)] -= bend.sum(axis=-1)
        # A constant added to all strengths changes nothing; the ones keep the sum at 0.
        step = _solved(bend + 1.0, slope)
        strength = strength + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if float(np.abs(step).max()) < _PRECISION:
            break
    return _MIDDLE + _SCALE * strength
