"""Examples before the question: fixed, nearest, or diverse."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from .._sync import call
from .._tokens import count_messages
from .._trace import note, step
from ..errors import NotReadyError, UsageError
from ..interfaces import ChatModel, IndexedRetriever, PromptStrategy, Reranker
from ..types import Document, Hit, Message, Planned
from .shot import Shot, likeness
from .wrapper import Wrapper, first_turn, is_one_call

__all__ = ["FewShot", "WithExamples"]

_CANDIDATES_PER_SHOT = 5
_SPARE = 4


@dataclass(frozen=True, repr=False, eq=False)
class FewShot(Wrapper):
    """Shows examples before the question: each as a question and its answer, like turns of the chat.

    Without a retriever the first `count` examples are shown, in their order. With one, the nearest to the
    question, nearest last (KATE, Liu et al. 2022); with a reranker, too, those it picks among the nearest
    (for diverse examples: MMR). The question itself and its near-duplicates are never shown: they would
    give the answer away, and an evaluation would measure nothing.

    The retriever is indexed over the examples' questions when the first question comes; give every
    `FewShot` a retriever of its own.

    Args:
        inner: Renders the question and the questions of the examples; a strategy of one call.
        shots: The examples.
        retriever: Finds the nearest examples.
        reranker: Picks among them.
        count: Examples to show, at most; fewer when the retriever finds fewer or the budget is reached.
        max_tokens: Budget for all examples together; the farthest that do not fit are left out.
        near_duplicate: Examples whose wording is at least so like the question's, 0 to 1, are not shown.

    Raises:
        UsageError: On first use: without examples, with a budget that no example fits into, around a
            strategy of several calls.

    Example:
        >>> from llmopt.prompting import Direct
        >>> from llmopt.testing import FakeModel
        >>> shots = [Shot("2 + 2?", "4"), Shot("3 + 5?", "8")]
        >>> model = FakeModel("10")
        >>> FewShot(Direct(), shots).run(model, "What is six plus four?").text
        '10'
        >>> [message.content for message in model.requests[0]]
        ['2 + 2?', '4', '3 + 5?', '8', 'What is six plus four?']
    """

    inner: PromptStrategy
    shots: Sequence[Shot]
    retriever: IndexedRetriever | None = None
    reranker: Reranker | None = None
    count: int = 4
    max_tokens: int | None = None
    near_duplicate: float = 0.9
    _indexed: threading.Event = field(init=False, default_factory=threading.Event)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def messages(self, question: str, contexts: Sequence[Hit]) -> Sequence[Message]:
        """Build the inner prompt with the fixed examples before its question.

        Raises:
            UsageError: With a retriever, before `prepare` has looked the examples up.
        """
        self._check()
        if self.retriever is not None:
            raise UsageError("FewShot with a retriever must be prepared first: `await few_shot.prepare(question)`")
        return WithExamples(self.inner, self._fitting(self.inner, self._fixed(question))).messages(question, contexts)

    async def prepare(self, question: str) -> PromptStrategy:
        """Return the strategy with the examples for this question chosen."""
        self._check()
        inner = await self.inner.prepare(question)
        with step("choose examples", self, question) as recorder:
            ranked = self._fixed(question) if self.retriever is None else await self._nearest(question, self.retriever)
            shown = self._fitting(inner, ranked)
            if self.retriever is not None:
                shown.reverse()
            recorder.output = [shot.question for shot in shown]
            note("shown", recorder.output)
        return WithExamples(inner, tuple(shown))

    def plan(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Sequence[Planned]:
        """Return the call with the first examples in it, and what looking the nearest ones up takes."""
        shown = WithExamples(self.inner, tuple(self._fitting(self.inner, self._fixed(question))))
        found = [] if self.retriever is None else [*self.retriever.plan(question)]
        if self.reranker is not None:
            nearest = [Hit(Document(str(n), shot.question), -float(n)) for n, shot in enumerate(self.shots)]
            found += self.reranker.plan(question, nearest[: self.count * _CANDIDATES_PER_SHOT])
        return [*found, *shown.plan(model, question, contexts)]

    def __repr__(self) -> str:
        """Show the parameters, the examples by their number."""
        shown = {**self.params(), "shots": f"<{len(self.shots)} examples>"}
        return f"FewShot({', '.join(f'{name}={value}' for name, value in shown.items())})"

    def _check(self) -> None:
        if not self.shots:
            raise UsageError("FewShot has no examples: give it `shots`, or use its inner strategy alone")
        for shot in self.shots:
            if not isinstance(shot, Shot):  # pyright: ignore[reportUnnecessaryIsInstance] - pairs are soon given
                raise UsageError(f"FewShot takes examples as `Shot(question, answer)`, got {shot!r:.100}")
        if self.count < 1:
            raise UsageError(f"FewShot: `count` is a number of examples and must be at least 1, got {self.count}")
        if self.reranker is not None and self.retriever is None:
            raise UsageError("FewShot: the reranker needs a retriever, whose examples it picks from")
        if not is_one_call(self.inner):
            name = type(self.inner).__name__
            raise UsageError(f"FewShot puts examples into one prompt, but {name} makes several: put FewShot inside it")

    def _fixed(self, question: str) -> list[Shot]:
        return list(islice((shot for shot in self.shots if not self._is_near(shot.question, question)), self.count))

    def _is_near(self, text: str, question: str) -> bool:
        return likeness(text, question) >= self.near_duplicate

    async def _nearest(self, question: str, retriever: IndexedRetriever) -> list[Shot]:
        """Return the examples, best first."""
        if not self._indexed.is_set():
            await call(self._index, retriever)
        wanted = self.count if self.reranker is None else self.count * _CANDIDATES_PER_SHOT
        fetched, hits, usable = wanted + _SPARE, list[Hit](), list[Hit]()
        while True:
            hits = await retriever.aretrieve(question, k=fetched)
            usable = [hit for hit in hits if not self._is_near(hit.document.text, question)]
            if len(usable) >= wanted or len(hits) < fetched:
                break
            fetched *= 2
        if self.reranker is not None:
            usable = await self.reranker.arerank(question, usable[:wanted], k=self.count)
        return [self.shots[int(hit.document.id)] for hit in usable[: self.count]]

    def _index(self, retriever: IndexedRetriever) -> None:
        """Index the examples once, however many questions come at the same time; runs in a worker thread."""
        with self._lock:
            if self._indexed.is_set():
                return
            documents = tuple(Document(f"{number:08d}", shot.question) for number, shot in enumerate(self.shots))
            try:
                known = retriever.documents
            except NotReadyError:
                retriever.index(documents)
            else:
                if known != documents:
                    raise UsageError(
                        f"the {type(retriever).__name__} of FewShot is indexed over {len(known)} other documents: "
                        "give FewShot a retriever of its own, not yet indexed"
                    )
            self._indexed.set()

    def _fitting(self, inner: PromptStrategy, ranked: Sequence[Shot]) -> list[Shot]:
        """Return the examples that fit into the budget, the best first."""
        if self.max_tokens is None:
            return list(ranked)
        kept: list[Shot] = []
        left, sizes = self.max_tokens, [_tokens(inner, shot) for shot in ranked]
        for shot, size in zip(ranked, sizes, strict=True):
            if size <= left:
                kept.append(shot)
                left -= size
        if ranked and not kept:
            raise UsageError(
                f"FewShot: not even one of {len(ranked)} examples fits into max_tokens={self.max_tokens}; the "
                f"shortest takes {min(sizes)}: raise the budget or shorten the examples"
            )
        if len(kept) < len(ranked):
            note("over the token budget", [shot.question for shot in ranked if shot not in kept])
        return kept


@dataclass(frozen=True, repr=False, eq=False)
class WithExamples(Wrapper):
    """The inner strategy with examples that are already chosen, in the order in which they are shown."""

    inner: PromptStrategy
    shots: Sequence[Shot]

    def messages(self, question: str, contexts: Sequence[Hit]) -> Sequence[Message]:
        """Build the inner prompt with the examples before its question."""
        asked = list(self.inner.messages(question, contexts))
        at = first_turn(asked)
        turns = [message for shot in self.shots for message in _turns(self.inner, shot)]
        return [*asked[:at], *turns, *asked[at:]]

    def plan(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Sequence[Planned]:
        """Return what the prompt with the examples takes."""
        return PromptStrategy.plan(self, model, question, contexts)


def _turns(inner: PromptStrategy, shot: Shot) -> list[Message]:
    asked = inner.messages(shot.question, shot.contexts)
    return [*asked[first_turn(asked) :], Message("assistant", shot.answer)]


def _tokens(inner: PromptStrategy, shot: Shot) -> int:
    return count_messages(_turns(inner, shot)).count
