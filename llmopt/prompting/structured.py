"""Answers as objects: JSON that fits a pydantic model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from pydantic import BaseModel

from .._json import parse_into, schema_of
from ..interfaces import ChatModel, PromptStrategy, content_of
from ..types import Answer, Completion, Hit, Options
from .direct import Direct
from .wrapper import Wrapper, is_one_call

__all__ = ["Structured"]


@dataclass(frozen=True, repr=False)
class Structured(Wrapper):
    """Asks for JSON of a pydantic model; the object is `Answer.value`, its JSON the answer's text.

    The schema goes along for servers that hold the model to it; a server that does not take schemas is
    asked in words. A reply that does not fit is sent back once with what is wrong. Citations and
    abstention are read from the texts in the object.

    Args:
        into: The pydantic model; describe its fields, the model reads that.
        inner: Builds the prompt; a strategy of one call.

    Raises:
        ModelOutputError: When the second reply does not fit either.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> class City(BaseModel):
        ...     name: str
        ...     country: str
        >>> reply = FakeModel('{"name": "Paris", "country": "France"}')
        >>> Structured(City).run(reply, "Where does the Eiffel Tower stand?").value
        City(name='Paris', country='France')
    """

    into: type[BaseModel]
    inner: PromptStrategy = Direct()

    @property
    def options(self) -> Options:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        """How replies are sampled: as the inner strategy says, held to the schema."""
        return replace(self.inner.options, schema=schema_of(self.into))

    @property
    def one_call(self) -> bool:
        """Whether one reply makes the answer; the second call is for repair only."""
        return is_one_call(self.inner)

    def parse(self, text: str) -> str:
        """Return the object's JSON, without what stands around it in the reply."""
        return parse_into(text, self.into).model_dump_json()

    def answer(self, completion: Completion, contexts: Sequence[Hit]) -> Answer:
        """Make an answer of one reply.

        Raises:
            ModelOutputError: When it holds no JSON that fits.
        """
        return self._answer(parse_into(content_of(completion), self.into), contexts)

    async def solve(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Answer:
        """Answer with one call, or two when the first reply does not fit."""
        return self._answer(await model.aextract(self.messages(question, contexts), self.into, self.options), contexts)

    def _answer(self, value: BaseModel, contexts: Sequence[Hit]) -> Answer:
        texts = [text for text in _texts(value.model_dump(mode="json")) if text.strip()]
        citations = {citation: None for text in texts for citation in self.inner.citations(text, contexts)}
        abstained = bool(texts) and all(self.inner.abstains(text) for text in texts)
        return Answer(
            value.model_dump_json(),
            contexts,
            citations=tuple(citations),
            outcome="abstained" if abstained else "answered",
            value=value,
        )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in cast("Mapping[str, object]", value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)
