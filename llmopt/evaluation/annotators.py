"""How far annotators agree with each other: what a judge can at best agree with."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from .._stats import Estimate, share
from ..errors import UsageError
from .agreement import cohen_kappa
from .annotation import Annotation

__all__ = ["AnnotatorAgreement", "annotator_agreement", "krippendorff_alpha", "nominal", "squared"]

_RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class AnnotatorAgreement:
    """How far people agree on the items that two or more of them labelled.

    Attributes:
        annotators: How many there are.
        items: Items with two labels or more.
        agreement: Share of pairs of labels of one item that are equal, with Wilson's interval over the items.
        alpha: Krippendorff's alpha with its bootstrap interval over items: 1 for perfect, 0 for chance;
            no figure when everybody always says the same one thing.
        kappas: Cohen's kappa of each two annotators over what both labelled; None where it has no value.
    """

    annotators: int
    items: int
    agreement: Estimate
    alpha: Estimate
    kappas: Mapping[tuple[str, str], float | None] = field(default_factory=dict[tuple[str, str], float | None])

    def __str__(self) -> str:
        """Write it in a few lines."""
        lines = [f"{self.annotators} annotators, {self.items} items with two labels or more"]
        lines.append(f"agreement {self.agreement}, Krippendorff's alpha {self.alpha}")
        for (first, second), kappa in self.kappas.items():
            lines.append(f"{first} and {second}: kappa {'-' if kappa is None else f'{kappa:.3f}'}")
        return "\n".join(lines)


def nominal(first: Hashable, second: Hashable) -> float:
    """Return how far two labels without an order are apart: 0 or 1."""
    return float(first != second)


def squared(first: Hashable, second: Hashable) -> float:
    """Return how far two grades are apart, squared; the labels must read as numbers.

    Raises:
        UsageError: When one does not.
    """
    try:
        return (float(str(first)) - float(str(second))) ** 2
    except ValueError as error:
        raise UsageError(f"grades must read as numbers, got {first!r} and {second!r}") from error


def krippendorff_alpha(
    labels: Iterable[Sequence[Hashable]], *, distance: Callable[[Hashable, Hashable], float] = nominal
) -> float | None:
    """Return Krippendorff's alpha of items that any number of people labelled.

    Args:
        labels: Per item the labels that it got; items with fewer than two say nothing.
        distance: How far two labels are apart: `nominal`, or `squared` for grades.

    Returns:
        1 for perfect agreement, 0 for chance, below 0 for less; None when nothing can be compared or all
        labels are the same.

    Source: Krippendorff (2019), Content Analysis, 4th edition, section 12.3.

    Example:
        >>> round(krippendorff_alpha([["a", "a"], ["b", "b"], ["a", "b"], ["b", "b"]]), 3)
        0.533
    """
    units = [Counter(item) for item in labels if len(item) > 1]
    total = sum((unit for unit in units), Counter[Hashable]())
    n = sum(total.values())
    if n < 2:
        return None
    expected = _apart(total, distance) / (n - 1)
    observed = sum(_apart(unit, distance) / (sum(unit.values()) - 1) for unit in units)
    return 1 - observed / expected if expected else None


def annotator_agreement(
    annotations: Iterable[Annotation],
    *,
    distance: Callable[[Hashable, Hashable], float] = nominal,
    seed: int = 0,
) -> AnnotatorAgreement:
    """Return how far people agree.

    Args:
        annotations: What they said, as `read_annotations` returns it.
        distance: How far two labels are apart: `nominal`, or `squared` for grades.
        seed: For the bootstrap.

    Raises:
        UsageError: When no item has two labels.
    """
    by_item: defaultdict[tuple[str, frozenset[str]], dict[str, str]] = defaultdict(dict)
    for said in annotations:
        by_item[said.sample, frozenset((said.system, said.other))][said.annotator] = _label(said)
    units = [list(labels.values()) for labels in by_item.values() if len(labels) > 1]
    if not units:
        raise UsageError("no item has labels of two annotators: let them overlap on at least 30 items")
    people = sorted({person for labels in by_item.values() for person in labels})
    kappas = {pair: _kappa(by_item.values(), *pair) for pair in combinations(people, 2)}
    same = sum(_equal_pairs(unit) for unit in units)
    return AnnotatorAgreement(
        len(people),
        len(units),
        agreement=_scaled(same / len(units), len(units)),
        alpha=_alpha(units, distance, seed),
        kappas={pair: kappa for pair, (kappa, count) in kappas.items() if count},
    )


def _label(said: Annotation) -> str:
    """Return the label; of two answers which of the two, for by their names chance would seem to agree too rarely."""
    if not said.other or said.label not in {said.system, said.other}:
        return said.label
    return "first by name" if said.label == min(said.system, said.other) else "second by name"


def _alpha(units: Sequence[Sequence[str]], distance: Callable[[Hashable, Hashable], float], seed: int) -> Estimate:
    value = krippendorff_alpha(units, distance=distance)
    if value is None or len(units) < 2:
        return Estimate(value, None, None, len(units))
    random = np.random.default_rng(seed)
    drawn = (
        krippendorff_alpha([units[place] for place in random.integers(0, len(units), len(units))], distance=distance)
        for _ in range(_RESAMPLES)
    )
    low, high = np.quantile([alpha for alpha in drawn if alpha is not None], [0.025, 0.975]).tolist()
    return Estimate(value, min(value, low), max(value, high), len(units), "percentile")


def _apart(labels: Counter[Hashable], distance: Callable[[Hashable, Hashable], float]) -> float:
    """The distances of all ordered pairs, added up."""
    return 2 * sum(
        labels[first] * labels[second] * distance(first, second) for first, second in combinations(labels, 2)
    )  # fmt: skip


def _equal_pairs(labels: Sequence[str]) -> float:
    pairs = list(combinations(labels, 2))
    return sum(first == second for first, second in pairs) / len(pairs)


def _scaled(rate: float, n: int) -> Estimate:
    """Wilson's interval for a mean of shares: never narrower than it should be."""
    whole = share(round(rate * n), n)
    return Estimate(rate, min(rate, whole.low or 0.0), max(rate, whole.high or 0.0), n, "wilson")


def _kappa(items: Iterable[Mapping[str, str]], first: str, second: str) -> tuple[float | None, int]:
    both = [(labels[first], labels[second]) for labels in items if first in labels and second in labels]
    return cohen_kappa([one for one, _ in both], [other for _, other in both]), len(both)
