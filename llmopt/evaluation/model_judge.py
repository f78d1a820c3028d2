"""A chat model as the judge."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

from .._tokens import count_messages, count_tokens
from .._trace import note
from ..errors import ModelOutputError
from ..interfaces import ChatModel, Judge, content_of
from ..types import ImpliedQuestion, Options, Planned, Usage, Verdict
from .inquiry import Inquiry, likely_claims
from .judge_prompts import Again, render, schema_for
from .judge_replies import VerdictsRead, read_claims, read_questions, read_statements, read_verdicts
from .sharing import Shared

__all__ = ["ModelJudge"]

T = TypeVar("T")

_MOST_PER_REQUEST = 100
_VERDICT_TOKENS, _ITEM_TOKENS, _FRAME_TOKENS = 40, 12, 16
_UNREADABLE = "it was not JSON of this form"
_INCOMPLETE = "some items had no usable verdict"


@dataclass(frozen=True, repr=False, eq=False)
class ModelJudge(Judge):
    """A judge that asks a chat model, with prompts of our own.

    Each hook is one request: all claims, or all contexts, are judged at once and verdicts are matched by
    id. What a reply lacks (an id that is missing, out of range or given twice; a verdict that is neither 0
    nor 1; no JSON at all) is asked for once more, only that; what is still missing is `holds=None` with the
    reason. The same inquiry from two metrics is paid once.

    Args:
        model: The model that judges; better one of another family than the one that answers.
        options: How it is sampled. A `replicate` of its own makes it judge anew.
        instructions: Rules of your own, put after ours ("Product names must match exactly").
        remember: How many finished inquiries are kept for other metrics; 0: share only those in flight.

    Raises:
        ModelOutputError: From `split`, `imply` and `attribute`, when the second reply holds no list either.
        OutputCutError: When the reply is longer than the model's limit.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> judge = ModelJudge(FakeModel('{"verdicts": [{"id": 1, "reason": "It is said.", "verdict": 1}]}'))
        >>> judge.verify(["Cats sleep a lot."], ["Cats sleep 15 hours a day."])
        [Verdict(statement='Cats sleep a lot.', holds=True, reason='It is said.', probability=None)]
    """

    model: ChatModel
    options: Options = Options(temperature=0.0)
    instructions: str = ""
    remember: int = 1024
    _shared: Shared[Sequence[object]] = field(init=False)

    def __post_init__(self) -> None:
        """Refuse what is no model; open the memory."""
        super().__post_init__()
        object.__setattr__(self, "_shared", Shared[Sequence[object]](self.remember))

    def __copy__(self) -> ModelJudge:
        """Return a judge with a memory of its own: a copy may get another model."""
        return replace(self)

    async def claims(self, question: str, answer: str) -> list[str]:
        """Ask for the answer's statements, each once; an empty answer has none."""
        if not answer.strip():
            return []
        return await self._share(Inquiry(hook="claims", question=question, text=answer), self._split, lambda _: True)

    async def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        """Ask for verdicts on all claims in one request (in several above 100 claims)."""
        if not contexts:
            return [Verdict(claim, False, "there are no contexts") for claim in claims]
        parts = [tuple(claims[at : at + _MOST_PER_REQUEST]) for at in range(0, len(claims), _MOST_PER_REQUEST)]
        inquiries = [Inquiry(hook="supported", statements=part, contexts=tuple(contexts)) for part in parts]
        found = await asyncio.gather(*(self._share(inquiry, self._judge, _complete) for inquiry in inquiries))
        return [verdict for part in found for verdict in part]

    async def useful(self, question: str, target: str, contexts: Sequence[str]) -> list[Verdict]:
        """Ask for verdicts on all contexts in one request."""
        if not contexts:
            return []
        inquiry = Inquiry(hook="useful", question=question, text=target, contexts=tuple(contexts))
        return await self._share(inquiry, self._judge, _complete)

    async def questions(self, answer: str, count: int) -> list[ImpliedQuestion]:
        """Ask for all questions in one request, and once more for those that are missing; none for an empty answer."""
        if not answer.strip():
            return []
        inquiry = Inquiry(hook="questions", text=answer, count=count)
        return await self._share(inquiry, self._imply, lambda found: len(found) >= count)

    async def attributed(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
        """Ask for the statements and their verdicts in one request; an empty reference has none."""
        if not reference.strip():
            return []
        inquiry = Inquiry(hook="attributed", question=question, text=reference, contexts=tuple(contexts))
        return await self._share(inquiry, self._attribute, _complete)

    def plan(self, inquiry: Inquiry) -> list[Planned]:
        """Return what an inquiry will take: calls exactly, tokens by the rendered prompt and a typical reply."""
        parts = max(1, -(-len(inquiry.statements) // _MOST_PER_REQUEST))
        read = count_messages(render(inquiry, instructions=self.instructions)).count
        usage = Usage(read * parts, _reply_tokens(inquiry), calls=parts)
        return [Planned(inquiry.hook, usage, self.model.price(usage))]

    async def _share(
        self, inquiry: Inquiry, make: Callable[[Inquiry], Awaitable[list[T]]], keep: Callable[[list[T]], bool]
    ) -> list[T]:
        found = await self._shared.get(inquiry, lambda: make(inquiry), lambda value: keep(cast("list[T]", value)))
        return list(cast("list[T]", found))

    async def _split(self, inquiry: Inquiry) -> list[str]:
        try:
            return read_claims(await self._ask(inquiry))
        except ModelOutputError as error:
            note("asked again", str(error))
            return read_claims(await self._ask(inquiry, Again(_UNREADABLE)))

    async def _judge(self, inquiry: Inquiry) -> list[Verdict]:
        items = inquiry.contexts if inquiry.hook == "useful" else inquiry.statements
        asked = dict(enumerate(items, 1))
        read = await self._verdicts(inquiry, asked, None)
        found = dict(read.verdicts)
        missing = {number: item for number, item in asked.items() if number not in found}
        if missing:
            note("asked again", read.problem)
            read = await self._verdicts(inquiry, missing, Again(_INCOMPLETE if found else _UNREADABLE, tuple(missing)))
            found.update(read.verdicts)
        unjudged = f"no usable verdict, asked twice: {read.problem}"
        return [found.get(number, Verdict(item, None, unjudged)) for number, item in asked.items()]

    async def _verdicts(self, inquiry: Inquiry, asked: Mapping[int, str], again: Again | None) -> VerdictsRead:
        try:
            return read_verdicts(await self._ask(inquiry, again), asked)
        except ModelOutputError as error:
            return VerdictsRead({}, str(error))

    async def _imply(self, inquiry: Inquiry) -> list[ImpliedQuestion]:
        try:
            found = read_questions(await self._ask(inquiry))
        except ModelOutputError as error:
            note("asked again", str(error))
            return read_questions(await self._ask(inquiry, Again(_UNREADABLE)))
        missing = inquiry.count - len(found)
        if missing > 0:
            note("asked again", f"{missing} of {inquiry.count} questions were missing or had no usable verdict")
            found += read_questions(await self._ask(replace(inquiry, count=missing), Again(_INCOMPLETE)))
        return found

    async def _attribute(self, inquiry: Inquiry) -> list[Verdict]:
        try:
            found = read_statements(await self._ask(inquiry))
        except ModelOutputError as error:
            note("asked again", str(error))
            return read_statements(await self._ask(inquiry, Again(_UNREADABLE)))
        missing = {number: verdict.statement for number, verdict in enumerate(found) if verdict.holds is None}
        if missing:
            note("asked again", f"unusable verdicts on {len(missing)} of {len(found)} statements")
            unjudged = Inquiry(hook="supported", statements=tuple(missing.values()), contexts=inquiry.contexts)
            read = await self._verdicts(unjudged, dict(enumerate(unjudged.statements, 1)), None)
            for order, number in enumerate(missing, 1):
                found[number] = read.verdicts.get(order, found[number])
        return found

    async def _ask(self, inquiry: Inquiry, again: Again | None = None) -> str:
        messages = render(inquiry, instructions=self.instructions, again=again)
        options = self.options if self.options.schema else replace(self.options, schema=schema_for(inquiry.hook))
        return content_of(await self.model.acomplete(messages, options))


def _complete(verdicts: list[Verdict]) -> bool:
    return all(verdict.holds is not None for verdict in verdicts)


def _reply_tokens(inquiry: Inquiry) -> int:
    """Return the tokens of a typical reply, rather too many than too few."""
    written = count_tokens(inquiry.text).count
    match inquiry.hook:
        case "claims":
            items = len(likely_claims(inquiry.text))
            return _FRAME_TOKENS + 2 * written + items * _ITEM_TOKENS
        case "attributed":
            items = len(likely_claims(inquiry.text))
            return _FRAME_TOKENS + 2 * written + items * (_ITEM_TOKENS + _VERDICT_TOKENS)
        case "questions":
            return _FRAME_TOKENS + inquiry.count * (_ITEM_TOKENS + _VERDICT_TOKENS)
        case _:
            items = len(inquiry.contexts if inquiry.hook == "useful" else inquiry.statements)
            return _FRAME_TOKENS + items * _VERDICT_TOKENS
