"""Deterministic stand-ins for models, embedders and judges: no network, no chance, everything recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .._text import words
from ..errors import UsageError
from ..interfaces import ChatModel, Embedder, Judge
from ..types import Completion, ImpliedQuestion, Matrix, Message, Options, TextKind, Usage, Verdict

__all__ = ["FakeEmbedder", "FakeJudge", "FakeModel", "Reply"]

Reply = str | Completion | Exception
"""What a fake model answers: a text, a whole completion, or an error that it raises."""


@dataclass(repr=False, eq=False)
class FakeModel(ChatModel):
    """A chat model that answers what it is told and remembers what it was asked.

    Args:
        reply: A reply for every call, or a function of the messages.
        script: Replies for the first calls, in order; afterwards `reply` answers.

    Example:
        >>> model = FakeModel("yes", script=["first"])
        >>> model.complete("a").text, model.complete("b").text, len(model.requests)
        ('first', 'yes', 2)
    """

    reply: Reply | Callable[[Sequence[Message]], Reply] = "an answer"
    script: Sequence[Reply] = ()
    requests: list[Sequence[Message]] = field(init=False, default_factory=list[Sequence[Message]])
    options: list[Options] = field(init=False, default_factory=list[Options])

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Answer; tokens are counted as words."""
        number = len(self.requests)
        self.requests.append(tuple(messages))
        self.options.append(options)
        reply = self.script[number] if number < len(self.script) else self.reply
        if callable(reply):
            reply = reply(messages)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Completion):
            return reply
        read = sum(len(message.content.split()) for message in messages)
        return Completion(reply, Usage(read, len(reply.split()), calls=1), cost=0.0, model="fake")


@dataclass(repr=False, eq=False)
class FakeEmbedder(Embedder):
    """An embedder of hashed words: equal texts have equal vectors, shared words mean closeness.

    Example:
        >>> rows = FakeEmbedder().encode(["a cat", "the cat", "rain"], kind="document")
        >>> bool(rows[0] @ rows[1] > rows[0] @ rows[2])
        True
    """

    dimensions: int = 256
    requests: list[Sequence[str]] = field(init=False, default_factory=list[Sequence[str]])

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return the rows; an empty text has a zero row."""
        self.requests.append(tuple(texts))
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in words(text):
                digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
                row[int.from_bytes(digest[:4], "big") % self.dimensions] += 1 if digest[4] % 2 else -1
        return rows


@dataclass(repr=False, eq=False)
class FakeJudge(Judge):
    """A judge that reads its verdicts from a table.

    Args:
        verdicts: Per statement or context, whether it holds; what is not in it is unjudged.
        splits: Per text, its claims; a text that is not in it is one claim, an empty one none.
        implied: Per answer, the questions that it implies; else "What is <answer>?".
    """

    verdicts: Mapping[str, bool | None] = field(default_factory=dict[str, bool | None])
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    implied: Mapping[str, Sequence[ImpliedQuestion]] = field(default_factory=dict[str, Sequence[ImpliedQuestion]])

    def claims(self, question: str, answer: str) -> list[str]:
        """Look the answer up in `splits`."""
        return list(self.splits.get(answer, [answer] if answer else []))

    def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        """Look every claim up in `verdicts`."""
        return [self._verdict(claim) for claim in claims]

    def useful(self, question: str, target: str, contexts: Sequence[str]) -> list[Verdict]:
        """Look every context up in `verdicts`."""
        return [self._verdict(context) for context in contexts]

    def questions(self, answer: str, count: int) -> list[ImpliedQuestion]:
        """Look the answer up in `implied`."""
        if not answer:
            raise UsageError("a fake judge implies no question from an empty answer")
        return list(self.implied.get(answer, [ImpliedQuestion(f"What is {answer}?")] * count))

    def attributed(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
        """Split the reference and look its statements up."""
        return [self._verdict(claim) for claim in self.claims(question, reference)]

    def _verdict(self, statement: str) -> Verdict:
        holds = self.verdicts.get(statement)
        return Verdict(statement, holds, "" if holds is not None else "not in the table")
