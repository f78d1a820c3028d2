"""A reader that works offline: it quotes the sentences of the contexts that answer the question."""

from __future__ import annotations

import math
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from ..._fences import read_fences
from ..._sync import call
from ..._tokens import estimate_tokens
from ..._trace import note
from ...errors import RequestRejectedError, UsageError
from ...interfaces import ChatModel, Embedder
from ...types import Completion, Delta, Message, Options, Usage
from ._passages import Sentence, read_passage
from ._questions import Part, read_question
from ._relevance import Reading

__all__ = ["ExtractiveReader"]

_UNKNOWN = "I don't know."
_AGREED = re.compile(r"reply with exactly:[ \t]*(\S[^\n]*)", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)\s*$")
_FENCE_LINE = re.compile(r"^<<<(?:end )?[^\n<>]+ [0-9a-f]{8}>>>$", re.MULTILINE)
_QUESTION_MARK = "# Question\n"

# The chance that the contexts hold the answer, from the best score: a logistic curve fitted where the weights
# were. Its middle lies between that of a fit on the questions as they come (4.0) and of one in which answerable
# and unanswerable ones count the same (4.8).
_SLOPE, _MIDDLE = 0.9, 4.4
# A further sentence is quoted when its score is that near to the best one's, unless it says the same.
_NEAR = 1.0
_SAME = 0.7


@dataclass(frozen=True, slots=True)
class _Choice:
    """The sentences to quote, by their numbers, and the chance that the contexts hold the answer."""

    numbers: tuple[int, ...]
    confidence: float


