"""Answer relevancy: does the answer reply to the question that was asked?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from .._tokens import count_tokens
from ..interfaces import Embedder, Judge, Metric
from ..types import ImpliedQuestion, Matrix, Planned, Sample, Score, Usage, Verdict
from .compat import Compat, ragas_relevancy
from .formulas import mean_relevancy
from .inquiry import Inquiry, planned
from .tally import undefined

__all__ = ["Abstention", "AnswerRelevancy"]

Abstention: TypeAlias = Literal["zero", "exclude", "reward"]
"""What an answer that says it does not know is worth."""

_QUESTION_TOKENS = 30


@dataclass(frozen=True, repr=False)
class AnswerRelevancy(Metric):
    """The mean cosine between the question and the questions that the answer would answer, -1 to 1.

    An answer abstains when the sample says so (`abstained`) or when the judge calls it non-committal with
    every implied question; then the policy decides, and `details["abstained"]` is true. Undefined for an
    empty answer and where an embedding is a zero vector.

    Args:
        judge: Who implies the questions (it does not see the question): one inquiry a sample.
        embedder: Embeds question and implied questions in one request.
        count: How many questions are implied.
        abstention: What "I don't know" is worth. `zero`: 0, as in Ragas. `exclude`: undefined, and so out
            of the mean. `reward`: 1 where the sample is marked `answerable=False`, else 0. An answer to an
            unanswerable question keeps its cosine: relevancy does not say whether it is true.
        compat: `ragas`: Ragas's own figure in every edge case (see `RagasJudge`); two embedding requests,
            and `abstention` does not count then.

    Source: Es et al. 2023, "Ragas: Automated Evaluation of Retrieval Augmented Generation".

    Example:
        >>> from llmopt.testing import FakeEmbedder, FakeJudge
        >>> judge = FakeJudge(implied={"Paris.": [ImpliedQuestion("What is the capital of France?")] * 3})
        >>> sample = Sample(question="What is the capital of France?", answer="Paris.")
        >>> round(AnswerRelevancy(judge, FakeEmbedder()).score(sample).value, 6)
        1.0
    """

    judge: Judge
    embedder: Embedder
    count: int = 3
    abstention: Abstention = "zero"
    compat: Compat | None = None

    async def measure(self, sample: Sample) -> Score:
        """Imply questions, embed them with the sample's own, and take the mean cosine."""
        if self.compat == "ragas":
            return await ragas_relevancy(self.judge, self.embedder, sample, self.count)
        if not sample.answer.strip():
            return undefined("the answer is empty")
        if sample.abstained:
            return self._abstained(sample, "the sample is marked as an abstention", ())
        implied = await self.judge.aimply(sample.answer, count=self.count)
        usable = [question for question in implied if question.question.strip()]
        if not usable:
            return Score(None, f"the judge implied none of {self.count} questions from the answer", "failed")
        if all(question.noncommittal for question in usable):
            return self._abstained(sample, "the judge calls the answer non-committal", usable)
        texts = [sample.question, *(question.question for question in usable)]
        return self._scored(await self.embedder.aencode(texts, kind="query"), usable)

    def plan(self, sample: Sample) -> Sequence[Planned]:
        """Return one inquiry and one embedding request."""
        if self.compat is None and (not sample.answer.strip() or sample.abstained):
            return ()
        asked = planned(self.judge, self.name, [Inquiry(hook="questions", text=sample.answer, count=self.count)])
        tokens = count_tokens(sample.question).count + self.count * _QUESTION_TOKENS
        usage = Usage(tokens, calls=1 if self.compat is None else 2)
        return [*asked, Planned(f"{self.name}: embeddings", usage, self.embedder.price(usage))]

    def _abstained(self, sample: Sample, why: str, implied: Sequence[ImpliedQuestion]) -> Score:
        details: dict[str, object] = {"abstained": True, "policy": self.abstention, "n": self.count}
        if self.abstention == "exclude":
            return Score(
                None, f"the answer abstains ({why}) and the policy leaves it out", "undefined", details=details
            )
        right = self.abstention == "reward" and sample.answerable is False
        value = "is right to abstain: the question is marked unanswerable" if right else "abstains"
        return Score(float(right), f"the answer {value} ({why})", "scored", _shown(implied, ()), details)

    def _scored(self, rows: Matrix, implied: Sequence[ImpliedQuestion]) -> Score:
        directed = _directed(rows)
        kept = [number for number in range(len(implied)) if directed[1 + number]]
        coverage = min(1.0, len(kept) / self.count)
        details = {"abstained": False, "n": self.count, "judged": len(kept), "coverage": coverage}
        if not directed[0] or not kept:
            which = "every implied question" if directed[0] else "the question"
            return undefined(f"the embedding of {which} is a zero vector, which has no direction", details)
        cosines = [float(cosine) for cosine in rows[1:].astype(np.float64) @ rows[0].astype(np.float64)]
        value = mean_relevancy([cosines[n] for n in kept], [implied[n].noncommittal for n in kept])
        shown = ", ".join(f"{cosines[n]:.2f} {implied[n].question[:80]!r}" for n in kept)
        return Score(value, f"implied questions: {shown}", "scored", _shown(implied, cosines), details)


def _directed(rows: Matrix) -> list[bool]:
    return [bool(np.any(row)) for row in rows]


def _shown(implied: Sequence[ImpliedQuestion], cosines: Sequence[float]) -> tuple[Verdict, ...]:
    """Return the implied questions as verdicts on the answer's commitment, with the cosine as the reason."""
    reasons = [f"cosine {cosine:.4f}" for cosine in cosines] or ["non-committal"] * len(implied)
    pairs = zip(implied, reasons, strict=True)
    return tuple(Verdict(question.question, not question.noncommittal, reason) for question, reason in pairs)
