"""Where the gold passage got lost on its way into the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ...pipeline import Pipeline
from ...types import Document, Hit, Sample
from .gold import Needed
from .tree import Place

__all__ = ["Located", "deepened", "locate", "shown"]

_ORDER: Final[tuple[Place, ...]] = ("missing from corpus", "cut by chunking", "not fetched", "ranked below k")


@dataclass(frozen=True, slots=True)
class Located:
    """How far the gold passages came.

    Attributes:
        place: Of the one that was lost first; "in the prompt" when all are there.
        where: More about it, in words.
        rank: Of the worst passage that was fetched and is not in the prompt, from 1; 0 when there is none.
    """

    place: Place = "unknown"
    where: str = ""
    rank: int = 0


def shown(sample: Sample) -> list[Document]:
    """Return the contexts of an answered sample as documents, their ids being those of the sources."""
    ids = list(sample.context_ids) or [""] * len(sample.contexts)
    pairs = zip(ids, sample.contexts, strict=False)
    return [Document(f"\0{number}", text, parent=id) for number, (id, text) in enumerate(pairs)]


def deepened(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline as it searches before reranking, with all that it fetches."""
    routes = {label: deepened(route) for label, route in pipeline.routes.items()}
    return replace(pipeline, reranker=None, k=max(pipeline.k, pipeline.fetch), routes=routes)


def locate(needed: Sequence[Needed], contexts: Sequence[Document], fetched: Sequence[Hit] | None) -> Located:
    """Return where the passage was lost that was lost first.

    Args:
        needed: What the answer needs; nothing: nobody can tell.
        contexts: What the model was shown.
        fetched: What a search of the pipeline's `fetch` brings, best first; None when it does not search.
    """
    if not needed:
        return Located()
    lost = [each for each in needed if not any(each.held_by(context) for context in contexts)]
    if not lost:
        return Located("in the prompt")
    found = [_lost(each, fetched, len(contexts)) for each in lost]
    unknown = [each for each in found if each.place == "lost"]
    rank = max(each.rank for each in found)
    first = unknown[0] if unknown else min(found, key=lambda each: _ORDER.index(each.place))
    return replace(first, rank=rank)


def _lost(needed: Needed, fetched: Sequence[Hit] | None, shown: int) -> Located:
    if fetched is None:
        return Located("not fetched", "the pipeline has no retriever")
    ranks = [rank for rank, hit in enumerate(fetched, 1) if needed.held_by(hit.document)]
    if ranks:
        return Located("ranked below k", f"rank {ranks[0]} of {len(fetched)}, {shown} in the prompt", ranks[0])
    name = needed.source or needed.document.id
    if needed.known is None:
        return Located("lost", f"{name!r} is not among {len(fetched)} fetched, the index is not known")
    if not needed.known:
        return Located("missing from corpus", f"the index has nothing of {name!r}")
    if not needed.whole:
        return Located("cut by chunking", f"no passage of {name!r} holds it whole")
    return Located("not fetched", f"{name!r} is not among {len(fetched)} fetched")
