"""A task cut into subtasks, one strategy after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from .._fences import Fenced, fence_all
from .._trace import note, step
from ..errors import UsageError
from ..interfaces import ChatModel, PromptStrategy
from ..types import Answer, AnswerDelta, Citation, Completion, Hit, Message, Options, Planned

__all__ = ["Steps"]


@dataclass(frozen=True, repr=False)
class Steps(PromptStrategy):
    """Runs strategies one after the other; each is given the question and the result of the one before.

    For a task that is easier in parts: first pull out the figures, then compare them, then write the
    summary. Every step sees the same contexts. A step that says that it does not know ends the chain, and
    that is the answer.

    Args:
        steps: The strategies, in order; the last one's answer is the answer.

    Example:
        >>> from llmopt.prompting import Direct
        >>> from llmopt.testing import FakeModel
        >>> model = FakeModel(script=["figures: 3, 4", "The sum is 7."])
        >>> Steps([Direct("List the figures."), Direct("Add them up.")]).run(model, "3 cats and 4 dogs").text
        'The sum is 7.'
        >>> "figures: 3, 4" in model.requests[1][1].content
        True
    """

    steps: Sequence[PromptStrategy]

    @property
    def options(self) -> Options:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        """How replies of the first step are sampled."""
        return self._checked()[0].options

    def messages(self, question: str, contexts: Sequence[Hit]) -> Sequence[Message]:
        """Build the first step's prompt."""
        return self._checked()[0].messages(question, contexts)

    def parse(self, text: str) -> str:
        """Pull the answer out of a reply as the last step does."""
        return self._checked()[-1].parse(text)

    def citations(self, text: str, contexts: Sequence[Hit]) -> Sequence[Citation]:
        """Return the contexts that the answer points to, as the last step reads them."""
        return self._checked()[-1].citations(text, contexts)

    def abstains(self, text: str) -> bool:
        """Return whether the answer says that it does not know, as the last step reads it."""
        return self._checked()[-1].abstains(text)

    def answer(self, completion: Completion, contexts: Sequence[Hit]) -> Answer:
        """Make an answer of one reply as the last step does."""
        return self._checked()[-1].answer(completion, contexts)

    async def prepare(self, question: str) -> PromptStrategy:
        """Return the chain with every step prepared for the question."""
        return replace(self, steps=tuple([await part.prepare(question) for part in self._checked()]))

    async def solve(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Answer:
        """Run the steps.

        Raises:
            UsageError: Without steps.
        """
        last = await self._before_last(model, question, contexts)
        if isinstance(last, Answer):
            return last
        with step(f"step {len(self.steps)}", self.steps[-1], last) as recorder:
            answer = await self.steps[-1].solve(model, last, contexts)
            recorder.output = answer.text
        return answer

    def plan(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Sequence[Planned]:
        """Return what all steps take."""
        return [item for part in self._checked() for item in part.plan(model, question, contexts)]

    async def stream(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> AsyncIterator[AnswerDelta]:
        """Yield the last step's answer in pieces, the last with the whole."""
        last = await self._before_last(model, question, contexts)
        if isinstance(last, Answer):
            yield AnswerDelta(last.text, last)
            return
        async for delta in self.steps[-1].stream(model, last, contexts):
            yield delta

    async def _before_last(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Answer | str:
        """Return what the last step is asked, or the answer when a step before it does not know."""
        asked = question
        for number, part in enumerate(self._checked()[:-1], 1):
            with step(f"step {number}", part, asked) as recorder:
                answer = await part.solve(model, asked, contexts)
                recorder.output = answer.text
            if answer.outcome == "abstained":
                note("ended", f"step {number} of {len(self.steps)} does not know")
                return answer
            result = fence_all([Fenced("result", answer.text)])
            asked = f"{question}\n\n# Result of the step before\n{result}"
        return asked

    def _checked(self) -> Sequence[PromptStrategy]:
        if not self.steps:
            raise UsageError("Steps has no steps: give it at least one strategy")
        return self.steps
