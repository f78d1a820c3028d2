"""Context precision and recall: did retrieval bring what the answer needs, and did it rank it first?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..interfaces import Judge, Metric
from ..types import Need, Planned, Sample, Score
from .compat import Compat, ragas_precision, ragas_recall
from .formulas import average_precision, share_held
from .inquiry import Inquiry, planned
from .tally import holds, judged_score, undefined

__all__ = ["ContextPrecision", "ContextRecall"]


@dataclass(frozen=True, repr=False)
class ContextPrecision(Metric):
    """The average precision of "was this context useful?" in rank order, 0 to 1.

    Useful means: to arrive at the reference, or at the answer where the sample has no reference
    (`details["target"]` says which). 1 when every useful context stands above every other, 0 when none is
    useful. Undefined without contexts, or with neither reference nor answer.

    Args:
        judge: Who judges all contexts in one inquiry.
        compat: `ragas`: Ragas's own figure in every edge case (see `RagasJudge`).

    Source: Ragas (Es et al. 2023), which asks once per context; average precision without its epsilon.

    Example:
        >>> from llmopt.testing import FakeJudge
        >>> sample = Sample(question="?", reference="r", contexts=["good", "bad", "fair"])
        >>> ContextPrecision(FakeJudge({"good": True, "bad": False, "fair": True})).score(sample).value
        0.8333333333333334
    """

    judge: Judge
    compat: Compat | None = None

    async def measure(self, sample: Sample) -> Score:
        """Judge the contexts and take the average precision."""
        if self.compat == "ragas":
            return await ragas_precision(self.judge, sample)
        target, name = _target(sample)
        nothing = _nothing(sample, target)
        if nothing:
            return undefined(nothing)
        verdicts = await self.judge.arate(sample.question, target, sample.contexts)
        value = average_precision(holds(verdicts))
        return judged_score(value, verdicts, f"contexts are useful to arrive at the {name}", {"target": name})

    def plan(self, sample: Sample) -> Sequence[Planned]:
        """Return one inquiry over all contexts."""
        target, _ = _target(sample)
        if _nothing(sample, target):
            return ()
        contexts = tuple(sample.contexts)
        asked = Inquiry(hook="useful", question=sample.question, text=target, contexts=contexts)
        return planned(self.judge, self.name, [asked])


@dataclass(frozen=True, repr=False)
class ContextRecall(Metric):
    """The share of the reference's statements that can be attributed to the contexts, 0 to 1.

    0 without contexts. Undefined when the reference is empty or states nothing. Statements without a
    usable verdict are left out of the share and lower the coverage.

    Args:
        judge: Who splits the reference and attributes its statements, in one inquiry.
        compat: `ragas`: Ragas's own figure in every edge case (see `RagasJudge`).

    Source: Es et al. 2023, "Ragas: Automated Evaluation of Retrieval Augmented Generation".

    Example:
        >>> from llmopt.testing import FakeJudge
        >>> judge = FakeJudge({"a": True, "b": False}, {"a and b": ["a", "b"]})
        >>> ContextRecall(judge).score(Sample(question="?", reference="a and b", contexts=["a"])).value
        0.5
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    judge: Judge
    compat: Compat | None = None

    async def measure(self, sample: Sample) -> Score:
        """Attribute the reference's statements to the contexts and take the share."""
        if self.compat == "ragas":
            return await ragas_recall(self.judge, sample)
        reference = sample.reference or ""
        if not reference.strip():
            return undefined("the reference is empty")
        if not any(context.strip() for context in sample.contexts):
            return Score(0.0, "there are no contexts: nothing of the reference was found", details={"n": 0})
        verdicts = await self.judge.aattribute(sample.question, reference, sample.contexts)
        if not verdicts:
            return undefined("the reference makes no statement that could be looked for")
        value = share_held(holds(verdicts))
        return judged_score(value, verdicts, "statements of the reference are in the contexts")

    def plan(self, sample: Sample) -> Sequence[Planned]:
        """Return one inquiry."""
        reference, contexts = sample.reference or "", tuple(sample.contexts)
        empty = not reference.strip() or not any(context.strip() for context in contexts)
        if empty and self.compat is None:
            return ()
        asked = Inquiry(hook="attributed", question=sample.question, text=reference, contexts=contexts)
        return planned(self.judge, self.name, [asked])


def _target(sample: Sample) -> tuple[str, str]:
    if sample.reference is not None and sample.reference.strip():
        return sample.reference, "reference"
    return sample.answer, "answer"


def _nothing(sample: Sample, target: str) -> str:
    if not sample.contexts:
        return "there are no contexts to rank"
    if not target.strip():
        return "there is neither a reference nor an answer that a context could be useful for"
    return ""
