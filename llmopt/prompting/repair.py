"""Answers that are checked, and mended by what the check says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .._fences import Fenced, fence_all
from .._sync import call
from .._trace import step
from ..errors import ContractError, ModelOutputError, UsageError
from ..interfaces import ChatModel, PromptStrategy
from ..interfaces.planning import planned_times
from ..types import Answer, Hit, MaybeAwaitable, Message, Planned
from .wrapper import Wrapper, is_one_call

__all__ = ["Repair"]

_LONGEST_ERROR = 4000
_ORDER = "Find the mistake and give the whole answer again, corrected, in the same form, without comment."


@dataclass(frozen=True, repr=False)
class Repair(Wrapper):
    """Runs your check on the answer and gives the model its error to try again: execution feedback.

    Parse the JSON, run the SQL, compile the code. With a strategy of one call the tries are turns of one
    chat, and a reply in which it finds no answer is a try, too; with one of several calls it is asked again,
    told of the last answer and its error.

    Args:
        inner: Answers.
        check: Gets the answer's text and returns what is wrong with it, or None; `def` or `async def`.
        tries: Answers to ask for, at most, the first included.

    Raises:
        ModelOutputError: When the last answer does not pass either.
        ContractError: When the check returns what is neither words nor None.

    Example:
        >>> from llmopt.prompting import Direct
        >>> from llmopt.testing import FakeModel
        >>> def check(text: str) -> str | None:
        ...     return None if text.isupper() else "It must be in capitals."
        >>> Repair(Direct(), check).run(FakeModel(script=["Paris", "PARIS"]), "Capital of France?").text
        'PARIS'
    """

    inner: PromptStrategy
    check: Callable[[str], MaybeAwaitable[str | None]]
    tries: int = 3

    async def solve(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Answer:
        """Answer, check, and try again with the error."""
        if self.tries < 1:
            raise UsageError(f"Repair: `tries` must be at least 1, got {self.tries}")
        failed: list[_Try] = []
        while len(failed) < self.tries:
            with step(f"try {len(failed) + 1}", self.inner, question) as recorder:
                tried = await self._ask(model, question, contexts, failed)
                if isinstance(tried, Answer):
                    recorder.output = tried.text
                    error = await self._wrong(tried.text)
                    if error is None:
                        return tried
                    tried = _Try(tried.text, error)
                recorder.error = tried.error
            failed.append(tried)
        raise ModelOutputError(
            f"Repair: no answer of {self.tries} passed `{_name(self.check)}`; the last was "
            f"{failed[-1].answer[:200]!r}: {failed[-1].error[:500]}"
        )

    def plan(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Sequence[Planned]:
        """Return what all tries take."""
        return planned_times(self.inner.plan(model, question, contexts), self.tries)

    async def _ask(
        self, model: ChatModel, question: str, contexts: Sequence[Hit], failed: Sequence[_Try]
    ) -> Answer | _Try:
        """Return the answer, or a reply of one call that the inner strategy cannot read."""
        if not is_one_call(self.inner):
            return await self.inner.solve(model, _told(question, failed[-1]) if failed else question, contexts)
        turns = [turn for attempt in failed for turn in attempt.turns()]
        asked = [*self.inner.messages(question, contexts), *turns]
        completion = await model.acomplete(asked, self.inner.options)
        try:
            return self.inner.answer(completion, contexts)
        except ModelOutputError as error:
            return _Try(completion.text.strip() or "(nothing)", str(error))

    async def _wrong(self, answer: str) -> str | None:
        error = await call(self.check, answer)
        if error is not None and not isinstance(error, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ContractError(
                f"`{_name(self.check)}` must say in words what is wrong with an answer, or return None, "
                f"it returned {error!r}"
            )
        return error


@dataclass(frozen=True, slots=True)
class _Try:
    answer: str
    error: str

    def turns(self) -> list[Message]:
        # The error may quote data (a row, a page): it is fenced so that it cannot pass for instructions.
        error = fence_all([Fenced("error", _shortened(self.error))])
        return [Message("assistant", self.answer), Message("user", f"That answer fails:\n{error}\n\n{_ORDER}")]


def _told(question: str, attempt: _Try) -> str:
    fenced = fence_all([Fenced("earlier answer", attempt.answer), Fenced("its error", _shortened(attempt.error))])
    return f"{question}\n\nAn earlier answer to this fails:\n{fenced}\n\n{_ORDER}"


def _shortened(error: str) -> str:
    if len(error) <= _LONGEST_ERROR:
        return error
    return f"{error[:_LONGEST_ERROR]}\n[cut: the first {_LONGEST_ERROR:,} of {len(error):,} characters]"


def _name(check: Callable[..., object]) -> str:
    return str(getattr(check, "__qualname__", type(check).__qualname__))
