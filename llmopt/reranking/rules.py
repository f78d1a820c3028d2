"""Reranking by rules that everybody can read: newest first, boosts, bans, thresholds, duplicates, quotas."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import cast

from .._text import words
from .._trace import note
from ..errors import ContractError, UsageError
from ..interfaces import Component, Reranker
from ..types import Hit

__all__ = ["Ban", "Boost", "DropDuplicates", "NewestFirst", "Quota", "Rule", "Rules", "Threshold"]

_LEAST = 0.1  # of a hit in a list with negative scores, so that the last one can still be boosted


class Rule(Component, ABC):
    """One rule. Write `apply`; its parameters are its name in the trace."""

    @abstractmethod
    def apply(self, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> Sequence[float | None]:
        """Return new scores, 0 or more; None drops the hit, and a dropped hit stays dropped.

        `Rules` raises a `ContractError` when the number of scores is another, or one is not finite.
        """


@dataclass(repr=False)
class Rules(Reranker):
    """Applies rules in their order, each to the scores that the one before left.

    The retriever's scores are first divided by the best one (where some are negative: brought to 0.1 to 1), so
    that a factor means the same whatever the retriever. What every rule did stands in the trace.

    Args:
        rules: In the order in which they apply.

    Example:
        >>> from llmopt.types import Document
        >>> old = Hit(Document("old", "x", {"date": "2020-01-01"}), 0.9)
        >>> new = Hit(Document("new", "y", {"date": "2026-01-01"}), 0.8)
        >>> [hit.document.id for hit in Rules([NewestFirst("date", half_life_days=365)]).rerank("q", [old, new])]
        ['new', 'old']
    """

    rules: Sequence[Rule]

    def score(self, query: str, hits: Sequence[Hit]) -> list[float | None]:
        """Apply the rules one after the other."""
        scores: list[float | None] = list(_levelled([hit.score for hit in hits]))
        told: dict[str, list[str]] = {}
        for rule in self.rules:
            before, scores = scores, _applied(rule, query, hits, scores)
            told[repr(rule)] = _changes(hits, before, scores)
        note("rules", told)
        return scores


@dataclass(frozen=True, repr=False)
class NewestFirst(Rule):
    """Halves a hit's score for every half-life that it is older than the newest hit.

    Args:
        field: Metadata field with a date: ISO 8601 text, a date, a datetime, or seconds since 1970.
        half_life_days: Days after which a score has halved.
        weight: 0 to 1; how much of the score is subject to age.
        unknown: Factor of a hit without a readable date.
    """

    field: str = "date"
    half_life_days: float = 180.0
    weight: float = 1.0
    unknown: float = 0.5

    def apply(self, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> list[float | None]:
        """Multiply by the decay."""
        if self.half_life_days <= 0 or not 0 <= self.weight <= 1:
            raise UsageError(f"`{self!r}` needs a positive half-life and a weight from 0 to 1")
        dates = [_seconds(hit.document.metadata.get(self.field)) for hit in hits]
        newest = max((each for each in dates if each is not None), default=0.0)
        return [
            None if score is None else score * self._factor(each, newest)
            for score, each in zip(scores, dates, strict=True)
        ]

    def _factor(self, moment: float | None, newest: float) -> float:
        if moment is None:
            return self.unknown
        decay = 0.5 ** ((newest - moment) / 86_400 / self.half_life_days)
        return 1 - self.weight + self.weight * float(decay)


@dataclass(frozen=True, repr=False)
class Boost(Rule):
    """Multiplies the score of hits whose metadata field has one of the values; a factor below 1 demotes.

    A field that is a list matches when it holds one of the values.
    """

    field: str
    values: Sequence[object]
    factor: float

    def apply(self, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> list[float | None]:
        """Multiply the scores of the hits that match."""
        if self.factor < 0:
            raise UsageError(f"`{self!r}` needs a factor of 0 or more")
        values = _several(self, self.values)
        return [
            score * self.factor if score is not None and _has(hit, self.field, values) else score
            for hit, score in zip(hits, scores, strict=True)
        ]


@dataclass(frozen=True, repr=False)
class Ban(Rule):
    """Drops hits whose metadata field has one of the values, or holds one of them if it is a list."""

    field: str
    values: Sequence[object]

    def apply(self, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> list[float | None]:
        """Drop the hits that match."""
        values = _several(self, self.values)
        return [None if _has(hit, self.field, values) else score for hit, score in zip(hits, scores, strict=True)]


@dataclass(frozen=True, repr=False)
class Threshold(Rule):
    """Drops hits that the retriever scored below `least`, in the retriever's own scale."""

    least: float

    def apply(self, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> list[float | None]:
        """Drop the weak ones."""
        return [None if hit.score < self.least else score for hit, score in zip(hits, scores, strict=True)]


@dataclass(frozen=True, repr=False)
class DropDuplicates(Rule):
    """Drops a hit that has nearly the same words as a better one.

    Args:
        similarity: Share of words in common (Jaccard) from which two texts are the same, above 0, at most 1.
    """

    similarity: float = 0.9

    def apply(self, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> list[float | None]:
        """Keep the best of every group."""
        if not 0 < self.similarity <= 1:
            raise UsageError(f"`{self!r}` needs a similarity above 0 and at most 1")
        kept: list[frozenset[str]] = []
        result = list(scores)
        for place in _best_first(scores):
            found = frozenset(words(hits[place].document.text))
            if any(len(found & other) >= self.similarity * len(found | other) for other in kept):
                result[place] = None
            else:
                kept.append(found)
        return result


@dataclass(frozen=True, repr=False)
class Quota(Rule):
    """Keeps at most so many hits per value of a metadata field; `field=None` counts per whole document."""

    most: int
    field: str | None = None

    def apply(self, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> list[float | None]:
        """Keep the best of every source."""
        if self.most < 1:
            raise UsageError(f"`{self!r}` would drop everything: `most` must be at least 1")
        taken: Counter[str] = Counter()
        result = list(scores)
        for place in _best_first(scores):
            document = hits[place].document
            source = document.source if self.field is None else repr(document.metadata.get(self.field))
            taken[source] += 1
            if taken[source] > self.most:
                result[place] = None
        return result


def _levelled(scores: Sequence[float]) -> list[float]:
    low, high = min(scores), max(scores)
    if low >= 0 and high > 0:
        return [score / high for score in scores]
    if high == low:
        return [1.0] * len(scores)
    return [_LEAST + (1 - _LEAST) * (score - low) / (high - low) for score in scores]


def _best_first(scores: Sequence[float | None]) -> list[int]:
    alive = [(place, score) for place, score in enumerate(scores) if score is not None]
    return [place for place, _ in sorted(alive, key=lambda pair: -pair[1])]


def _applied(rule: Rule, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> list[float | None]:
    found = list(rule.apply(query, hits, scores))
    if len(found) != len(hits):
        raise ContractError(f"`{rule!r}.apply` must return {len(hits)} scores, it returned {len(found)}")
    wrong = next((score for score in found if score is not None and not math.isfinite(score)), None)
    if wrong is not None:
        raise ContractError(f"`{rule!r}.apply` gave a hit the score {wrong}; scores must be finite, None drops a hit")
    return [None if old is None else new for old, new in zip(scores, found, strict=True)]


def _several(rule: Rule, values: Sequence[object]) -> list[object]:
    if isinstance(values, str):
        raise UsageError(f"`{rule!r}` needs a list of values, got one str: wrap it, [{values!r}]")
    return list(values)


def _has(hit: Hit, field: str, values: Sequence[object]) -> bool:
    if field not in hit.document.metadata:
        return False
    found = hit.document.metadata[field]
    if found in values:
        return True
    return isinstance(found, list | tuple | set | frozenset) and any(
        item in values for item in cast("Iterable[object]", found)
    )


def _seconds(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC).timestamp() if isinstance(moment, date) else None


def _changes(hits: Sequence[Hit], before: Sequence[float | None], after: Sequence[float | None]) -> list[str]:
    shown: Mapping[bool, str] = {True: "dropped", False: ""}
    return [
        f"{hit.document.id}: {shown[new is None] or f'{old:.3g} -> {new:.3g}'}"
        for hit, old, new in zip(hits, before, after, strict=True)
        if old != new
    ]
