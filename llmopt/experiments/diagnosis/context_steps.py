"""Experiments against failures of the context: more, better, less and better ordered passages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ...chunking import Recursive
from ...interfaces import Retriever
from ...models import LatentSemantic
from ...prompting import Direct, Grounded
from ...reranking import Listwise, ReadingOrder
from ...retrieval import BM25, Dense, Hybrid, MultiQuery
from .finding import Cause
from .investigation import Dossier
from .place import shown
from .scene import NAME_GOLD, Scene, Step, has_part

__all__ = ["CONTEXT_STEPS"]

_QUANTILE = 0.8
_MOST_K = 30
_LISTWISE_FETCH, _LISTWISE_WINDOW, _LISTWISE_STEP = 20, 20, 10
_NAMED = 3
_LONGEST_WRITTEN = 30


def _missing(scene: Scene) -> Iterator[Step]:
    ids = list(dict.fromkeys(id for dossier in scene.failed["missing from corpus"] for id in dossier.row.sample.gold))
    named = ", ".join(ids[:_NAMED]) + (" ..." if len(ids) > _NAMED else "")
    indexed = {document.source for document in scene.corpus.indexed}
    lacking = [each for id in ids if id not in indexed and (each := scene.corpus.whole(id)) is not None]
    why = f"documents that hold answers are not in the index: {named}"
    code = {"retriever": f"{_written(scene)}.index([*passages, *missing])"}
    made = scene.reindexed([*scene.corpus.indexed, *lacking]) if lacking else None
    yield Step("add the missing documents", why, code, {} if made is None else {"retriever": made})


def _cut(scene: Scene) -> Iterator[Step]:
    wholes = scene.corpus.wholes()
    sizes = [len(document.text) for document in scene.corpus.indexed if document.parent is not None]
    tokens = max(128, 2 * (sum(sizes) // max(1, len(sizes)) // 4))
    code = {
        "retriever": f"retriever.index(Recursive(max_tokens={tokens}, overlap={tokens // 4}).chunk_many(documents))"
    }
    passages = Recursive(max_tokens=tokens, overlap=tokens // 4).chunk_many(wholes) if scene.small and wholes else []
    made = scene.reindexed(passages)
    changes = {} if made is None else {"retriever": made}
    yield Step("larger passages", "no single passage holds what the answer needs", code, changes)


def _written(scene: Scene) -> str:
    """Write a new retriever like the pipeline's: to index that one again would change what it is compared with."""
    whole = repr(scene.pipeline.retriever)
    return whole if len(whole) <= _LONGEST_WRITTEN else f"{type(scene.pipeline.retriever).__name__}(...)"


def _not_fetched(scene: Scene) -> Iterator[Step]:
    pipeline, retriever = scene.pipeline, scene.pipeline.retriever
    if retriever is None:
        code = {"retriever": "BM25().index(passages)"}
        made = {"retriever": BM25().index(scene.corpus.given)} if scene.corpus.given else {}
        yield Step("search the documents", "the pipeline has no retriever", code, made)
        return
    if pipeline.reranker is not None and pipeline.fetch < len(scene.corpus.indexed):
        wider = {"fetch": 4 * pipeline.fetch}
        yield Step("fetch more", "the reranker never sees the gold passage", {"fetch": str(wider["fetch"])}, wider)
    yield from _other_words(scene, retriever)


def _other_words(scene: Scene, retriever: Retriever) -> Iterator[Step]:
    why = "the question's wording and the passage's differ: words and meaning find different things"
    documents = scene.corpus.indexed
    made: dict[str, object] = {}
    if isinstance(retriever, BM25):
        code = {"retriever": "Hybrid([retriever, Dense(embedder).index(passages)])"}
        if scene.small:
            embedder = LatentSemantic().fit([document.text for document in documents])
            made = {"retriever": Hybrid([retriever, Dense(embedder).index(documents)])}
        yield Step("words and meaning", why, code, made)
    elif isinstance(retriever, Dense) and documents:
        code = {"retriever": "Hybrid([BM25().index(passages), retriever])"}
        made = {"retriever": Hybrid([BM25().index(retriever.documents), retriever])}
        yield Step("words and meaning", why, code, made)
    if scene.thinks and not has_part(retriever, MultiQuery):
        code = {"retriever": "MultiQuery(retriever, model)"}
        made = {"retriever": MultiQuery(retriever, scene.pipeline.model)}
        yield Step("ask in several wordings", "another wording may find what this one misses", code, made, calls=1)


