"""What suggestions are made from: the pipeline, what failed, and what may be built without paying for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from ...interfaces import ChatModel, Component, Embedder, IndexedRetriever, PromptStrategy, Retriever
from ...models import ExtractiveReader
from ...pipeline import Pipeline
from ...types import Document, Sample, Usage
from .corpus import Corpus
from .finding import Cause
from .investigation import Dossier

__all__ = ["NAME_GOLD", "Scene", "Step", "has_part", "is_free", "rebuilt"]

C = TypeVar("C", bound=Component)

_MOST_INDEXED = 1000


@dataclass(frozen=True)
class Step:
    """An experiment, before it is known what it may gain.

    Attributes:
        name: Of the step.
        why: In a sentence.
        changes: As they are written in code, slot by slot.
        made: The same as objects; empty when the user must supply a part.
        share: Of the cause's failures that it may mend, 0 to 1.
        calls: Model calls per answer beyond those of today.
        code: Instead of a call of `ladder.step`, where none will do.
    """

    name: str
    why: str
    changes: Mapping[str, str]
    made: Mapping[str, object]
    share: float = 1.0
    calls: int = 0
    code: str = ""


NAME_GOLD: Final = Step(
    "name the gold passages",
    "then the diagnosis says where they get lost",
    {},
    {},
    code='samples = [replace(sample, gold=["<id of the document that holds the answer>"]) ...]',
)
"""For samples of which nobody said which documents answer them."""


@dataclass(frozen=True)
class Scene:
    """The pipeline and what is known of its failures.

    Attributes:
        pipeline: What fails.
        corpus: The documents that are known.
        failed: The dossiers by cause.
        passed: Samples that pass.
    """

    pipeline: Pipeline
    corpus: Corpus
    failed: Mapping[Cause, Sequence[Dossier]]
    passed: Sequence[Sample]

    @property
    def thinks(self) -> bool:
        """Whether the model follows instructions; a reader that only quotes does not."""
        return not has_part(self.pipeline.model, ExtractiveReader)

    @property
    def small(self) -> bool:
        """Whether indexing all the documents again takes no time worth mentioning."""
        return 0 < len(self.corpus.indexed) <= _MOST_INDEXED

    def reindexed(self, documents: Sequence[Document]) -> Retriever | None:
        """Return the pipeline's retriever over other documents, the old one left alone; None if that would cost."""
        retriever = self.pipeline.retriever
        fits = isinstance(retriever, IndexedRetriever) and is_free(retriever) and 0 < len(documents) <= _MOST_INDEXED
        return rebuilt(retriever).index(documents) if fits and isinstance(retriever, IndexedRetriever) else None

    def prompt_has(self, kind: type[PromptStrategy]) -> bool:
        """Return whether the prompt strategy is, or wraps, one of that kind."""
        return has_part(self.pipeline.prompt, kind)


def has_part(part: object, kind: type[Component]) -> bool:
    """Return whether a component is of that kind or has one inside."""
    return isinstance(part, kind) or any(has_part(inner, kind) for inner in _inside(part))


def is_free(part: object) -> bool:
    """Return whether nothing inside asks a chat model, or an embedder that is not known to cost nothing."""
    if isinstance(part, ChatModel):
        return False
    if isinstance(part, Embedder) and part.price(Usage(input_tokens=1000, calls=1)) != 0.0:
        return False
    return all(is_free(inner) for inner in _inside(part))


def rebuilt(retriever: C) -> C:
    """Return a retriever with the same parameters and no documents; retrievers inside are rebuilt, too."""
    return type(retriever)(**{name: _renewed(value) for name, value in retriever.params().items()})


def _renewed(value: object) -> object:
    if isinstance(value, Retriever):
        return rebuilt(value)
    if isinstance(value, list | tuple):
        return [_renewed(item) for item in cast("Sequence[object]", value)]
    return value


def _inside(part: object) -> Iterator[object]:
    if isinstance(part, Component):
        yield from part.params().values()
    elif isinstance(part, list | tuple):
        yield from cast("Sequence[object]", part)
