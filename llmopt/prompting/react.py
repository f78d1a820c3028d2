"""Answers with the help of tools: think, call, look, and again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from .._sync import gather_bounded
from .._trace import Recorder, note, step
from ..errors import ModelError, ModelOutputError, RequestRejectedError, UnknownModelError, UsageError
from ..interfaces import ChatModel, PromptStrategy, content_of
from ..interfaces.planning import planned_times
from ..types import Answer, AnswerDelta, Completion, Hit, Message, Options, Planned, ToolCall
from .direct import Direct
from .tool import Observation, Tool
from .tool_talk import NativeTalk, TextTalk, ToolTalk, Turn
from .wrapper import Wrapper, is_one_call, is_read_as_it_stands

__all__ = ["ReAct"]

R = TypeVar("R")

_ABOUT_TOOLS = re.compile(r"\btools?\b|\btool_choice\b|function[ _-]?call", re.IGNORECASE)


class NoToolsError(Exception):
    """The server takes no tools."""


@dataclass(frozen=True, repr=False)
class ReAct(Wrapper):
    """Lets the model call tools, as often as it needs, and answers from what they give.

    Calls of one turn run side by side. What goes wrong in a call (an unknown name, arguments that do not
    fit, an exception, a late result) is told to the model, which goes on. When the steps run out the
    fallback answers; self-consistency over chain of thought is the one that wins in the paper.

    The server's own tool calls are used where it has them, and calls that a model writes as JSON into its
    reply count as such; a server that refuses or drops the tools is spoken to in text. A server that
    ignores them silently cannot be told from a model that needs none: set `protocol="text"` there.

    Source: Yao et al. 2023, "ReAct" (HotpotQA: 27.4 alone, 35.1 with the fallback).

    Args:
        tools: What the model may call; names must differ.
        inner: Builds the prompt and reads the answer; a strategy of one call.
        max_steps: Model calls, at most.
        fallback: Answers when the steps have run out.
        protocol: "native", "text", or the one that the server takes.

    Raises:
        UsageError: On use, without tools, with two of one name, or around a strategy of several calls.
        ModelOutputError: When the steps have run out and there is no fallback.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> def area(country: str) -> float:
        ...     '''Return the area of a country in square kilometres.'''
        ...     return 551_695.0
        >>> call = Completion("", tool_calls=[ToolCall("1", "area", '{"country": "France"}')], finish="tool_calls")
        >>> model = FakeModel(script=[call, "551,695 square kilometres."])
        >>> ReAct([Tool(area)]).run(model, "How large is France?").text
        '551,695 square kilometres.'
    """

    tools: Sequence[Tool]
    inner: PromptStrategy = Direct()
    max_steps: int = 8
    fallback: PromptStrategy | None = None
    protocol: Literal["auto", "native", "text"] = "auto"

    def messages(self, question: str, contexts: Sequence[Hit]) -> Sequence[Message]:
        """Build the first request's messages."""
        named = self._named()
        specs = [tool.spec() for tool in named.values()]
        return self._first_talk(named).opened(self.inner.messages(question, contexts), specs)

    async def solve(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Answer:
        """Call the model and the tools in turns."""
        named = self._named()
        if self.protocol != "text":
            try:
                return await self._talk(self._first_talk(named), named, model, question, contexts)
            except NoToolsError as error:
                note("protocol", f"text, because the server takes no tools: {error}")
        return await self._talk(TextTalk(), named, model, question, contexts)

    async def stream(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> AsyncIterator[AnswerDelta]:
        """Yield the answer of the last turn in pieces, the last with the whole.

        A native reply shows only at its end whether it calls tools: its first `LONGEST_PREAMBLE` characters
        are held back until then. A model that says more before a call is heard, with a blank line behind it.
        When the inner strategy reads replies its own way (`ChainOfThought`), the answer comes in one piece.
        """
        if not is_read_as_it_stands(self.inner):
            answer = await self.solve(model, question, contexts)
            yield AnswerDelta(answer.text, answer)
            return
        named = self._named()
        talk = self._first_talk(named)
        try:
            async for delta in self._talk_in_pieces(talk, named, model, question, contexts):
                yield delta
            return
        except NoToolsError as error:
            note("protocol", f"text, because the server takes no tools: {error}")
        async for delta in self._talk_in_pieces(TextTalk(), named, model, question, contexts):
            yield delta

    def plan(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Sequence[Planned]:
        """Return `max_steps` calls and the fallback; what the tools themselves take is not known."""
        turns = planned_times(self.inner.plan(model, question, contexts), self.max_steps)
        return [*turns, *(() if self.fallback is None else self.fallback.plan(model, question, contexts))]

    async def _talk(
        self, talk: ToolTalk, named: Mapping[str, Tool], model: ChatModel, question: str, contexts: Sequence[Hit]
    ) -> Answer:
        messages, options = self._opened(talk, named, question, contexts)
        for number in range(1, self.max_steps + 1):
            with step(f"turn {number}", self) as recorder:
                completion = await self._heard(model.acomplete(messages, options), talk)
                turn = self._read(completion, talk)
                if turn.is_last:
                    recorder.output = turn.text
                    return self._answer(completion, turn, contexts)
                seen = await self._seen(turn, named, recorder)
            messages = [*messages, *talk.told(completion, turn, seen)]  # the trace keeps the list that was sent
        fallback = self._fallback()
        with step("fallback", fallback, question) as recorder:
            answer = await fallback.solve(model, question, contexts)
            recorder.output = answer.text
        return answer

    async def _talk_in_pieces(
        self, talk: ToolTalk, named: Mapping[str, Tool], model: ChatModel, question: str, contexts: Sequence[Hit]
    ) -> AsyncIterator[AnswerDelta]:
        messages, options = self._opened(talk, named, question, contexts)
        for number in range(1, self.max_steps + 1):
            with step(f"turn {number}", self) as recorder:
                gate, replies = talk.gate(), model.acomplete_stream(messages, options)
            text, completion = "", None
            while completion is None:
                with recorder.resumed():  # no step stays open across a yield: the caller's would be inside it
                    delta = await self._heard(anext(replies), talk)
                text, completion = gate.take(delta.text), delta.completion
                if text and completion is None:
                    yield AnswerDelta(text)
            with recorder.resumed():
                turn = self._read(completion, talk)
                seen = [] if turn.is_last else await self._seen(turn, named, recorder)
            if turn.is_last:
                recorder.output = turn.text
                answer = self._answer(completion, turn, contexts)
                yield AnswerDelta(text if gate.is_open else answer.text, answer)
                return
            messages = [*messages, *talk.told(completion, turn, seen)]
            if gate.is_open:
                yield AnswerDelta(f"{text}\n\n")
        async for piece in self._fallback().stream(model, question, contexts):
            yield piece

    def _first_talk(self, named: Mapping[str, Tool]) -> ToolTalk:
        return TextTalk() if self.protocol == "text" else NativeTalk(named.keys())

    def _opened(
        self, talk: ToolTalk, named: Mapping[str, Tool], question: str, contexts: Sequence[Hit]
    ) -> tuple[list[Message], Options]:
        specs = [tool.spec() for tool in named.values()]
        return talk.opened(self.inner.messages(question, contexts), specs), talk.options(self.options, specs)

    async def _heard(self, reply: Awaitable[R], talk: ToolTalk) -> R:
        """Return the reply, unless the server refuses it because of the tools."""
        try:
            return await reply
        except (RequestRejectedError, UnknownModelError) as error:
            if self._may_change(talk) and _is_about_tools(error):
                raise NoToolsError(str(error)) from error
            raise

    def _read(self, completion: Completion, talk: ToolTalk) -> Turn:
        """Return what the model wants, unless the server has dropped the tools."""
        dropped = [words for words in completion.notes if "dropped" in words and re.search(r"\btools\b", words)]
        if self._may_change(talk) and dropped:
            raise NoToolsError(dropped[0])
        content_of(completion)
        return talk.read(completion)

    def _may_change(self, talk: ToolTalk) -> bool:
        return self.protocol == "auto" and isinstance(talk, NativeTalk)

    def _answer(self, completion: Completion, turn: Turn, contexts: Sequence[Hit]) -> Answer:
        return self.inner.answer(replace(completion, text=turn.text, tool_calls=()), contexts)

    async def _seen(self, turn: Turn, named: Mapping[str, Tool], recorder: Recorder) -> list[Observation]:
        if turn.text:
            note("thought", turn.text)
        seen = await self._observed(turn, named)
        recorder.output = [observation.text for observation in seen]
        return seen

    async def _observed(self, turn: Turn, named: Mapping[str, Tool]) -> list[Observation]:
        if turn.problem:
            return [Observation(f"Error: {turn.problem}", failed=True)]

        async def run(call: ToolCall) -> Observation:
            if call.name in named:
                return await named[call.name].aobserve(call.arguments)
            unknown = f"Error: there is no tool {call.name[:100]!r}; the tools are {', '.join(named)}"
            with step("tool", call.name, call.arguments) as recorder:
                recorder.error = unknown
            return Observation(unknown, failed=True)

        return await gather_bounded(run, turn.calls, limit=len(turn.calls))

    def _fallback(self) -> PromptStrategy:
        after = f"no answer after {self.max_steps} steps"
        if self.fallback is None:
            raise ModelOutputError(f"ReAct: {after}: raise `max_steps`, or give a `fallback` strategy")
        note("fallback", after)
        return self.fallback

    def _named(self) -> dict[str, Tool]:
        if self.protocol not in {"auto", "native", "text"}:
            raise UsageError(f"ReAct: `protocol` is auto, native or text, got {self.protocol!r}")
        for tool in self.tools:
            if not isinstance(tool, Tool):  # pyright: ignore[reportUnnecessaryIsInstance] - a function is soon given
                raise UsageError(f"ReAct takes tools, got {tool!r}: make one of it, `Tool(...)`")
        named = {tool.spec().name: tool for tool in self.tools}
        if not named or len(named) != len(self.tools):
            names = ", ".join(tool.spec().name for tool in self.tools) or "none"
            raise UsageError(f"ReAct needs tools of different names, got {names}")
        if self.max_steps < 1:
            raise UsageError(f"ReAct: `max_steps` must be at least 1, got {self.max_steps}")
        if not is_one_call(self.inner):
            inner = type(self.inner).__name__
            raise UsageError(f"ReAct makes calls of its own around one prompt, but {inner} makes several, too")
        return named


def _is_about_tools(error: ModelError) -> bool:
    parameter = error.parameter if isinstance(error, RequestRejectedError) else ""
    return _ABOUT_TOOLS.search(f"{parameter} {error}") is not None
