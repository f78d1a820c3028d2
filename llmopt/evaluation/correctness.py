"""Answer correctness: does the answer say what the reference says?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from .._replies import is_noncommittal
from .._tokens import count_tokens
from ..interfaces import Embedder, Judge, Metric
from ..types import Need, Planned, Sample, Score, Usage, Verdict
from .faithfulness import first_claims
from .formulas import claim_f
from .inquiry import Inquiry, likely_claims, planned, told
from .relevancy import Abstention
from .tally import Tally, holds, undefined

__all__ = ["AnswerCorrectness", "SemanticSimilarity"]


@dataclass(frozen=True, slots=True)
class _Sides:
    """The verdicts on the claims of both sides, and how many claims were cut off."""

    answer: list[Verdict]
    reference: list[Verdict]
    cut: int


@dataclass(frozen=True, repr=False)
class AnswerCorrectness(Metric):
    """The F-measure of the answer's claims against the reference's, 0 to 1.

    The answer's claims are verified against the question with the reference (true or false positives), and
    the reference's claims against the question with the answer (what is missing there is a false negative);
    the figure is the harmonic mean of both shares. An answer without a claim scores 0 where the reference
    makes one. Undefined when the reference is empty or claims nothing, except as the policy on abstentions
    says.

    Args:
        judge: Four inquiries a sample; the split of the answer is the one of `Faithfulness` and is paid
            once by a judge that remembers.
        beta: Weight of recall against precision; above 1 recall counts more.
        abstention: What an answer is worth that says it does not know: the sample is marked `abstained` or,
            where it is not marked, the answer claims nothing or plainly says so. `reward`: it is right, 1,
            exactly where the sample is marked `answerable=False`, and there an answer that claims something
            is wrong, 0; elsewhere an abstention is 0. `zero`: always 0. `exclude`: undefined.
        max_claims: Claims beyond this number, on either side, are not verified; `details["cut"]` counts them.

    Source: claim-level precision and recall as in RAGChecker (Ru et al. 2024).

    Example:
        >>> from llmopt.testing import FakeJudge
        >>> judge = FakeJudge({"a": True, "b": False}, {"a. b.": ["a", "b"]})
        >>> round(AnswerCorrectness(judge).score(Sample(question="?", answer="a. b.", reference="a")).value, 4)
        0.6667
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    judge: Judge
    beta: float = 1.0
    abstention: Abstention = "reward"
    max_claims: int = 100

    async def measure(self, sample: Sample) -> Score:
        """Split both sides, verify each against the other, and take the F-measure."""
        if not sample.answer.strip():
            return undefined("the answer is empty")
        if sample.abstained:
            return self._abstained(sample)
        unanswerable = sample.answerable is False and self.abstention == "reward"
        if not unanswerable and not _reference(sample).strip():
            return undefined("the reference is empty")
        claims = await self.judge.asplit(sample.question, sample.answer)
        if sample.abstained is None and (not claims or is_noncommittal(sample.answer)):
            return self._abstained(sample)
        if unanswerable:
            return Score(0.0, "the question is marked unanswerable and the answer answers it", details={"n": 0})
        return self._scored(await self._sides(sample, claims))

    def plan(self, sample: Sample) -> Sequence[Planned]:
        """Return two splits and two verifications."""
        answer, reference = sample.answer, _reference(sample)
        if not answer.strip() or sample.abstained:
            return ()
        asked = [Inquiry(hook="claims", question=sample.question, text=answer)]
        if sample.answerable is not False or self.abstention != "reward":
            if not reference.strip():
                return ()
            asked += [
                Inquiry(
                    hook="supported",
                    statements=likely_claims(answer)[: self.max_claims],
                    contexts=(told(sample.question, reference),),
                ),
                Inquiry(hook="claims", question=sample.question, text=reference),
                Inquiry(
                    hook="supported",
                    statements=likely_claims(reference)[: self.max_claims],
                    contexts=(told(sample.question, answer),),
                ),
            ]
        return planned(self.judge, self.name, asked)

    async def _sides(self, sample: Sample, claims: Sequence[str]) -> _Sides:
        reference = _reference(sample)

        async def verified(found: Sequence[str], against: str) -> list[Verdict]:
            kept = first_claims(found, self.max_claims)
            return await self.judge.averify(kept, [told(sample.question, against)]) if kept else []

        async def other() -> tuple[list[Verdict], int]:
            stated = await self.judge.asplit(sample.question, reference)
            return await verified(stated, sample.answer), max(0, len(stated) - self.max_claims)

        ours, (theirs, cut) = await asyncio.gather(verified(claims, reference), other())
        return _Sides(ours, theirs, cut + max(0, len(claims) - self.max_claims))

    def _scored(self, sides: _Sides) -> Score:
        if not sides.reference:
            return undefined("the reference makes no claim that could be looked for")
        ours, theirs = Tally.of(sides.answer), Tally.of(sides.reference)
        both = Tally(ours.asked + theirs.asked, ours.judged + theirs.judged, ours.held + theirs.held)
        details = {
            **both.details(),
            "true_positives": ours.held,
            "false_positives": ours.judged - ours.held,
            "false_negatives": theirs.judged - theirs.held,
            **({"cut": sides.cut} if sides.cut else {}),
        }
        verdicts = (*_marked(sides.answer, "answer"), *_marked(sides.reference, "reference"))
        value = claim_f(holds(sides.answer), holds(sides.reference), beta=self.beta)
        if value is None:
            return Score(None, "the judge gave no usable verdict on one of the sides", "failed", verdicts, details)
        reason = (
            f"{ours.held} of {ours.judged} claims of the answer are in the reference, {theirs.held} of {theirs.judged} "
            "claims of the reference are in the answer"
        )
        if both.judged < both.asked:
            reason += f"; {both.asked - both.judged} of {both.asked} could not be judged"
        return Score(value, reason, "scored", verdicts, details)

    def _abstained(self, sample: Sample) -> Score:
        details: dict[str, object] = {"abstained": True, "policy": self.abstention}
        if self.abstention == "exclude":
            return Score(None, "the answer abstains and the policy leaves it out", "undefined", details=details)
        if self.abstention == "reward" and sample.answerable is False:
            return Score(1.0, "the answer is right to abstain: the question is marked unanswerable", details=details)
        return Score(0.0, "the answer abstains", details=details)


