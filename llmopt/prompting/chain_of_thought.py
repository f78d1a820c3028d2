"""Time to think: reasoning first, then the answer alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .._trace import note
from ..errors import ModelOutputError, UsageError
from ..interfaces import ChatModel, PromptStrategy, content_of
from ..interfaces.planning import planned_times
from ..types import Answer, AnswerDelta, Completion, Hit, Message, Planned
from .answers import AnswerKind, read_answer
from .marked import Marked, MarkedStream, split_at_mark
from .thoughts import split_thoughts
from .wrapper import Wrapper, is_one_call

__all__ = ["ChainOfThought"]

_FORMS: dict[AnswerKind, str] = {
    "text": "the answer alone",
    "number": "the answer as a number in digits, without a unit",
    "choice": "the letter of the right choice alone",
    "yes_no": "yes or no",
}


@dataclass(frozen=True, repr=False)
class ChainOfThought(Wrapper):
    r"""Lets the model reason before it answers; the reasoning goes to the trace, the answer stands alone.

    With one call the model is told to end in a line that begins with `mark`. With two, as in the paper, it
    reasons in the first and gives the answer in the second, which costs the prompt twice and works with
    models that keep to no format. Reasoning between `<think>` tags is taken off in any case. A model that
    reasons by itself needs neither.

    Source: Kojima et al. 2022, "Large Language Models are Zero-Shot Reasoners" (MultiArith 17.7 -> 78.7,
    GSM8K 10.4 -> 40.7 % with text-davinci-002).

    Args:
        inner: Builds the prompt and reads the answer; a strategy of one call.
        calls: 1 or 2.
        kind: What the answer is: it is asked for and read in that form.
        trigger: What makes the model reason.
        mark: Begins the last line of a reply in one call.

    Raises:
        UsageError: On use, around a strategy of several calls, or with one call when the inner strategy
            wants JSON, which leaves no room to reason.
        ModelOutputError: When a reply has no answer of that kind.

    Example:
        >>> from llmopt.prompting import Direct
        >>> from llmopt.testing import FakeModel
        >>> model = FakeModel("Half of 16 is 8.\nHalf of those is 4.\nAnswer: 4 blue balls")
        >>> ChainOfThought(Direct(), kind="number").run(model, "16 balls, half are ... How many are blue?").text
        '4'
    """

    inner: PromptStrategy
    calls: Literal[1, 2] = 1
    kind: AnswerKind = "text"
    trigger: str = "Let's think step by step."
    mark: str = "Answer:"

    @property
    def one_call(self) -> bool:
        """Whether one reply makes the answer."""
        return self.calls == 1 and is_one_call(self.inner)

    def messages(self, question: str, contexts: Sequence[Hit]) -> Sequence[Message]:
        """Build the inner prompt with the request to reason at its end."""
        self._check()
        order = f"{self.trigger} Then write {_FORMS[self.kind]} on the last line, after {self.mark!r}."
        return _with_order(self.inner.messages(question, contexts), order if self.calls == 1 else self.trigger)

    def parse(self, text: str) -> str:
        """Pull the final answer out of a reply, without the reasoning.

        Raises:
            ModelOutputError: When it holds no answer of the wanted kind.
        """
        return self.inner.parse(self._final(self._split(text), text))

    def answer(self, completion: Completion, contexts: Sequence[Hit]) -> Answer:
        """Make an answer of the final part of a reply."""
        text = content_of(completion)
        marked = self._split(text)
        if marked.reasoning:
            note("reasoning", marked.reasoning)
        if not marked.is_marked and self.calls == 1:
            note("final answer", f"not marked with {self.mark!r}")
        return self.inner.answer(replace(completion, text=self._final(marked, text)), contexts)

    async def solve(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Answer:
        """Answer with one call or two."""
        if self.calls == 1:
            return await super().solve(model, question, contexts)
        asked = self.messages(question, contexts)
        reasoning = content_of(await model.acomplete(asked, replace(self.options, schema=None)))
        order = f"Therefore, what is the answer? Reply with nothing but {_FORMS[self.kind]}."
        final = [*asked, Message("assistant", reasoning), Message("user", order)]
        completion = await model.acomplete(final, self.options)
        answer = self.answer(completion, contexts)
        note("reasoning", reasoning)
        return answer

    def plan(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Sequence[Planned]:
        """Return one call, or two."""
        return planned_times(self.inner.plan(model, question, contexts), self.calls)

    async def stream(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> AsyncIterator[AnswerDelta]:
        """Yield the final answer in pieces as soon as the reasoning is over; with two calls in one piece."""
        if self.calls == 2 or self.kind != "text":
            answer = await self.solve(model, question, contexts)
            yield AnswerDelta(answer.text, answer)
            return
        final = MarkedStream(self.mark)
        async for delta in model.acomplete_stream(self.messages(question, contexts), self.options):
            piece = final.take(delta.text)
            if delta.completion is None:
                if piece:
                    yield AnswerDelta(piece)
                continue
            whole = self.answer(delta.completion, contexts)
            yield AnswerDelta(piece if final.is_open else whole.text, whole)

    def _check(self) -> None:
        if self.kind not in _FORMS or self.calls not in {1, 2}:
            raise UsageError(
                f"ChainOfThought: `calls` is 1 or 2 and `kind` one of {', '.join(_FORMS)}, got {self.calls!r} and "
                f"{self.kind!r}"
            )
        if not is_one_call(self.inner):
            name = type(self.inner).__name__
            raise UsageError(f"ChainOfThought changes one prompt, but {name} makes several: put it inside {name}")
        if not self.mark.strip(" :\uff1a"):
            raise UsageError("ChainOfThought: `mark` is what the answer's line begins with and must have a word in it")
        if self.calls == 1 and self.options.schema is not None:
            raise UsageError(
                "ChainOfThought in one call leaves no room to reason when the reply must be JSON: take calls=2"
            )

    def _split(self, text: str) -> Marked:
        marked = split_at_mark(text, self.mark)
        if self.calls == 1 or marked.is_marked:
            return marked
        thoughts = split_thoughts(text)  # the second call's reply is the answer, of however many lines
        return Marked(thoughts.reasoning, thoughts.rest, is_marked=False)

    def _final(self, marked: Marked, text: str) -> str:
        final = read_answer(marked.final, self.kind)
        if final is None and self.inner.abstains(marked.final):
            return marked.final
        if final is None:
            wanted = "answer" if self.kind == "text" else f"answer of kind {self.kind!r}"
            raise ModelOutputError(f"ChainOfThought: the reply has no {wanted} at its end: {text[-200:]!r}")
        return final


def _with_order(messages: Sequence[Message], order: str) -> list[Message]:
    """Return the messages with a last sentence for the model in the last one."""
    last = messages[-1]
    return [*messages[:-1], replace(last, content=f"{last.content}\n\n{order}")]
