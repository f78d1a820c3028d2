"""Simulated worlds whose failures have known causes: for testing diagnoses, and anything that claims to find causes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..evaluation import Evaluator, ExactMatch
from ..experiments.diagnosis import Cause
from ..interfaces import ChatModel, Judge
from ..pipeline import Pipeline
from ..prompting import Direct
from ..retrieval import BM25
from ..types import Completion, Document, ImpliedQuestion, Message, Options, Sample, Span, Usage, Verdict

__all__ = ["PLANTABLE", "Skill", "World", "WorldJudge", "WorldReader", "make_world"]

PLANTABLE: tuple[Cause, ...] = (
    "missing from corpus",
    "cut by chunking",
    "not fetched",
    "ranked below k",
    "drowned",
    "distracting",
    "format",
    "instruction",
    "reasoning",
    "refusal",
    "suspect label",
)
"""Causes that can be planted; "noise" comes by itself when the reader is not always right."""

_K, _FETCH = 3, 6
_DECOYS: Mapping[Cause | None, int] = {"ranked below k": 4, "not fetched": 6}
_BEHAVIOUR = frozenset({"format", "instruction", "reasoning", "refusal", "suspect label"})
_FILLER = " and so on it goes with words that say nothing of it at all"
_LEAST_RIGHT, _MOST_LUCK = 0.55, 0.45


@dataclass(frozen=True, slots=True)
class Skill:
    """How good a simulated reader is.

    Attributes:
        right: Chance to answer right with what it needs, above a half.
        luck: Chance to answer right without, below a half.
        spread: How far both lie apart from question to question, up and down.
    """

    right: float = 0.95
    luck: float = 0.02
    spread: float = 0.0

    def chances(self, places: Sequence[float]) -> tuple[list[float], list[float]]:
        """Return, for places from 0 to 1 in the spread, the chances with what is needed and without."""
        moved = [self.spread * (2 * place - 1) for place in places]
        with_it = [min(1.0, max(_LEAST_RIGHT, self.right + move)) for move in moved]
        return with_it, [max(0.0, min(_MOST_LUCK, self.luck - move)) for move in moved]


@dataclass(frozen=True, slots=True)
class _Question:
    """One question of a world: its planted cause, its evidence, and how good the reader is at it."""

    id: str
    cause: Cause | None
    reference: str
    truth: str
    evidence: str
    right: float
    luck: float


@dataclass(repr=False, eq=False)
class WorldReader(ChatModel):
    """A reader that is right with a chance that depends on its contexts and on the planted cause.

    Equal requests get equal replies; another `Options.replicate` is another draw.

    Args:
        questions: By id, as they stand in the question's text.
        seed: Of the draws.
    """

    questions: Mapping[str, _Question]
    seed: int = 0

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Answer by the chance of the question that is asked."""
        text = messages[-1].content
        id = text.rpartition("What is known of ")[2].partition("?")[0]
        asked = self.questions[id]
        chance = self._chance(asked, text)
        right = _number(self.seed, id, text, options.replicate) < chance
        reply = asked.reference if right else self._wrong(asked, text)
        return Completion(reply, Usage(len(text.split()), len(reply.split()), calls=1), cost=0.0, model="world")

    def price(self, usage: Usage) -> float:
        """Return 0: nothing leaves the machine."""
        return 0.0

    def _chance(self, asked: _Question, text: str) -> float:
        has_gold, distracted = asked.evidence in text, f"{asked.id} rumour" in text
        if asked.cause in _BEHAVIOUR:
            return asked.luck
        if asked.cause == "distracting":
            return asked.luck if distracted else asked.right
        if asked.cause == "drowned":
            return asked.right if has_gold and not distracted else asked.luck
        return asked.right if has_gold else asked.luck

    def _wrong(self, asked: _Question, text: str) -> str:
        if asked.cause == "suspect label":
            return asked.truth
        if asked.cause == "refusal":
            return "I don't know."
        if asked.cause == "format":
            return f"As asked, it must be {asked.reference} indeed."
        if asked.cause == "instruction":
            return asked.reference.split()[0]
        return f"slip{int(1e6 * _number(self.seed, 'slip', text, 0))}"