@dataclass(frozen=True, repr=False)
class SemanticSimilarity(Metric):
    """The cosine between the embeddings of answer and reference, -1 to 1.

    Cheap and blunt: opposite statements are often close. Undefined when one of them is empty or its
    embedding is a zero vector.

    Args:
        embedder: Embeds both in one request.

    Example:
        >>> from llmopt.testing import FakeEmbedder
        >>> sample = Sample(question="?", answer="a cat", reference="a cat")
        >>> round(SemanticSimilarity(FakeEmbedder()).score(sample).value, 6)
        1.0
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    embedder: Embedder

    async def measure(self, sample: Sample) -> Score:
        """Embed answer and reference and take the cosine."""
        empty = _empty_side(sample)
        if empty:
            return undefined(f"the {empty} is empty")
        rows = await self.embedder.aencode([sample.answer, _reference(sample)], kind="document")
        wide = np.asarray(rows, np.float64)
        if not wide.any(axis=1).all():
            which = "answer" if not wide[0].any() else "reference"
            return undefined(f"the embedding of the {which} is a zero vector, which has no direction")
        return Score(float(wide[0] @ wide[1]), "cosine of answer and reference")

    def plan(self, sample: Sample) -> Sequence[Planned]:
        """Return one embedding request."""
        if _empty_side(sample):
            return ()
        usage = Usage(count_tokens(sample.answer).count + count_tokens(_reference(sample)).count, calls=1)
        return [Planned(f"{self.name}: embeddings", usage, self.embedder.price(usage))]


def _reference(sample: Sample) -> str:
    return sample.reference or ""


def _empty_side(sample: Sample) -> str:
    if not sample.answer.strip():
        return "answer"
    return "" if _reference(sample).strip() else "reference"


def _marked(verdicts: Sequence[Verdict], side: str) -> list[Verdict]:
    return [replace(verdict, reason=f"{side}: {verdict.reason}") for verdict in verdicts]