def _below(scene: Scene) -> Iterator[Step]:
    pipeline = scene.pipeline
    ranks = sorted(dossier.located.rank for dossier in scene.failed["ranked below k"] if dossier.located.rank)
    if pipeline.reranker is None and ranks:
        k = min(_MOST_K, pipeline.fetch, ranks[math.ceil(_QUANTILE * len(ranks)) - 1])
        reached = sum(rank <= k for rank in ranks)
        if k > pipeline.k and reached:
            why = f"{reached} of {len(ranks)} gold passages stand at rank {k} or better, the prompt takes {pipeline.k}"
            yield Step(f"k = {k}", why, {"k": str(k)}, {"k": k}, share=reached / len(ranks))
    if pipeline.reranker is not None or not ranks:
        return
    why = "the gold passage is fetched: a better order brings it into the prompt"
    if scene.thinks:
        fetch = max(pipeline.k, min(pipeline.fetch, _LISTWISE_FETCH))
        share = sum(rank <= fetch for rank in ranks) / len(ranks)
        calls = 1 + max(0, -(-(fetch - _LISTWISE_WINDOW) // _LISTWISE_STEP))
        code = {"reranker": "Listwise(model)", "fetch": str(fetch)}
        made = {"reranker": Listwise(pipeline.model), "fetch": fetch}
        if share:
            yield Step("rerank by a model", why, code, made, share=share, calls=calls)
    code = {"reranker": 'CrossEncoder("cross-encoder/ms-marco-MiniLM-L6-v2")'}
    yield Step("rerank by a cross-encoder", why, code, {})


def _drowned(scene: Scene) -> Iterator[Step]:
    pipeline = scene.pipeline
    found = [_last_place(dossier) for dossier in scene.failed["drowned"]]
    places = sorted(place for place in found if place)
    if places:
        k = places[math.ceil(_QUANTILE * len(places)) - 1]
        if k < pipeline.k:
            share = sum(place <= k for place in places) / len(places)
            why = f"the gold passage stands at place {k} or better, what comes after it only distracts"
            yield Step(f"k = {k}", why, {"k": str(k)}, {"k": k}, share=share)
    if pipeline.k > 2 and not has_part(pipeline.reranker, ReadingOrder):
        inner = "" if pipeline.reranker is None else ", inner=reranker"
        code = {"reranker": f"ReadingOrder(k={pipeline.k}{inner})"}
        made = {"reranker": ReadingOrder(pipeline.k, pipeline.reranker)}
        yield Step("best passages at both ends", "models read the middle of a long prompt least", code, made)


def _last_place(dossier: Dossier) -> int:
    """Return the place in the prompt by which all gold passages have come; 0 when none is there."""
    contexts = shown(dossier.row.sample)
    places = [[at for at, context in enumerate(contexts, 1) if each.held_by(context)] for each in dossier.needed]
    return max((min(found) for found in places if found), default=0)


def _distracting(scene: Scene) -> Iterator[Step]:
    pipeline = scene.pipeline
    if pipeline.k > 1:
        k = max(1, pipeline.k // 2)
        why = "right without contexts, wrong with them: fewer distract less"
        yield Step(f"k = {k}", why, {"k": str(k)}, {"k": k})
    if scene.thinks and isinstance(pipeline.prompt, Direct):
        why = "rules and fences tell the model what the contexts are and when not to use them"
        yield Step("grounded answers", why, {"prompt": "Grounded()"}, {"prompt": Grounded()})


def _place_unknown(scene: Scene) -> Iterator[Step]:
    if not any(dossier.row.sample.gold for dossier in scene.failed["context, place unknown"]):
        yield NAME_GOLD
    yield from _not_fetched(scene)


CONTEXT_STEPS: Final[Mapping[Cause, Callable[[Scene], Iterator[Step]]]] = {
    "missing from corpus": _missing,
    "cut by chunking": _cut,
    "not fetched": _not_fetched,
    "ranked below k": _below,
    "drowned": _drowned,
    "distracting": _distracting,
    "context, place unknown": _place_unknown,
}
"""Per cause, the experiments that may mend it, the likeliest first."""
