"""Reranking by a model that reads one passage at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import BaseModel, Field

from .._sync import gather_bounded
from ..errors import ModelOutputError, UsageError
from ..interfaces import ChatModel, Reranker, content_of
from ..interfaces.planning import planned_calls
from ..types import Completion, Hit, Options, Planned
from .prompts import graded_prompt, verdict_of, yes_no_prompt

__all__ = ["Pointwise"]

_ALTERNATIVES = 10


class _Grade(BaseModel):
    grade: float = Field(ge=0, le=10)


@dataclass(repr=False)
class Pointwise(Reranker):
    """Asks a model about every hit by itself: one call each, side by side.

    `graded` asks for a grade from 0 to 10 and divides it by 10. `yes_no` asks whether the passage helps;
    where the model gives log probabilities the score is the chance of "yes", else 1 or 0. Hits of equal
    score keep the retriever's order. Source: Liang et al. 2022 (yes/no), Zhuang et al. 2023 (grades).

    Args:
        model: Who judges.
        method: "graded" or "yes_no".
        concurrency: Calls in flight at a time.
        options: How replies are sampled.

    Raises:
        ModelOutputError: When a reply holds neither a grade nor a yes or no.
        UsageError: When there is no such method.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> from llmopt.types import Document
        >>> model = FakeModel(lambda messages: '{"grade": 9}' if "cat" in messages[-1].content else '{"grade": 1}')
        >>> hits = [Hit(Document("1", "a dog"), 2.0), Hit(Document("2", "a cat"), 1.0)]
        >>> [hit.document.id for hit in Pointwise(model).rerank("pets", hits)]
        ['2', '1']
    """

    model: ChatModel
    method: Literal["graded", "yes_no"] = "graded"
    concurrency: int = 16
    options: Options = Options(temperature=0)

    async def score(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Ask about every hit."""
        if self.method not in {"graded", "yes_no"}:
            raise UsageError(f"`Pointwise` has the methods 'graded' and 'yes_no', got {self.method!r}")
        ask = self._graded if self.method == "graded" else self._yes_no
        return await gather_bounded(lambda hit: ask(query, hit.document.text), hits, limit=self.concurrency)

    def plan(self, query: str, hits: Sequence[Hit]) -> Sequence[Planned]:
        """Return one call per hit."""
        longest = max((hit.document.text for hit in hits), key=len, default="")
        asked = graded_prompt(query, longest) if self.method == "graded" else yes_no_prompt(query, longest)
        return [planned_calls(self.model, "rerank", asked, calls=len(hits), options=self.options, reply_tokens=10)]

    async def _graded(self, query: str, passage: str) -> float:
        return (await self.model.aextract(graded_prompt(query, passage), _Grade, self.options)).grade / 10

    async def _yes_no(self, query: str, passage: str) -> float:
        options = replace(self.options, top_logprobs=_ALTERNATIVES)
        completion = await self.model.acomplete(yes_no_prompt(query, passage), options)
        return _chance_of_yes(completion)


def _chance_of_yes(completion: Completion) -> float:
    text = verdict_of(content_of(completion))
    # What was thought aloud has log probabilities as well: then the words decide.
    for token in completion.logprobs if text == completion.text.strip() else ():
        chances = {"yes": 0.0, "no": 0.0}
        for alternative, logprob in {**token.alternatives, token.token: token.logprob}.items():
            if alternative.strip().lower() in chances:
                chances[alternative.strip().lower()] += math.exp(logprob)
        if sum(chances.values()) > 0:
            return chances["yes"] / sum(chances.values())
    word = text.strip("*\"'").lower()[:3]
    if not word.startswith(("yes", "no", "\u662f", "\u5426", "\u4e0d")):
        raise ModelOutputError(f"`Pointwise` asked for Yes or No, the model replied {text[:80]!r}")
    return float(word.startswith(("yes", "\u662f")))
