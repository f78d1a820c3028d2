"""Faithfulness: the share of an answer's claims that its contexts support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..interfaces import Judge, Metric
from ..types import Planned, Sample, Score, Verdict
from .compat import Compat, ragas_faithfulness
from .formulas import share_held
from .inquiry import Inquiry, likely_claims, planned
from .tally import holds, judged_score, undefined

__all__ = ["Faithfulness", "first_claims"]


@dataclass(frozen=True, repr=False)
class Faithfulness(Metric):
    """The share of the answer's claims that can be inferred from its contexts, 0 to 1.

    Undefined, with the reason, where there is nothing to measure: an empty answer, an answer that states
    nothing ("I don't know"), or no contexts at all (never a free 1.0). Claims without a usable verdict are
    left out of the share and lower the coverage; without any verdict the score is failed. Contexts and
    answer are judged as they stand: a faithful answer may still be wrong.

    Args:
        judge: Who splits the answer and verifies the claims: two inquiries a sample.
        fused: Let one inquiry split and verify: cheaper, and the judge sees the contexts while it splits.
        max_claims: Claims beyond this number are not verified and are counted in `details["cut"]` (with
            `fused` they come verified, and all count).
        compat: `ragas`: Ragas's own figure in every edge case (see `RagasJudge`); neither `fused` nor
            `max_claims` counts then.

    Source: Es et al. 2023, "Ragas: Automated Evaluation of Retrieval Augmented Generation".

    Example:
        >>> from llmopt.testing import FakeJudge
        >>> judge = FakeJudge({"It rains.": True, "It is May.": False}, {"Rain in May.": ["It rains.", "It is May."]})
        >>> Faithfulness(judge).score(Sample(question="?", answer="Rain in May.", contexts=["It rains."])).value
        0.5
    """

    judge: Judge
    fused: bool = False
    max_claims: int = 100
    compat: Compat | None = None

    async def measure(self, sample: Sample) -> Score:
        """Split the answer, verify its claims against the contexts, and take the share."""
        if self.compat == "ragas":
            return await ragas_faithfulness(self.judge, sample)
        nothing = self._nothing(sample)
        if nothing:
            return undefined(nothing)
        verdicts, cut = await self._verdicts(sample)
        if not verdicts:
            return undefined("the answer makes no claim that could be checked")
        details: dict[str, object] = {"cut": cut} if cut else {}
        return judged_score(share_held(holds(verdicts)), verdicts, "claims are supported by the contexts", details)

    def plan(self, sample: Sample) -> Sequence[Planned]:
        """Return the inquiries: the split, and the verdicts on as many claims as such an answer makes."""
        if self._nothing(sample) and self.compat is None:
            return ()
        contexts = tuple(sample.contexts)
        if self.fused and self.compat is None:
            asked = [Inquiry(hook="attributed", question=sample.question, text=sample.answer, contexts=contexts)]
        else:
            statements = likely_claims(sample.answer)[: self.max_claims]
            asked = [
                Inquiry(hook="claims", question=sample.question, text=sample.answer),
                Inquiry(hook="supported", statements=statements, contexts=contexts),
            ]
        return planned(self.judge, self.name, asked)

    def _nothing(self, sample: Sample) -> str:
        if not sample.answer.strip():
            return "the answer is empty"
        if not any(context.strip() for context in sample.contexts):
            return "there are no contexts that the answer could be faithful to"
        return ""

    async def _verdicts(self, sample: Sample) -> tuple[list[Verdict], int]:
        if self.fused:
            found = await self.judge.aattribute(sample.question, sample.answer, sample.contexts)
            return found, 0
        claims = await self.judge.asplit(sample.question, sample.answer)
        kept = first_claims(claims, self.max_claims)
        verdicts = await self.judge.averify(kept, sample.contexts) if kept else []
        return verdicts, len(claims) - len(kept)


def first_claims(claims: Sequence[str], most: int) -> list[str]:
    """Return the first claims, `most` of them: a judge that lists thousands must not be paid for all."""
    return list(claims[:most])
