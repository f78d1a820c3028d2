"""A judge without a model: offline, free, fast, and a stopgap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .._replies import is_noncommittal
from .._text import words
from ..interfaces import Embedder, Judge
from ..types import ImpliedQuestion, Verdict
from .statements import implied_questions, statements
from .support import Evidence, Support, content_stems, evidence_of, probability, support_of

__all__ = ["HeuristicJudge"]

_MOST_SHOWN = 5


@dataclass(frozen=True, repr=False)
class HeuristicJudge(Judge):
    """A judge of rules and a small linear model over words, names, numbers and negation; it understands nothing.

    A stopgap to get going offline, in tests and in demos. It sees whether a claim is made of the contexts'
    words, not whether it says what they say: "Rome is the capital of France" passes where Rome, capital and
    France stand in one sentence, and a good paraphrase fails. Replace it by a `ModelJudge` (or an NLI judge)
    before a figure decides something, and calibrate that one too. Measured against human labels in
    `docs/judges.md`. Deterministic; English and Chinese; other languages by their words alone.

    Args:
        embedder: Lets the closeness in meaning count when claims are verified. The weights for it were fitted
            with all-MiniLM-L6-v2; embedders whose cosines lie otherwise shift the probabilities.
        threshold: Probability from which a claim counts as supported, 0 to 1.
        useful_from: Share of target and question that a useful context covers, weighted by rarity, 0 to 1.

    Example:
        >>> judge = HeuristicJudge()
        >>> [v.holds for v in judge.verify(["Cats sleep 15 hours.", "Dogs bark."], ["Cats sleep 15 hours a day."])]
        [True, False]
    """

    embedder: Embedder | None = None
    threshold: float = 0.5
    useful_from: float = 0.5

    def claims(self, question: str, answer: str) -> list[str]:
        """Return the sentences that state something, long ones cut into clauses."""
        return statements(answer)

    def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        """Return verdicts with a probability, by how far the contexts cover each claim."""
        evidence = evidence_of(contexts)
        distances = self._distances(claims, evidence)
        pairs = zip(claims, distances, strict=True)
        return [self._verdict(claim, support_of(claim, evidence), distance) for claim, distance in pairs]

    def useful(self, question: str, target: str, contexts: Sequence[str]) -> list[Verdict]:
        """Return verdicts by the share of the target's and the question's words that each context holds."""
        evidence = evidence_of(contexts)
        asked = content_stems(question)
        told = [stem for stem in content_stems(target) if stem not in set(asked)] or content_stems(target)
        found: list[Verdict] = []
        for context in contexts:
            held = set(content_stems(context))
            shares = [
                evidence.weight(s for s in side if s in held) / (evidence.weight(side) or 1.0) for side in (asked, told)
            ]
            share = sum(shares) / 2 if asked else shares[1]
            reason = f"holds {share:.0%} of the words of question and target, by weight"
            found.append(Verdict(context, share >= self.useful_from, reason, min(1.0, share)))
        return found

    def questions(self, answer: str, count: int) -> list[ImpliedQuestion]:
        """Return questions made of the answer's statements by templates."""
        noncommittal = is_noncommittal(answer)
        return [ImpliedQuestion(question, noncommittal) for question in implied_questions(answer, count)]

    def attributed(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
        """Return the reference's statements with verdicts as in `supported`."""
        return self.supported(self.claims(question, reference), contexts)

    def _distances(self, claims: Sequence[str], evidence: Evidence) -> list[float | None]:
        """Return 1 less each claim's cosine to the closest sentence, by one request; None without an embedder."""
        if self.embedder is None:
            return [None] * len(claims)
        if not claims or not evidence.texts:
            return [1.0] * len(claims)
        rows = self.embedder.encode([*claims, *evidence.texts], kind="document")
        closest = (rows[: len(claims)] @ rows[len(claims) :].T).max(axis=1)
        return [1.0 - float(cosine) for cosine in closest]

    def _verdict(self, claim: str, support: Support, distance: float | None) -> Verdict:
        if not words(claim):
            return Verdict(claim, None, "there are no words in it")
        chance = probability(support, distance)
        return Verdict(claim, chance >= self.threshold, _reason(support), chance)


def _reason(support: Support) -> str:
    parts = [f"{1 - support.uncovered:.0%} of its content is in one sentence of the contexts"]
    if support.missing:
        shown = ", ".join(support.missing[:_MOST_SHOWN])
        parts.append(f"nowhere: {shown}" + (" ..." if len(support.missing) > _MOST_SHOWN else ""))
    if support.negation:
        parts.append("claim and sentence differ in negation")
    return "; ".join(parts)
