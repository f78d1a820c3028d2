"""A feature that is already there, as something that can be evaluated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from .._sync import call, run_sync
from .._trace import record
from ..errors import ContractError, UsageError
from ..interfaces import Component
from ..types import Answer, MaybeAwaitable

__all__ = ["Answers", "Application"]

Answers: TypeAlias = Callable[[str], MaybeAwaitable[str | Answer]]


@dataclass(frozen=True, repr=False)
class Application(Component):
    """A plain function from question to answer, to be given to an evaluator in a pipeline's place.

    Args:
        function: Takes the question and returns the answer's text, or an `Answer` with contexts, so that the
            metrics of retrieval have something to measure. `def` or `async def`; a `def` runs in a thread.
        version: Part of its fingerprint: change it when the feature changes without its function changing,
            so that a journal does not take old answers for new ones.

    Example:
        >>> from llmopt.evaluation import Evaluator, ExactMatch
        >>> from llmopt.types import Sample
        >>> def shout(question: str) -> str:
        ...     return question.upper()
        >>> samples = [Sample(question="paris", reference="PARIS")]
        >>> Evaluator([ExactMatch()]).run(samples, pipeline=Application(shout)).summary("exact_match").mean
        1.0
    """

    function: Answers
    version: str = ""

    def run(self, question: str) -> Answer:
        """Answer a question.

        Raises:
            UsageError: When the question is empty.
            ContractError: When the function returns neither text nor an Answer.
        """
        return run_sync(self.arun, question)

    async def arun(self, question: str) -> Answer:
        """Answer a question; the async twin of `run`."""
        if not question.strip():
            raise UsageError("the question is empty")
        with record("application", self, question) as recorder:
            answer = self._checked(await call(self.function, question))
            recorder.output = answer.text
        return answer

    def _checked(self, found: object) -> Answer:
        if isinstance(found, str):
            return Answer(found)
        if isinstance(found, Answer):
            return found
        name = getattr(self.function, "__name__", type(self.function).__name__)
        raise ContractError(f"`{name}` must return text or an Answer, it returned {type(found).__name__}")
