"""The work of `SampleGenerator` on its drafts: write, look through, check by answering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .._replies import is_noncommittal
from .._sync import gather_bounded
from .._text import words
from ..errors import LlmoptError, ModelOutputError
from ..interfaces import ChatModel, Judge
from ..interfaces.planning import planned_calls
from ..types import Document, Options, Planned, Sample
from .generated import Dropped, DropReason
from .generation_drafts import PASSAGES_OF, Draft, Drawing
from .generation_prompts import (
    DraftReply,
    MemoryReply,
    PassagesReply,
    ask_draft,
    ask_memory,
    ask_passages,
    refers_to_text,
)
from .inquiry import Inquiry, planned, told
from .overlap import find_duplicates

__all__ = ["Drafting"]

_NEIGHBOURS = 5
_QUESTION = "A question of usual length stands here, with the names of what it is about."
_ANSWER = "An answer of usual length."
_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class _Written:
    draft: Draft
    sample: Sample

    def dropped(self, reason: DropReason, why: str) -> Dropped:
        return Dropped(self.sample, reason, why)


class Drafting:
    """One run of a generator; its parameters are the generator's.

    Attributes:
        drawing: The drafts and the index of all passages.
        errors: What made drafts fail.
    """

    def __init__(
        self,
        drawing: Drawing,
        model: ChatModel,
        judge: Judge,
        *,
        instructions: str,
        drop_known: bool,
        longest: int,
        options: Options,
        concurrency: int,
    ) -> None:
        self.drawing = drawing
        self.errors: list[LlmoptError] = []
        self._model = model
        self._judge = judge
        self._instructions = instructions
        self._drop_known = drop_known
        self._longest = longest
        self._options = options
        self._concurrency = concurrency

    async def outcomes(self, drafts: Sequence[Draft], earlier: Sequence[Sample]) -> list[Sample | Dropped]:
        """Return what becomes of each draft, in their order; `earlier` samples must not come again."""
        written = await gather_bounded(self._written, drafts, limit=self._concurrency)
        looked_through = _without_duplicates(written, earlier)
        return await gather_bounded(self._checked, looked_through, limit=self._concurrency)

    def plan(self, draft: Draft) -> list[Planned]:
        """Return what a draft takes when nothing drops it before the last check."""
        if len(draft.passages) < PASSAGES_OF[draft.kind]:
            return []
        texts = self._texts(draft.passages)
        write = planned_calls(self._model, "write", ask_draft(draft.kind, texts, self._instructions))
        shown = [*texts, *[texts[0]] * _NEIGHBOURS] if draft.kind == "unanswerable" else texts
        check = planned_calls(self._model, "answer from passages", ask_passages(_QUESTION, shown))
        if draft.kind == "unanswerable":
            return [write, check]
        inquiry = Inquiry(hook="supported", statements=(_ANSWER,), contexts=(told(_QUESTION, _ANSWER),))
        memory = [planned_calls(self._model, "answer from memory", ask_memory(_QUESTION))] if self._drop_known else []
        return [write, check, *memory, *planned(self._judge, "agreement", [inquiry] * (1 + len(memory)))]

    async def _written(self, draft: Draft) -> _Written | Dropped:
        if len(draft.passages) < PASSAGES_OF[draft.kind]:
            return Dropped(draft.sample(), "no related passage", "no other passage shares words with this one")
        messages = ask_draft(draft.kind, self._texts(draft.passages), self._instructions)
        # A passage that has its turn again must not get the same question from a cache.
        options = replace(self._options, replicate=self._options.replicate + draft.turn)
        try:
            reply = await self._model.aextract(messages, DraftReply, options)
        except LlmoptError as error:
            return self._failed(draft.sample(), error)
        written = _Written(draft, draft.sample(reply.question.strip(), reply.answer.strip()))
        if not reply.question.strip():
            return written.dropped("no question", "the model found no good question of this kind")
        if draft.kind != "unanswerable" and not reply.answer.strip():
            return written.dropped("no question", "the model gave the question no answer")
        if refers_to_text(reply.question):
            return written.dropped("refers to the text", "its words point to a text that who asks has not seen")
        return written

    async def _checked(self, written: _Written | Dropped) -> Sample | Dropped:
        if isinstance(written, Dropped):
            return written
        try:
            if written.draft.kind == "unanswerable":
                return await self._unanswerable(written)
            return await self._answerable(written)
        except LlmoptError as error:
            return self._failed(written.sample, error)

    async def _answerable(self, written: _Written) -> Sample | Dropped:
        sample = written.sample
        found = await self._from_passages(sample.question, written.draft.passages)
        if not _is_answer(found.answer, sure=found.found):
            return written.dropped("not answerable from its passages", f"from them the model said {found.answer!r}")
        if not found.clear:
            return written.dropped("refers to the text", "it is not clear to who has not seen the passages")
        needed = {number for number in found.used if 1 <= number <= len(written.draft.passages)}
        if len(needed) < PASSAGES_OF[written.draft.kind]:
            return written.dropped("one passage is enough", f"the answer needed passages {sorted(needed)} only")
        if not await self._agrees(sample, found.answer):
            return written.dropped("reference differs from the passages' answer", f"they say {found.answer!r}")
        if self._drop_known:
            memory = await self._model.aextract(ask_memory(sample.question), MemoryReply, self._options)
            if _is_answer(memory.answer, sure=memory.known) and await self._agrees(sample, memory.answer):
                return written.dropped("answerable without its passages", f"from memory: {memory.answer!r}")
        return sample

    async def _unanswerable(self, written: _Written) -> Sample | Dropped:
        question = written.sample.question
        near = await self.drawing.index.aretrieve(question, k=_NEIGHBOURS)
        passages = {passage.id: passage for passage in [*written.draft.passages, *(hit.document for hit in near)]}
        found = await self._from_passages(question, list(passages.values()))
        if _is_answer(found.answer, sure=found.found):
            return written.dropped("answerable after all", f"the passages say {found.answer!r}")
        if not found.clear:
            return written.dropped("refers to the text", "it is not clear to who has not seen the passages")
        return written.sample

    async def _from_passages(self, question: str, passages: Sequence[Document]) -> PassagesReply:
        asked = ask_passages(question, self._texts(passages))
        return await self._model.aextract(asked, PassagesReply, self._options)

    async def _agrees(self, sample: Sample, answer: str) -> bool:
        reference = sample.reference or ""
        if words(reference) == words(answer):
            return True
        (verdict,) = await self._judge.averify([reference], [told(sample.question, answer)])
        if verdict.holds is None:
            raise ModelOutputError(f"the judge cannot say whether {answer!r} says {reference!r}: {verdict.reason}")
        return verdict.holds

    def _failed(self, sample: Sample, error: LlmoptError) -> Dropped:
        self.errors.append(error)
        return Dropped(sample, "failed", f"{type(error).__name__}: {error}")

    def _texts(self, passages: Sequence[Document]) -> list[str]:
        return [passage.text[: self._longest] for passage in passages]


def _without_duplicates(written: Sequence[_Written | Dropped], earlier: Sequence[Sample]) -> list[_Written | Dropped]:
    """Drop what asks nearly the same as a sample before it."""
    new = [item.sample for item in written if isinstance(item, _Written)]
    places = {sample.id: place for place, sample in enumerate([*earlier, *new])}
    again: dict[str, str] = {}
    for overlap in sorted(
        find_duplicates([*earlier, *new], threshold=_ALIKE), key=lambda overlap: places[overlap.second]
    ):
        if overlap.first not in again:
            again.setdefault(overlap.second, overlap.first)
    return [
        item.dropped("near-duplicate", f"{again[item.sample.id]} asks nearly the same")
        if isinstance(item, _Written) and item.sample.id in again
        else item
        for item in written
    ]


def _is_answer(text: str, *, sure: bool) -> bool:
    return sure and bool(text.strip()) and not is_noncommittal(text)
