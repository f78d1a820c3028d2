"""Reranking by a model that compares passages two by two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

from .._sync import gather_bounded
from .._trace import note
from ..errors import ModelOutputError, UsageError
from ..interfaces import ChatModel, Reranker, content_of
from ..interfaces.planning import planned_calls
from ..types import Hit, Options, Planned
from .prompts import pairwise_prompt, verdict_of

__all__ = ["Pairwise"]

_LETTER = re.compile(r"[\W_]*(?:passage\W*)?([ab])\b", re.IGNORECASE)


@dataclass(repr=False)
class Pairwise(Reranker):
    """Lets a model compare every two of the first hits, in both orders, and counts wins.

    A pair on which the two orders disagree is a tie, half a win each: that takes the model's liking for a
    position out. `most * (most - 1)` calls, side by side: the dearest of the rerankers. Hits beyond the
    first `most` follow in their old order; equal wins keep it, too.
    Source: Qin et al. 2023, "Large Language Models are Effective Text Rankers with Pairwise Ranking Prompting".

    Args:
        model: Who compares.
        most: How many of the first hits are compared, at least 2.
        concurrency: Calls in flight at a time.
        options: How replies are sampled.

    Raises:
        ModelOutputError: When a reply is neither A nor B.
        UsageError: When `most` is below 2.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> from llmopt.types import Document
        >>> model = FakeModel(lambda m: "A" if m[-1].content.index("cat") < m[-1].content.index("dog") else "B")
        >>> hits = [Hit(Document("1", "a dog"), 2.0), Hit(Document("2", "a cat"), 1.0)]
        >>> [hit.document.id for hit in Pairwise(model).rerank("purr", hits)]
        ['2', '1']
    """

    model: ChatModel
    most: int = 10
    concurrency: int = 16
    options: Options = Options(temperature=0)

    async def score(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Compare the first hits and return the share of their wins; the others get less than 0."""
        if self.most < 2:
            raise UsageError(f"`Pairwise` compares at least 2 hits, got most={self.most}")
        count = min(self.most, len(hits))
        pairs = list(permutations(range(count), 2))

        async def first_wins(pair: tuple[int, int]) -> bool:
            return await self._first_is_better(query, hits[pair[0]], hits[pair[1]])

        won = dict(zip(pairs, await gather_bounded(first_wins, pairs, limit=self.concurrency), strict=True))
        wins = [0.0] * count
        ties = 0
        for one, other in combinations(range(count), 2):
            share = (won[one, other] + (not won[other, one])) / 2
            ties += share == 0.5
            wins[one] += share
            wins[other] += 1 - share
        note("pairs", {"compared": len(pairs) // 2, "ties": ties})
        return [*(win / max(1, count - 1) for win in wins), *(-1.0 - place for place in range(len(hits) - count))]

    def plan(self, query: str, hits: Sequence[Hit]) -> Sequence[Planned]:
        """Return two calls for every two of the first hits."""
        count = min(self.most, len(hits))
        longest = max((hit.document.text for hit in hits[:count]), key=len, default="")
        asked = pairwise_prompt(query, longest, longest)
        calls = count * (count - 1)
        return [planned_calls(self.model, "rerank", asked, calls=calls, options=self.options, reply_tokens=10)]

    async def _first_is_better(self, query: str, first: Hit, second: Hit) -> bool:
        messages = pairwise_prompt(query, first.document.text, second.document.text)
        reply = content_of(await self.model.acomplete(messages, self.options))
        letter = _letter_of(reply)
        if letter not in {"A", "B"}:
            raise ModelOutputError(f"`Pairwise` asked for A or B, the model replied {reply[:80]!r}")
        return letter == "A"


def _letter_of(reply: str) -> str:
    found = _LETTER.match(verdict_of(reply))
    return found.group(1).upper() if found else ""
