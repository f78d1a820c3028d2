"""A prompt of your own wording, with variables."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from .._replies import is_noncommittal
from ..errors import UsageError
from ..interfaces import ChatModel, PromptStrategy
from ..types import Answer, AnswerDelta, Citation, Completion, Hit, Message, Options
from .contexts import citations_of, fenced_contexts, within_budget
from .streaming import stream_without_thoughts
from .thoughts import without_thoughts

__all__ = ["Template"]

_VARIABLE = re.compile(r"\{\{(?P<literal>[^\W\d]\w*)\}\}|\{(?P<name>[^\W\d]\w*)\}")
_OURS = frozenset({"question", "contexts"})


@dataclass(frozen=True, repr=False)
class Template(PromptStrategy):
    """Puts question and contexts into a text of yours, at `{question}` and `{contexts}`.

    The variables are replaced in one pass: braces in questions, contexts and values stay as they are, and
    so do all other braces of the template (JSON, code). `{{name}}` stands for a literal `{name}`. The
    contexts come numbered, between fences that they cannot forge.

    Args:
        template: The user message.
        instructions: The system message, verbatim; none when empty.
        variables: Values for further variables of the template.
        options: How the reply is sampled.
        max_context_tokens: Budget for the contexts; the lowest ranked are left out, the trace says which.

    Raises:
        UsageError: On first use: when the template has a variable that is not declared, lacks the
            question, or lacks the contexts that there are.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> model = FakeModel("Bonjour")
        >>> text = 'Translate to {language}, as {"text": ...}: {question}'
        >>> strategy = Template(text, variables={"language": "French"})
        >>> _ = strategy.run(model, "Hello {you}")
        >>> model.requests[0][0].content
        'Translate to French, as {"text": ...}: Hello {you}'
    """

    template: str
    instructions: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Options = Options()
    max_context_tokens: int | None = None

    def messages(self, question: str, contexts: Sequence[Hit]) -> list[Message]:
        """Build one system message (when there are instructions) and one user message."""
        self._check(bool(contexts))
        shown = fenced_contexts(within_budget(contexts, self.max_context_tokens)) if contexts else ""
        values = {**self.variables, "question": question, "contexts": shown or "(no contexts were found)"}

        def put(match: re.Match[str]) -> str:
            return values[match["name"]] if match["name"] else f"{{{match['literal']}}}"

        system = [Message("system", self.instructions)] if self.instructions else []
        return [*system, Message("user", _VARIABLE.sub(put, self.template))]

    def parse(self, text: str) -> str:
        """Return the reply without thoughts."""
        return without_thoughts(text).strip()

    def citations(self, text: str, contexts: Sequence[Hit]) -> Sequence[Citation]:
        """Return the contexts that the answer cites."""
        return citations_of(text, contexts)

    def abstains(self, text: str) -> bool:
        """Return whether the answer says that it does not know."""
        return is_noncommittal(text)

    def answer(self, completion: Completion, contexts: Sequence[Hit]) -> Answer:
        """Make an answer of one reply; its contexts are those that were shown."""
        return super().answer(completion, within_budget(contexts, self.max_context_tokens))

    async def stream(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> AsyncIterator[AnswerDelta]:
        """Yield the answer in pieces, thoughts left out, the last with the whole."""
        async for delta in stream_without_thoughts(super().stream(model, question, contexts)):
            yield delta

    def _check(self, has_contexts: bool) -> None:
        used, declared = _used(self.template), _OURS | self.variables.keys()
        unknown = sorted(used - declared)
        if unknown:
            raise UsageError(
                f"the template uses {{{unknown[0]}}}, which is not declared; it may use "
                f"{', '.join(sorted(declared))}. Declare it in `variables`, or write {{{{{unknown[0]}}}}} for the "
                "braces themselves"
            )
        taken = sorted(_OURS & self.variables.keys())
        if taken:
            raise UsageError(
                f"the template's {taken[0]} is filled in by the strategy and cannot be a variable of yours"
            )
        if "question" not in used:
            raise UsageError("the template does not use {question}: the model would not see what is asked")
        if has_contexts and "contexts" not in used:
            raise UsageError("there are contexts, but the template does not use {contexts}: they would be lost")


@lru_cache(maxsize=256)
def _used(template: str) -> frozenset[str]:
    return frozenset(match["name"] for match in _VARIABLE.finditer(template) if match["name"])
