"""Which passages a question is written from: drawn by a seed, two related ones where two are needed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._text import words
from ..errors import CorpusError, UsageError
from ..retrieval import BM25
from ..types import Document, Sample
from .generation_prompts import QuestionKind

__all__ = ["PASSAGES_OF", "Draft", "Drawing", "draw_passages"]

PASSAGES_OF: Mapping[QuestionKind, int] = {"single_fact": 1, "multi_hop": 2, "comparison": 2, "unanswerable": 1}

_QUERY_WORDS = 60
_CANDIDATES = 8
_AMONG_BEST = 3
_TWIN = 0.8


@dataclass(frozen=True, slots=True)
class Draft:
    """A question that is to be written.

    Attributes:
        number: From 1.
        kind: Of the question.
        passages: What it is written from; fewer than the kind needs: there is no related one.
        turn: How often its first passage had its turn before.
    """

    number: int
    kind: QuestionKind
    passages: Sequence[Document]
    turn: int

    def sample(self, question: str = "", reference: str = "") -> Sample:
        """Return the draft as a sample; one that cannot be answered has neither reference nor gold."""
        answerable = self.kind != "unanswerable"
        return Sample(
            id=f"generated-{self.number:04d}",
            question=question,
            reference=reference if answerable else None,
            gold=tuple(dict.fromkeys(passage.source for passage in self.passages)) if answerable else (),
            answerable=answerable,
            category=self.kind,
            group=self.passages[0].source,
            metadata={"passages": [passage.id for passage in self.passages]},
        )


@dataclass(frozen=True, slots=True)
class Drawing:
    """The drafts in the order in which they are written, and the index of all passages."""

    drafts: Sequence[Draft]
    index: BM25


def draw_passages(passages: Sequence[Document], kinds: Mapping[QuestionKind, float], count: int, seed: int) -> Drawing:
    """Return drafts; more of them with the same seed begin with the same ones.

    Every passage has its turn before one comes again. The second passage of a pair is one of the nearest to
    the first by its words, and no copy of it.

    Raises:
        CorpusError: When no passage has any text, or two have one id.
        UsageError: When the kinds or the count make no sense.
    """
    _check(kinds, count)
    usable = [passage for passage in passages if passage.text.strip()]
    if not usable:
        raise CorpusError(f"there is no text to write questions about in {len(passages)} documents")
    index = BM25().index(usable)
    order = list(usable)
    random.Random(f"{seed} passages").shuffle(order)
    drafts: list[Draft] = []
    for number, kind in enumerate(_spread(kinds, count), 1):
        turn, place = divmod(number - 1, len(order))
        chance = random.Random(f"{seed} {number}")
        chosen = [order[place]]
        if PASSAGES_OF[kind] > 1:
            chosen += _related(order[place], index, chance)
        drafts.append(Draft(number, kind, tuple(chosen), turn))
    return Drawing(drafts, index)


def _related(passage: Document, index: BM25, chance: random.Random) -> list[Document]:
    mine = set(words(passage.text))
    query = " ".join(passage.text.split()[:_QUERY_WORDS]) if " " in passage.text else passage.text[: 4 * _QUERY_WORDS]
    near = [hit.document for hit in index.retrieve(query, k=_CANDIDATES) if hit.document.id != passage.id]
    others = [document for document in near if not _is_twin(mine, set(words(document.text)))]
    return [chance.choice(others[:_AMONG_BEST])] if others else []


def _is_twin(mine: set[str], other: set[str]) -> bool:
    return len(mine & other) >= _TWIN * max(1, min(len(mine), len(other)))


def _spread(kinds: Mapping[QuestionKind, float], count: int) -> list[QuestionKind]:
    """Return the kinds in turn, at every length as near to their shares as can be."""
    total = sum(kinds.values())
    given = dict.fromkeys(kinds, 0)
    order: list[QuestionKind] = []
    for number in range(1, count + 1):
        kind = max(kinds, key=lambda name: kinds[name] / total * number - given[name])
        given[kind] += 1
        order.append(kind)
    return order


def _check(kinds: Mapping[QuestionKind, float], count: int) -> None:
    unknown = sorted(set(kinds) - set(PASSAGES_OF))
    if unknown:
        raise UsageError(f"there is no kind of question {unknown[0]!r}; there are {', '.join(PASSAGES_OF)}")
    if not kinds or any(share < 0 for share in kinds.values()) or sum(kinds.values()) <= 0:
        raise UsageError(f"`kinds` gives every kind of question a share of 0 or more, one above 0; got {dict(kinds)}")
    if count < 1:
        raise UsageError(f"`count` is a number of samples and must be at least 1, got {count}")