@dataclass(frozen=True, repr=False)
class ExtractiveReader(ChatModel):
    """A stand-in for a language model that writes nothing: it quotes sentences of the given contexts.

    From the prompt of a strategy that fences its contexts (`Grounded`) it picks the few sentences whose
    words answer the question best, and replies with them, verbatim but for white space, each followed by
    the number of its context, `[2]`. When none is likely enough to answer it replies with the phrase
    that the prompt agrees for that ("reply with exactly: ..."), else "I don't know." It needs no network,
    no key and no download, takes a few milliseconds, and always gives the same reply.

    It understands nothing: it compares words, weighs rare ones and code-like ones more, and looks for
    what the kind of question asks for (a number, a reason, an exception). A question in other words than
    the text's is answered wrongly or not at all, so measure retrieval with it, not prompts. Sampling
    options have no effect; a request for JSON or tools is refused.

    Args:
        sentences: Most sentences in a reply, at least 1.
        threshold: Lowest chance (0 to 1, as calibrated) that the contexts hold the answer at which
            anything is quoted. Higher: fewer wrong answers, more abstentions.
        embedder: Adds likeness of meaning to the comparison of words, at the cost of its time: a fitted
            `LatentSemantic` (a few milliseconds more) or a trained model.

    Example:
        >>> from llmopt.prompting import Grounded
        >>> from llmopt.types import Document, Hit
        >>> texts = ["Cats sleep 15 hours a day. They hunt at night.", "Dogs bark at the postman."]
        >>> hits = [Hit(Document(text[:4], text), 1.0) for text in texts]
        >>> Grounded().run(ExtractiveReader(), "How many hours do cats sleep?", hits).text
        'Cats sleep 15 hours a day. [1]'
        >>> Grounded().run(ExtractiveReader(), "Who wrote Hamlet?", hits).outcome
        'abstained'
    """

    sentences: int = 3
    threshold: float = 0.5
    embedder: Embedder | None = None

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Return the quoted sentences, or the agreed phrase.

        Raises:
            RequestRejectedError: When JSON or tool calls are asked for.
            UsageError: When `sentences` or `threshold` is out of range.
        """
        return self._reply(messages, options)[1]

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        """Yield the reply sentence by sentence, the last with the whole completion."""
        pieces, completion = await call(self._reply, messages, options)
        for piece in pieces[:-1]:
            yield Delta(f"{piece} ")
        yield Delta(pieces[-1], completion)

    def price(self, usage: Usage) -> float:
        """Return 0: nothing leaves the machine."""
        return 0.0

    def _reply(self, messages: Sequence[Message], options: Options) -> tuple[list[str], Completion]:
        started = time.perf_counter()
        self._check(options)
        found = [sentence for number, text in _contexts(messages) for sentence in read_passage(text, number)]
        found = list({sentence.shown: sentence for sentence in reversed(found)}.values())[::-1]
        chosen = self._choose(found, _question(messages)) if found else _Choice((), 0.0)
        note("confidence", round(chosen.confidence, 3))
        quoted = [f"{found[number].shown} [{found[number].context}]" for number in chosen.numbers]
        pieces = quoted or [_agreed_phrase(messages)]
        text = " ".join(pieces)
        read = sum(estimate_tokens(message.content) for message in messages)
        return pieces, Completion(
            text,
            Usage(read, estimate_tokens(text), calls=1),
            cost=0.0,
            seconds=time.perf_counter() - started,
            model="extractive-reader",
        )

    def _check(self, options: Options) -> None:
        if self.sentences < 1 or not 0 <= self.threshold <= 1:
            raise UsageError(
                f"ExtractiveReader: `sentences` must be at least 1 and `threshold` between 0 and 1, got "
                f"{self.sentences} and {self.threshold}"
            )
        if options.schema is not None or options.tools:
            asked = "schema" if options.schema is not None else "tools"
            raise RequestRejectedError(
                "ExtractiveReader only quotes sentences: it cannot fill in JSON or call tools. Use a language model "
                "for that, or a strategy that needs neither",
                parameter=asked,
            )

    def _choose(self, found: Sequence[Sentence], question: str) -> _Choice:
        parts = read_question(question)
        reading = Reading(found)
        similar = self._similarities(found, parts)
        scored = [reading.scores(part, near) for part, near in zip(parts, similar, strict=True)]
        each = max(1, self.sentences // len(parts))
        picked: dict[int, float] = {}
        for scores in sorted(scored, key=max, reverse=True):
            confidence = _chance(max(scores))
            if confidence >= self.threshold:
                for number in _best(reading, scores, each):
                    picked.setdefault(number, confidence)
        surest = max(map(_chance, map(max, scored)))
        return _Choice(tuple(sorted(list(picked)[: self.sentences])), surest)

    def _similarities(self, found: Sequence[Sentence], parts: Sequence[Part]) -> list[list[float] | None]:
        if self.embedder is None:
            return [None] * len(parts)
        texts = [f"{sentence.label} {sentence.text}".strip() for sentence in found]
        asked = self.embedder.encode([part.text for part in parts], kind="query")
        cosines: list[list[float]] = (asked @ self.embedder.encode(texts, kind="document").T).tolist()
        return list(cosines)


def _best(reading: Reading, scores: Sequence[float], most: int) -> list[int]:
    """Return the best sentence and the next ones that are nearly as good and say something else."""
    order = sorted(range(len(scores)), key=lambda number: -scores[number])
    chosen = order[:1]
    for number in order[1:]:
        if len(chosen) == most or scores[number] < scores[order[0]] - _NEAR:
            break
        if all(reading.overlap(number, other) < _SAME for other in chosen):
            chosen.append(number)
    return chosen


def _chance(score: float) -> float:
    return 1 / (1 + math.exp(-_SLOPE * (score - _MIDDLE)))


def _contexts(messages: Sequence[Message]) -> list[tuple[int, str]]:
    """Return the fenced contexts with their numbers: those of the last user message, else of all messages."""
    fenced = read_fences(_last_user(messages)) or [item for m in messages for item in read_fences(m.content)]
    numbered: list[tuple[int, str]] = []
    for place, item in enumerate(fenced, 1):
        number = _NUMBER.search(item.label)
        numbered.append((int(number.group(1)) if number else place, item.text))
    return numbered


def _question(messages: Sequence[Message]) -> str:
    """Return what stands behind "# Question" below the contexts, else all that stands outside the fences."""
    prompt = _last_user(messages)
    lines = list(_FENCE_LINE.finditer(prompt))
    before, after = (prompt[: lines[0].start()], prompt[lines[-1].end() :]) if lines else ("", prompt)
    if _QUESTION_MARK in after:
        return after.partition(_QUESTION_MARK)[2].strip()
    return after.strip() or before.strip()


def _last_user(messages: Sequence[Message]) -> str:
    return next((message.content for message in reversed(messages) if message.role == "user"), "")


def _agreed_phrase(messages: Sequence[Message]) -> str:
    for message in messages:
        agreed = _AGREED.search(message.content) if message.role in {"system", "developer"} else None
        if agreed:
            return agreed.group(1).strip()
    return _UNKNOWN
