"""The metrics as arithmetic: verdicts in, a figure out; nothing is asked and nothing is paid.

A verdict is True, False, or None for "not judged". Verdicts of None are left out of a figure (the
coverage says how many); where nothing is left the figure is None, never a free 0 or 1. The functions
are plain so that they can be run over millions of verdicts that were collected before.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import lcm

__all__ = ["average_precision", "claim_f", "mean_relevancy", "share_held"]


def share_held(verdicts: Sequence[bool | None]) -> float | None:
    """Return the share of yes among the verdicts given, 0 to 1; None when there is none.

    Faithfulness over the answer's claims, context recall over the reference's statements, context
    utilisation over the contexts.

    Example:
        >>> share_held([True, True, None, False, True]), share_held([None])
        (0.75, None)
    """
    held = judged = 0
    for verdict in verdicts:
        if verdict is not None:
            judged += 1
            held += verdict
    return held / judged if judged else None


def average_precision(verdicts: Sequence[bool | None]) -> float | None:
    """Return the average precision of verdicts in rank order, 0 to 1; None when there is none.

    The mean, over the useful ranks, of the share that is useful up to there; 0 when nothing is useful.
    Ranks without a verdict are taken out of the ranking.

    Example:
        >>> average_precision([True, False, True]), average_precision([False, False])
        (0.8333333333333334, 0.0)
    """
    given = [verdict for verdict in verdicts if verdict is not None]
    if not given:
        return None
    multiple = _multiple(len(given))
    held = total = 0
    for rank, verdict in enumerate(given, 1):
        if verdict:
            held += 1
            total += held * (multiple // rank)
    return total / (multiple * held) if held else 0.0


@lru_cache(maxsize=1024)
def _multiple(ranks: int) -> int:
    """Return the least common multiple of the ranks, so that the mean is exact up to its last rounding."""
    return lcm(*range(1, ranks + 1))


def mean_relevancy(cosines: Sequence[float], noncommittal: Sequence[bool]) -> float | None:
    """Return the mean cosine of the question to the implied ones, -1 to 1; None when there is none.

    It is 0 when every implied question comes with the word that the answer is non-committal.

    Example:
        >>> mean_relevancy([0.9, 0.7], [False, True]), mean_relevancy([0.9, 0.7], [True, True])
        (0.8, 0.0)
    """
    if not cosines:
        return None
    if noncommittal and all(noncommittal):
        return 0.0
    return sum(cosines) / len(cosines)


def claim_f(answer: Sequence[bool | None], reference: Sequence[bool | None], *, beta: float = 1.0) -> float | None:
    """Return the F-measure of an answer's claims against a reference's, 0 to 1.

    Precision is the share of the answer's claims that the reference supports, recall the share of the
    reference's claims that the answer supports, and F their weighted harmonic mean (van Rijsbergen 1979; over
    claims: RAGChecker, Ru et al. 2024). Both are shares of their own side, so that an answer cut into many
    small claims does not outweigh what it leaves out.

    Args:
        answer: Verdicts on the answer's claims; none when it claims nothing: the precision is then 0.
        reference: Verdicts on the reference's claims.
        beta: Weight of recall against precision; above 1 recall counts more.

    Returns:
        The figure; None when one side has claims and no verdict, or when the reference claims nothing.

    Example:
        >>> round(claim_f([True, True, False], [True, False]), 6)
        0.571429
    """
    recall = share_held(reference)
    precision = share_held(answer) if answer else 0.0
    if recall is None or precision is None:
        return None
    weight = beta * beta
    if precision + recall == 0.0:
        return 0.0
    return (1 + weight) * precision * recall / (weight * precision + recall)
