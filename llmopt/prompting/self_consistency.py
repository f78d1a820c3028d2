"""Several samples and a vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from .._sync import gather_bounded
from .._trace import note, step
from ..errors import ContentFilteredError, ModelOutputError, ModelRefusedError, OutputCutError, UsageError
from ..interfaces import ChatModel, PromptStrategy
from ..interfaces.planning import planned_times
from ..types import Answer, Hit, Planned
from .answers import AnswerKind, normalised, read_answer
from .resampled import Resampled
from .voting import Tally, tally
from .wrapper import Wrapper

__all__ = ["SelfConsistency"]

_ABSTENTION = "(does not know)"
_SPOILT = (ModelOutputError, ModelRefusedError, OutputCutError, ContentFilteredError)


@dataclass(frozen=True, slots=True)
class _Ballot:
    vote: str | None
    answer: Answer | None
    error: Exception | None = None


@dataclass(frozen=True, repr=False)
class SelfConsistency(Wrapper):
    """Asks several times and takes the answer that most replies agree on; the share of votes is the confidence.

    The votes are the answers as the inner strategy reads them, normalised (`normalised`): "The answer is
    18." and "18" agree when the inner strategy reads a number. Replies that say "I don't know" vote
    together for that. Of answers with equally many votes the one that was given first wins. A reply without
    an answer (refused, cut, not in the asked form) is a spoilt vote, which counts in the confidence; when all
    are, the first one's error is raised.

    Samples run side by side. With `early_stop` they run in waves: first a majority, then no more than can
    settle the vote; the winner is the one that all samples would have given. Without it all run at once,
    in the time of one call.

    Source: Wang et al. 2023, "Self-Consistency Improves Chain of Thought Reasoning" (GSM8K +17.9).

    Args:
        inner: Asked in every sample; of one or several calls.
        samples: How many, at most.
        temperature: Of the samples; None leaves the inner strategy's. At 0 they hardly differ.
        early_stop: Stop when the remaining samples cannot change the winner.
        kind: What of the answers is compared: a number, a choice, yes or no, or all of the text.

    Example:
        >>> from llmopt.prompting import Direct
        >>> from llmopt.testing import FakeModel
        >>> model = FakeModel(script=["18", "26", "18"])
        >>> answer = SelfConsistency(Direct(), samples=3, early_stop=False, kind="number").run(model, "How much?")
        >>> answer.text, round(answer.confidence or 0, 2)
        ('18', 0.67)
    """

    inner: PromptStrategy
    samples: int = 5
    temperature: float | None = 0.7
    early_stop: bool = True
    kind: AnswerKind = "text"

    def vote(self, answer: Answer) -> str | None:
        """Return what an answer votes for, None when it is spoilt; equal votes are equal texts. Pure."""
        if answer.outcome == "abstained":
            return _ABSTENTION
        read = read_answer(answer.text, self.kind)
        return None if read is None else normalised(read)

    async def solve(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Answer:
        """Answer by vote.

        Raises:
            UsageError: When `samples` is below 1.
            ModelError: When no sample has an answer: the first one's error.
        """
        if self.samples < 1:
            raise UsageError(f"SelfConsistency: `samples` must be at least 1, got {self.samples}")
        if self.kind not in get_args(AnswerKind):
            raise UsageError(f"SelfConsistency: `kind` is one of {', '.join(get_args(AnswerKind))}, got {self.kind!r}")
        ballots: list[_Ballot] = []

        async def sample(number: int) -> _Ballot:
            return await self._sample(Resampled(model, number, self.samples, self.temperature), question, contexts)

        while True:
            counted = tally([ballot.vote for ballot in ballots], self.samples)
            wave = self._wave(counted)
            if wave == 0:
                return self._elected(ballots, counted)
            numbers = range(len(ballots), len(ballots) + wave)
            ballots += await gather_bounded(sample, numbers, limit=wave)

    def plan(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Sequence[Planned]:
        """Return what all samples take; with `early_stop` it may be less."""
        return planned_times(self.inner.plan(model, question, contexts), self.samples)

    def _wave(self, counted: Tally) -> int:
        left = self.samples - counted.drawn
        if not self.early_stop:
            return left
        return self.samples // 2 + 1 if counted.drawn == 0 else counted.further

    async def _sample(self, model: Resampled, question: str, contexts: Sequence[Hit]) -> _Ballot:
        with step(f"sample {model.number + 1}", self.inner, question) as recorder:
            try:
                answer = await self.inner.solve(model, question, contexts)
            except _SPOILT as error:
                recorder.error = f"{type(error).__name__}: {error}"
                return _Ballot(None, None, error)
            vote = self.vote(answer)
            recorder.output = answer.text
            note("vote", vote)
        spoilt = f"SelfConsistency: the answer {answer.text[:200]!r} holds no {self.kind}"
        return _Ballot(vote, answer, ModelOutputError(spoilt) if vote is None else None)

    def _elected(self, ballots: Sequence[_Ballot], counted: Tally) -> Answer:
        note("votes", counted.counts)
        note("samples", f"{counted.drawn} of {self.samples}")
        spoilt = [ballot.error for ballot in ballots if ballot.error is not None]
        if spoilt:
            note("spoilt", len(spoilt))
        if counted.tied:
            note("tie", f"between {', '.join(counted.tied)}: the one given first wins")
        for ballot in ballots:
            if ballot.answer is not None and ballot.vote is not None and ballot.vote == next(iter(counted.counts)):
                return replace(ballot.answer, confidence=counted.counts[ballot.vote] / counted.drawn)
        raise spoilt[0]
