"""The figures of Ragas 0.4.3, edge case for edge case, for those who move over with `compat="ragas"`.

Where Ragas has NaN there is an undefined score with the reason. What the exact mode refuses is done here
as Ragas does it: missing verdicts shrink the denominator, empty contexts are judged all the same, and an
epsilon of 1e-10 keeps a perfect context precision just below 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from .._sync import call
from .._trace import step
from ..interfaces import Embedder, Judge
from ..types import Sample, Score, Verdict
from .formulas import share_held
from .tally import Tally, holds, undefined

__all__ = [
    "Compat",
    "ragas_faithfulness",
    "ragas_precision",
    "ragas_precision_value",
    "ragas_recall",
    "ragas_relevancy",
]

Compat: TypeAlias = Literal["ragas"]
"""Whose figures a metric reproduces."""

_EPSILON = 1e-10


def ragas_precision_value(verdicts: Sequence[bool]) -> float:
    """Return the average precision with Ragas's epsilon in the denominator; 0 without verdicts.

    Example:
        >>> ragas_precision_value([True]), ragas_precision_value([True, False]), ragas_precision_value([])
        (0.9999999999, 0.9999999999, 0.0)
    """
    numerator = sum(sum(verdicts[: rank + 1]) / (rank + 1) for rank, verdict in enumerate(verdicts) if verdict)
    return float(numerator / (sum(verdicts) + _EPSILON))


async def ragas_faithfulness(judge: Judge, sample: Sample) -> Score:
    """Return supported verdicts over verdicts returned; undefined without claims or verdicts."""
    with step("claims", judge, sample.answer) as recorder:
        recorder.output = claims = list(await call(judge.claims, sample.question, sample.answer))
    if not claims:
        return undefined("the judge found no statement in the answer")
    with step("supported", judge, claims) as recorder:
        recorder.output = verdicts = list(await call(judge.supported, claims, sample.contexts))
    return _share(verdicts, {"claims": len(claims)})


async def ragas_relevancy(judge: Judge, embedder: Embedder, sample: Sample, count: int) -> Score:
    """Return the mean cosine, 0 when all questions are non-committal; undefined where Ragas has NaN."""
    with step("questions", judge, sample.answer) as recorder:
        recorder.output = implied = list(await call(judge.questions, sample.answer, count))
    noncommittal = all(question.noncommittal for question in implied)
    details: dict[str, object] = {"n": len(implied), "abstained": noncommittal}
    verdicts = tuple(Verdict(question.question, not question.noncommittal) for question in implied)
    if all(not question.question for question in implied):
        return Score(None, "every implied question is empty", "undefined", verdicts, details)
    asked = await embedder.aencode([sample.question], kind="query")
    rows = await embedder.aencode([question.question for question in implied], kind="document")
    if not asked.any() or not all(bool(np.any(row)) for row in rows):
        return Score(None, "an embedding is a zero vector", "undefined", verdicts, details)
    cosines = rows.astype(np.float64) @ asked[0].astype(np.float64)
    value = 0.0 if noncommittal else float(cosines.mean())
    return Score(value, "mean cosine as in Ragas", "scored", verdicts, details)


async def ragas_precision(judge: Judge, sample: Sample) -> Score:
    """Return the average precision with epsilon; 0 without contexts, and then nobody is asked."""
    target = sample.answer if sample.reference is None else sample.reference
    verdicts: list[Verdict] = []
    if sample.contexts:
        verdicts = await judge.arate(sample.question, target, sample.contexts)
    given = [verdict for verdict in holds(verdicts) if verdict is not None]
    return Score(
        ragas_precision_value(given), _reason(verdicts), "scored", tuple(verdicts), Tally.of(verdicts).details()
    )


async def ragas_recall(judge: Judge, sample: Sample) -> Score:
    """Return attributed statements over statements returned; undefined when none is."""
    verdicts = await judge.aattribute(sample.question, sample.reference or "", sample.contexts)
    return _share(verdicts, {})


def _share(verdicts: Sequence[Verdict], details: dict[str, object]) -> Score:
    shown = {**Tally.of(verdicts).details(), **details}
    value = share_held(holds(verdicts))
    if value is None:
        return Score(None, "the judge returned no verdict", "undefined", tuple(verdicts), shown)
    return Score(value, _reason(verdicts), "scored", tuple(verdicts), shown)


def _reason(verdicts: Sequence[Verdict]) -> str:
    tally = Tally.of(verdicts)
    return f"{tally.held} of {tally.judged} verdicts are yes, as in Ragas"
