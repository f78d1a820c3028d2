"""Test sets from documents: a model writes questions with answers, and a filter drops those that test nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from .._progress import progress_bar
from .._sync import call, run_sync
from .._trace import record
from ..errors import UsageError
from ..interfaces import ChatModel, Component, Judge
from ..types import Document, Options, Planned, Sample
from .drafting import Drafting
from .generated import Dropped, GeneratedSamples
from .generation_drafts import Drawing, draw_passages
from .generation_prompts import QuestionKind
from .model_judge import ModelJudge
from .plan import Plan, add_planned
from .row import Spent

__all__ = ["SampleGenerator"]

_MIX: Mapping[QuestionKind, float] = MappingProxyType(
    {"single_fact": 4, "multi_hop": 2, "comparison": 1, "unanswerable": 1}
)


@dataclass(frozen=True, repr=False)
class SampleGenerator(Component):
    """Has a model write a test set from your documents: question, reference, gold, category, answerability.

    Each question is written from one passage, or from two that are related, and then has to pass a filter. It
    is dropped when it speaks of "the text", when it is nearly the same as an earlier one, when the model cannot
    answer it from its passages or answers otherwise than the reference says, when one of two passages is
    enough, and when the model answers it from memory alone: then it would not tell whether anything was
    found. An "unanswerable" question is dropped when its passage or its neighbours do answer it. What was
    dropped comes back with the reason.

    Questions of a model are easier than those of users and share words with their passages: read some, and
    mix in real ones as soon as there are any.

    Args:
        model: Writes, and answers for the filter.
        kinds: How many of each kind, as shares.
        judge: Says whether an answer says what the reference says; None: a `ModelJudge` with the same model.
        instructions: Who asks and how, in your words ("Customers of a bank, in a hurry").
        drop_known: Whether questions are dropped that the model answers from memory.
        spare: Drafts beyond the number of samples wanted that may be written in place of dropped ones, as a
            share of it.
        longest: Characters of a passage that the model sees.
        options: How the model is asked.
        concurrency: Drafts under way at a time.

    Example:
        >>> from llmopt.evaluation import HeuristicJudge
        >>> from llmopt.testing import FakeModel
        >>> replies = [
        ...     '{"question": "How long do cats sleep?", "answer": "15 hours a day."}',
        ...     '{"answer": "15 hours a day.", "found": true, "used": [1], "clear": true}',
        ... ]
        >>> generator = SampleGenerator(
        ...     FakeModel(script=replies), {"single_fact": 1}, HeuristicJudge(), drop_known=False
        ... )
        >>> (sample,) = generator.generate([Document("cats", "Cats sleep 15 hours a day.")], 1)
        >>> sample.question, sample.reference, sample.gold, sample.category
        ('How long do cats sleep?', '15 hours a day.', ('cats',), 'single_fact')
    """

    model: ChatModel
    kinds: Mapping[QuestionKind, float] = field(default_factory=lambda: dict(_MIX))
    judge: Judge | None = None
    instructions: str = ""
    drop_known: bool = True
    spare: float = 0.5
    longest: int = 6000
    options: Options = Options()
    concurrency: int = 16

    def generate(
        self, documents: Sequence[Document], count: int = 50, *, seed: int = 0, progress: bool | None = None
    ) -> GeneratedSamples:
        """Return samples, `count` of them unless too many drafts are dropped.

        The same seed draws the same passages for the same kinds of questions; what is written about them is
        the model's (a `Cached` model says the same again). A request that fails drops its draft and is
        reported; nothing that was written is lost.

        Args:
            documents: Passages as the retriever holds them, or short documents. Gold is the `source` of each,
                as in an answer's `context_ids`; the ids of the passages are in the sample's metadata.
            count: Samples that are wanted.
            seed: Draws passages.
            progress: Show a bar; None: on a terminal or in a notebook only.

        Raises:
            CorpusError: When there is no text, or two documents have one id.
            UsageError: When a number or a kind makes no sense.
            LlmoptError: When every one of the first `count` drafts failed: the first one's error.
        """
        return run_sync(self.agenerate, documents, count, seed=seed, progress=progress)

    async def agenerate(
        self, documents: Sequence[Document], count: int = 50, *, seed: int = 0, progress: bool | None = None
    ) -> GeneratedSamples:
        """Return samples; the async twin of `generate`."""
        drawing = await call(draw_passages, documents, self.kinds, self._most(count), seed)
        kept: list[Sample] = []
        dropped: list[Dropped] = []
        with record("generate", self) as recorder, progress_bar(count, "samples", progress) as bar:
            drafting = self._drafting(drawing)
            at = 0
            while len(kept) < count and at < len(drawing.drafts):
                batch = drawing.drafts[at : at + count - len(kept)]
                outcomes = await drafting.outcomes(batch, kept)
                good = [outcome for outcome in outcomes if isinstance(outcome, Sample)]
                at, kept = at + len(batch), kept + good
                if len(drafting.errors) == at:
                    raise drafting.errors[0]
                dropped += [outcome for outcome in outcomes if isinstance(outcome, Dropped)]
                bar.advance(len(good))
        return GeneratedSamples(tuple(kept), tuple(dropped), Spent.of(recorder.frozen()))

    def plan(self, documents: Sequence[Document], count: int = 50, *, seed: int = 0) -> Plan:
        """Return the calls, tokens and money that `generate` will take at most: nothing passes, until the last draft.

        Nothing is asked. Questions are not known yet, and ones of usual length stand for them.

        Raises:
            CorpusError, UsageError: As `generate`.
        """
        drafting = self._drafting(draw_passages(documents, self.kinds, self._most(count), seed))
        sums: dict[str, Planned] = {}
        for draft in drafting.drawing.drafts:
            add_planned(sums, drafting.plan(draft))
        notes = ("Questions are not known yet: ones of usual length stand for them.",)
        return Plan(tuple(sums.values()), count, notes)

    def _most(self, count: int) -> int:
        if self.spare < 0 or self.longest < 1 or self.concurrency < 1:
            raise UsageError(
                "SampleGenerator needs `spare` of at least 0, `longest` and `concurrency` of at least 1, got "
                f"{self.spare}, {self.longest} and {self.concurrency}"
            )
        return math.ceil(count * (1 + self.spare))

    def _drafting(self, drawing: Drawing) -> Drafting:
        judge = ModelJudge(self.model, self.options) if self.judge is None else self.judge
        return Drafting(
            drawing,
            self.model,
            judge,
            instructions=self.instructions,
            drop_known=self.drop_known,
            longest=self.longest,
            options=self.options,
            concurrency=self.concurrency,
        )
