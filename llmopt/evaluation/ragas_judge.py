"""The judge of Ragas: its prompts word for word, its requests one for one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import TypeVar

from pydantic import BaseModel

from .._json import parse_into
from .._tokens import count_tokens
from .._trace import note
from ..errors import ModelOutputError
from ..interfaces import ChatModel, Judge, content_of
from ..types import ImpliedQuestion, Message, Options, Planned, Usage, Verdict
from .inquiry import Hook, Inquiry

__all__ = ["RagasJudge"]

M = TypeVar("M", bound=BaseModel)

_TEMPERATURE, _TEMPERATURE_OF_MANY = 0.01, 0.3
_VERDICT_TOKENS, _FRAME_TOKENS = 60, 20


class _Split(BaseModel):
    question: str
    answer: str


class _Statements(BaseModel):
    statements: list[str]


class _Verify(BaseModel):
    context: str
    statements: list[str]


class _Verified(BaseModel):
    statement: str
    reason: str
    verdict: int


class _AllVerified(BaseModel):
    statements: list[_Verified]


class _Rate(BaseModel):
    question: str
    context: str
    answer: str


class _Rated(BaseModel):
    reason: str
    verdict: int


class _Answer(BaseModel):
    response: str


class _Implied(BaseModel):
    question: str
    noncommittal: int


class _Attributed(BaseModel):
    statement: str
    reason: str
    attributed: int


class _AllAttributed(BaseModel):
    classifications: list[_Attributed]


@dataclass(frozen=True, repr=False)
class RagasJudge(Judge):
    """A judge that asks exactly what the legacy metrics of Ragas 0.4.3 ask, and reads replies as they do.

    For those who move over: with it, and `compat="ragas"` on the metrics, the figures are Ragas's own. Its
    habits come along: a verdict is whatever is not 0, verdicts that the model leaves out are not missed,
    each context takes a request of its own. `ModelJudge` has none of them and needs a third of the words.

    Beside Ragas: the contexts are rated side by side instead of one after the other; the implied questions
    are `count` requests (Ragas asks once for n choices where the provider can, else so many times); a reply
    that does not parse is sent back once, in our words.

    Args:
        model: The model that judges.
        options: How it is sampled; Ragas's temperatures (0.01, and 0.3 for the questions) go in where none
            is set.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> judge = RagasJudge(FakeModel('{"statements": ["Cats sleep."]}'))
        >>> judge.split("What do cats do?", "They sleep.")
        ['Cats sleep.']
    """

    model: ChatModel
    options: Options = Options()

    async def claims(self, question: str, answer: str) -> list[str]:
        """Ask for the answer's statements."""
        found = await self._ask("claims", _Split(question=question, answer=answer), _Statements)
        return found.statements

    async def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        """Ask for verdicts on all claims; those that the model returns, in its order, however many."""
        found = await self._ask(
            "supported", _Verify(context="\n".join(contexts), statements=list(claims)), _AllVerified
        )
        return [Verdict(item.statement, bool(item.verdict), item.reason) for item in found.statements]

    async def useful(self, question: str, target: str, contexts: Sequence[str]) -> list[Verdict]:
        """Ask once for each context."""

        async def rate(context: str) -> Verdict:
            found = await self._ask("useful", _Rate(question=question, context=context, answer=target), _Rated)
            return Verdict(context, bool(found.verdict), found.reason)

        return list(await asyncio.gather(*(rate(context) for context in contexts)))

    async def questions(self, answer: str, count: int) -> list[ImpliedQuestion]:
        """Ask `count` times, each a replicate of its own."""

        async def imply(number: int) -> ImpliedQuestion:
            found = await self._ask("questions", _Answer(response=answer), _Implied, number, many=count > 1)
            return ImpliedQuestion(found.question, bool(found.noncommittal))

        return list(await asyncio.gather(*(imply(number) for number in range(count))))

    async def attributed(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
        """Ask for the reference's sentences with verdicts."""
        asked = _Rate(question=question, context="\n".join(contexts), answer=reference)
        found = await self._ask("attributed", asked, _AllAttributed)
        return [Verdict(item.statement, bool(item.attributed), item.reason) for item in found.classifications]

    def plan(self, inquiry: Inquiry) -> list[Planned]:
        """Return what an inquiry will take: calls exactly, tokens by the rendered prompts."""
        calls = {"useful": len(inquiry.contexts), "questions": inquiry.count}.get(inquiry.hook, 1)
        own = "".join([inquiry.question, inquiry.text]) * calls + "".join([*inquiry.statements, *inquiry.contexts])
        read = calls * count_tokens(_head(inquiry.hook)).count + count_tokens(own).count
        written = calls * _FRAME_TOKENS + _VERDICT_TOKENS * max(calls, len(inquiry.statements))
        usage = Usage(read, written, calls=calls)
        return [Planned(inquiry.hook, usage, self.model.price(usage))]

    async def _ask(self, hook: Hook, data: BaseModel, into: type[M], number: int = 0, *, many: bool = False) -> M:
        options = self.options
        if options.temperature is None:
            options = replace(options, temperature=_TEMPERATURE_OF_MANY if many else _TEMPERATURE)
        options = replace(options, replicate=options.replicate + number)
        prompt = f"{_head(hook)}input: {data.model_dump_json(indent=4)}\nOutput: "
        messages = [Message("user", prompt)]
        reply = content_of(await self.model.acomplete(messages, options))
        try:
            return parse_into(reply, into)
        except ModelOutputError as error:
            note("asked again", str(error))
        wanted = Message("user", "That is not JSON of the form that was asked for. Reply with nothing but the JSON.")
        messages = [*messages, Message("assistant", reply), wanted]
        return parse_into(content_of(await self.model.acomplete(messages, options)), into)


@lru_cache(maxsize=8)
def _head(hook: Hook) -> str:
    return files("llmopt.evaluation").joinpath("ragas_prompts", f"{hook}.txt").read_text(encoding="utf-8")
