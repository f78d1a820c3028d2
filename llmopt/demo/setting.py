"""What the demo compares: three retrievers in the same pipeline, and the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..chunking import Recursive
from ..evaluation import (
    AnswerCorrectness,
    AnswerRelevancy,
    ContextPrecision,
    ContextRecall,
    Evaluator,
    Faithfulness,
    HeuristicJudge,
    HitRate,
    ModelJudge,
    ReciprocalRank,
)
from ..interfaces import ChatModel, Embedder, Judge, Retriever
from ..models import ExtractiveReader, LatentSemantic
from ..pipeline import Pipeline
from ..prompting import Grounded
from ..retrieval import BM25, Dense, Hybrid
from ..types import Document
from .evidence import EvidenceRecall

__all__ = ["Setting", "make_retrievers", "make_setting"]

CHUNK_TOKENS, CHUNK_OVERLAP, CONTEXTS = 220, 40, 5


@dataclass(frozen=True)
class Setting:
    """The pipelines to compare, by name, and how they are measured."""

    pipelines: Mapping[str, Pipeline]
    evaluator: Evaluator


def make_retrievers(documents: Sequence[Document]) -> tuple[Embedder, dict[str, Retriever]]:
    """Cut the documents into passages and return an embedder fitted on them with three retrievers over them."""
    passages = Recursive(max_tokens=CHUNK_TOKENS, overlap=CHUNK_OVERLAP).chunk_many(documents)
    embedder = LatentSemantic().fit([passage.text for passage in passages])
    words, meaning = BM25().index(passages), Dense(embedder).index(passages)
    both = Hybrid([BM25(), Dense(embedder)]).index(passages)
    return embedder, {"BM25": words, "Dense": meaning, "Hybrid": both}


def make_setting(
    documents: Sequence[Document], model: ChatModel | None = None, *, progress: bool | None = None
) -> Setting:
    """Return the demo's pipelines and evaluator.

    Args:
        documents: The corpus.
        model: Reader and judge; None: the extractive reader and the heuristic judge, which need no network.
        progress: Show a bar; None: on a terminal only.
    """
    embedder, retrievers = make_retrievers(documents)
    judge: Judge = HeuristicJudge(embedder) if model is None else ModelJudge(model)
    reader = ExtractiveReader(embedder=embedder) if model is None else model
    base = Pipeline(model=reader, prompt=Grounded(), k=CONTEXTS)
    metrics = [
        Faithfulness(judge),
        AnswerRelevancy(judge, embedder),
        ContextPrecision(judge),
        ContextRecall(judge),
        AnswerCorrectness(judge),
        HitRate(CONTEXTS),
        ReciprocalRank(),
        EvidenceRecall(),
    ]
    pipelines = {name: base.but(retriever=retriever) for name, retriever in retrievers.items()}
    return Setting(pipelines, Evaluator(metrics, progress=progress))
