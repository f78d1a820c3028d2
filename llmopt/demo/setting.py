"""What the demo starts from, what it tries, and how answers are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..chunking import Recursive, Tokens
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
from .steps import Change, usual_steps

__all__ = ["Setting", "make_first_try", "make_retrievers", "make_setting"]

CHUNK_TOKENS, CHUNK_OVERLAP = 220, 40
_SMALL_TOKENS, _FEW, _MORE = 100, 3, 8
_STEP = "passages of {} tokens, cut at sentence ends"


@dataclass(frozen=True)
class Setting:
    """The demo's experiment.

    Attributes:
        baseline: A first try as many make it: small pieces cut anywhere, the three nearest by cosine.
        steps: What is tried, by name: from the pipeline that stands to the slots to change.
        climbing: What every step is measured by, cheap.
        evaluator: What the first and the last pipeline are measured by, in full.
        embedder: Of the retrievers and the metrics.
        documents: The corpus.
    """

    baseline: Pipeline
    steps: Mapping[str, Change]
    climbing: Evaluator
    evaluator: Evaluator
    embedder: Embedder
    documents: Sequence[Document]


def make_retrievers(documents: Sequence[Document]) -> tuple[Embedder, dict[str, Retriever]]:
    """Cut the documents into passages and return an embedder fitted on them with three retrievers over them."""
    passages = _passages(documents)
    embedder = LatentSemantic().fit([passage.text for passage in passages])
    words, meaning = BM25().index(passages), Dense(embedder).index(passages)
    both = Hybrid([BM25(), Dense(embedder)]).index(passages)
    return embedder, {"BM25": words, "Dense": meaning, "Hybrid": both}


def make_setting(
    documents: Sequence[Document], model: ChatModel | None = None, *, progress: bool | None = None
) -> Setting:
    """Return the demo's baseline, steps and evaluators.

    Args:
        documents: The corpus.
        model: Reader and judge; None: the extractive reader and the heuristic judge, which need no network.
        progress: Show a bar; None: on a terminal only.
    """
    passages = _passages(documents)
    embedder = LatentSemantic().fit([passage.text for passage in passages])
    judge: Judge = HeuristicJudge(embedder) if model is None else ModelJudge(model)
    pieces = Tokens(max_tokens=_SMALL_TOKENS).chunk_many(documents)
    baseline = Pipeline(
        model=model or ExtractiveReader(), prompt=Grounded(), retriever=Dense(embedder).index(pieces), k=_FEW
    )
    correctness = AnswerCorrectness(judge)
    retrieval = [EvidenceRecall(), HitRate(_MORE), ReciprocalRank()]
    answering = [Faithfulness(judge), AnswerRelevancy(judge, embedder), ContextPrecision(judge), ContextRecall(judge)]
    return Setting(
        baseline,
        usual_steps(embedder, {_STEP.format(CHUNK_TOKENS): passages}, k=_MORE, model=model),
        Evaluator([*retrieval[:1], correctness], progress=progress),
        Evaluator([correctness, *answering, *retrieval], progress=progress),
        embedder,
        documents,
    )


def make_first_try(documents: Sequence[Document], model: ChatModel | None = None) -> tuple[Pipeline, dict[str, Change]]:
    """Return a plain pipeline over a user's documents, the nearest passages by cosine, with steps to try on it."""
    passages = _passages(documents)
    embedder = LatentSemantic().fit([passage.text for passage in passages])
    baseline = Pipeline(model=model or ExtractiveReader(), prompt=Grounded(), retriever=Dense(embedder).index(passages))
    cuts = {
        _STEP.format(tokens): Recursive(max_tokens=tokens, overlap=CHUNK_OVERLAP).chunk_many(documents)
        for tokens in (CHUNK_TOKENS // 2, CHUNK_TOKENS * 2)
    }
    return baseline, usual_steps(embedder, cuts, k=2 * baseline.k, model=model)


def _passages(documents: Sequence[Document]) -> list[Document]:
    return Recursive(max_tokens=CHUNK_TOKENS, overlap=CHUNK_OVERLAP).chunk_many(documents)