@dataclass(repr=False, eq=False)
class WorldJudge(Judge):
    """A judge that knows what stands in the contexts, word by word."""

    def claims(self, question: str, answer: str) -> list[str]:
        """Take the answer as one claim."""
        return [answer] if answer else []

    def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        """Say whether a claim stands in a context."""
        return [Verdict(claim, any(claim in text for text in contexts)) for claim in claims]

    def useful(self, question: str, target: str, contexts: Sequence[str]) -> list[Verdict]:
        """Say whether a context holds the target."""
        return [Verdict(text, target in text) for text in contexts]

    def questions(self, answer: str, count: int) -> list[ImpliedQuestion]:
        """Imply one question."""
        return [ImpliedQuestion(f"What is {answer}?")] * count

    def attributed(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
        """Say whether the reference stands in a context."""
        return self.supported([reference], contexts)


@dataclass(frozen=True)
class World:
    """A pipeline that fails for known causes.

    Attributes:
        pipeline: Over an index of passages.
        samples: Questions with references, gold ids and, where asked for, evidence.
        documents: The corpus before it was cut, with the documents that the index lacks.
        evaluator: Exact match.
        judge: Knows what the contexts say.
        planted: The cause of each sample, by id; None: nothing is wrong with it.
        shares: What share of all questions of such worlds fails for each cause, "noise" included.
    """

    pipeline: Pipeline
    samples: Sequence[Sample]
    documents: Sequence[Document]
    evaluator: Evaluator
    judge: Judge
    planted: Mapping[str, Cause | None]
    shares: Mapping[Cause, float]


def make_world(
    planted: Mapping[Cause, float], *, samples: int = 120, skill: Skill = Skill(), evidence: bool = True, seed: int = 0
) -> World:
    """Return a world in which each question has one of the causes, or none, with the given chances.

    Args:
        planted: Per cause, the chance that a question has it; 1 at most together.
        samples: How many questions.
        skill: Of the reader.
        evidence: Whether the samples name the text that holds the answer, beside the document's id.
        seed: Of everything.

    Raises:
        UsageError: When a cause cannot be planted, or the chances are none.

    Example:
        >>> world = make_world({"not fetched": 0.5}, samples=4, skill=Skill(right=1, luck=0))
        >>> list(world.planted.values())
        [None, 'not fetched', 'not fetched', 'not fetched']
        >>> world.evaluator.run(world.samples, pipeline=world.pipeline).summary("exact_match").mean
        0.25
    """
    _check(planted, skill)
    random = np.random.default_rng(seed)
    fine = 1 - sum(planted.values())
    kinds: list[Cause | None] = [*planted, None]
    drawn = random.choice(len(kinds), size=samples, p=[*planted.values(), max(0.0, fine)])
    chances = skill.chances([float(place) for place in random.random(samples)])
    questions = [
        _question(number, kinds[int(kind)], *pair)
        for number, (kind, pair) in enumerate(zip(drawn, zip(*chances, strict=True), strict=True))
    ]
    passages = [passage for question in questions for passage in _passages(question)]
    reader = WorldReader({question.id: question for question in questions}, seed)
    pipeline = Pipeline(model=reader, prompt=Direct(), retriever=BM25().index(passages), k=_K, fetch=_FETCH)
    grid = skill.chances([(number + 0.5) / 1000 for number in range(1000)])
    right, luck = (float(np.mean(each)) for each in grid)
    shares: dict[Cause, float] = {cause: chance * (1 - luck) for cause, chance in planted.items()}
    return World(
        pipeline,
        [_sample(question, evidence=evidence) for question in questions],
        [_gold(question) for question in questions],
        Evaluator([ExactMatch()], progress=False),
        WorldJudge(),
        {question.id: question.cause for question in questions},
        {**shares, "noise": fine * (1 - right)},
    )


def _check(planted: Mapping[Cause, float], skill: Skill) -> None:
    strange = [cause for cause in planted if cause not in PLANTABLE]
    if strange:
        raise UsageError(f"the cause {strange[0]!r} cannot be planted; these can: {', '.join(PLANTABLE)}")
    if any(chance < 0 for chance in planted.values()) or sum(planted.values()) > 1 + 1e-9:
        raise UsageError(f"the chances of the causes must be 0 or more and 1 at most together, got {dict(planted)}")
    if not skill.luck < 0.5 < skill.right:
        raise UsageError(f"a reader is right above a half and lucky below, got {skill.right} and {skill.luck}")


def _question(number: int, cause: Cause | None, right: float, luck: float) -> _Question:
    reference, truth = f"amber{number:04d} basalt{number:04d}", f"cedar{number:04d} delta{number:04d}"
    said = truth if cause == "suspect label" else reference
    left, last = said.split()
    return _Question(
        f"topic{number:04d}", cause, reference, truth, f"it is known as {left} {last} to all", right, luck
    )  # fmt: skip


def _sample(question: _Question, *, evidence: bool) -> Sample:
    metadata = {"evidence": (question.evidence,)} if evidence else {}
    return Sample(
        question=f"What is known of {question.id}?",
        id=question.id,
        reference=question.reference,
        gold=[f"gold-{question.id}"],
        metadata=metadata,
    )


def _gold(question: _Question) -> Document:
    """Return the document that holds the answer, with as many of the question's words as its cause allows."""
    name, evidence = question.id, question.evidence
    beginning = {
        "not fetched": "The thing in question",
        "ranked below k": f"A long way off{_FILLER} {name}",
    }.get(question.cause or "", f"{name} {name} {name}")
    return Document(f"gold-{name}", f"{beginning}: {evidence}.")


def _passages(question: _Question) -> list[Document]:
    gold = _gold(question)
    decoys = [
        Document(f"decoy-{question.id}-{number}", f"{question.id} rumour, {question.id} hearsay, says no {number}.")
        for number in range(_DECOYS.get(question.cause, 2))
    ]
    if question.cause == "missing from corpus":
        return decoys
    if question.cause == "cut by chunking":
        middle = gold.text.rindex(" ", 0, gold.text.index(" to all"))  # between the words of the answer
        return [_piece(gold, 0, 0, middle), _piece(gold, 1, middle, len(gold.text)), *decoys]
    return [gold, *decoys]


def _piece(document: Document, number: int, start: int, end: int) -> Document:
    span = Span(start, end)
    return Document(f"{document.id}#{number}", document.text[start:end], parent=document.id, span=span)


def _number(*parts: object) -> float:
    """Return a number from 0 to 1 that depends on all of the parts."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
