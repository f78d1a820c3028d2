"""Reranking by a model that reads a window of passages and orders them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .._trace import note
from ..errors import UsageError
from ..interfaces import ChatModel, Reranker, content_of
from ..interfaces.planning import planned_calls
from ..types import Hit, Options, Planned
from .prompts import listwise_prompt, verdict_of

__all__ = ["Listwise", "read_ranking", "windows_of"]

_NUMBER = re.compile(r"(?<!\d)\d{1,9}(?!\d)")


@dataclass(repr=False)
class Listwise(Reranker):
    """Slides a window from the end of the list to its top and lets a model order what is in it (RankGPT).

    Every window overlaps the next, so a good hit can climb all the way. Numbers that the reply leaves out
    keep their old order behind the others; numbers out of range or repeated are dropped (and noted in the
    trace). It takes `1 + ceil((n - window) / step)` calls for n hits, one after the other, and one when all
    fit. Source: Sun et al. 2023, "Is ChatGPT Good at Search?".

    Args:
        model: Who orders.
        window: Passages in one prompt, at least 2.
        step: How far the window moves, at least 1 and at most `window`.
        options: How replies are sampled.

    Raises:
        UsageError: When window or step make no sense.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> from llmopt.types import Document
        >>> hits = [Hit(Document(str(n), f"text {n}"), -n) for n in range(3)]
        >>> [hit.document.id for hit in Listwise(FakeModel("[3] > [1]")).rerank("q", hits)]
        ['2', '0', '1']
    """

    model: ChatModel
    window: int = 20
    step: int = 10
    options: Options = Options(temperature=0)

    async def score(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return scores that fall in the order that the windows left."""
        order = list(range(len(hits)))
        for start, end in windows_of(len(hits), self.window, self.step):
            here = order[start:end]
            messages = listwise_prompt(query, [hits[place].document.text for place in here])
            reply = content_of(await self.model.acomplete(messages, self.options))
            ranking = read_ranking(reply, len(here))
            note(f"window {start + 1}-{end}", reply[:200])
            order[start:end] = [here[place] for place in ranking]
        scores = [0.0] * len(hits)
        for rank, place in enumerate(order):
            scores[place] = 1 - rank / len(hits)
        return scores

    def plan(self, query: str, hits: Sequence[Hit]) -> Sequence[Planned]:
        """Return one call per window."""
        windows = windows_of(len(hits), self.window, self.step)
        longest = max((hit.document.text for hit in hits), key=len, default="")
        asked = listwise_prompt(query, [longest] * min(self.window, len(hits)))
        return [planned_calls(self.model, "rerank", asked, calls=len(windows), options=self.options)]


def windows_of(count: int, window: int, step: int) -> list[tuple[int, int]]:
    """Return the windows [start, end) from the end of the list to its top; the last one begins at 0.

    Raises:
        UsageError: When `window` is below 2 or `step` not from 1 to `window`.
    """
    if window < 2 or not 1 <= step <= window:
        raise UsageError(f"`Listwise` needs a window of at least 2 and a step from 1 to it, got {window} and {step}")
    if count < 2:
        return []
    ends = range(count, window, -step) if count > window else range(0)
    return [*((end - window, end) for end in ends), (0, min(window, count))]


def read_ranking(reply: str, count: int) -> list[int]:
    """Return places from 0 in the order of the reply's numbers; what is missing follows in its old order."""
    named = [int(number) - 1 for number in _NUMBER.findall(verdict_of(reply))]
    first = [place for place in dict.fromkeys(named) if 0 <= place < count]
    return [*first, *(place for place in range(count) if place not in set(first))]
