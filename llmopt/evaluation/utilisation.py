"""Context utilisation: how much of what was retrieved did the answer use?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..interfaces import Judge, Metric
from ..types import Planned, Sample, Score
from .formulas import share_held
from .inquiry import Inquiry, planned
from .tally import holds, judged_score, undefined

__all__ = ["ContextUtilisation"]


@dataclass(frozen=True, repr=False)
class ContextUtilisation(Metric):
    """The share of the contexts that were useful to arrive at the answer, 0 to 1.

    It answers "can we bring back less?": 0.05 with k = 20 says that one context in twenty is used. Order
    does not count (see `ContextPrecision` for that, and note that Ragas calls an average precision
    "context utilization"). Undefined without contexts, for an empty answer, and for a sample that is marked
    as an abstention: that says nothing of how many contexts an answer needs.

    Args:
        judge: Who judges all contexts in one inquiry; it is the inquiry of `ContextPrecision` where the
            sample has no reference, and is then paid once by a judge that remembers.

    Example:
        >>> from llmopt.testing import FakeJudge
        >>> sample = Sample(question="?", answer="a", contexts=["x", "y"])
        >>> ContextUtilisation(FakeJudge({"x": True, "y": False})).score(sample).value
        0.5
    """

    judge: Judge

    async def measure(self, sample: Sample) -> Score:
        """Judge the contexts against the answer and take the share."""
        nothing = _nothing(sample)
        if nothing:
            return undefined(nothing)
        verdicts = await self.judge.arate(sample.question, sample.answer, sample.contexts)
        used = sum(verdict.holds is True for verdict in verdicts)
        details: dict[str, object] = {"used": used, "last_used_rank": _last(holds(verdicts))}
        return judged_score(share_held(holds(verdicts)), verdicts, "contexts were used by the answer", details)

    def plan(self, sample: Sample) -> Sequence[Planned]:
        """Return one inquiry over all contexts."""
        if _nothing(sample):
            return ()
        contexts = tuple(sample.contexts)
        asked = Inquiry(hook="useful", question=sample.question, text=sample.answer, contexts=contexts)
        return planned(self.judge, self.name, [asked])


def _nothing(sample: Sample) -> str:
    if not sample.contexts:
        return "there are no contexts that could be used"
    if not sample.answer.strip():
        return "the answer is empty"
    return "the sample is marked as an abstention, which uses no context" if sample.abstained else ""


def _last(verdicts: Sequence[bool | None]) -> int:
    return max((rank for rank, verdict in enumerate(verdicts, 1) if verdict), default=0)
