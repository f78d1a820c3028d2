"""What is worth trying on a pipeline that searches documents: the usual refinements, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from ..errors import UsageError
from ..interfaces import ChatModel, Embedder, IndexedRetriever, Retriever
from ..pipeline import Pipeline
from ..reranking import MMR, DropDuplicates, Listwise, Rules
from ..retrieval import BM25, Dense, Hybrid, SubQuestions
from ..types import Document
from .parts import PartByPart

__all__ = ["Change", "usual_steps"]

Change: TypeAlias = Callable[[Pipeline], Mapping[str, object]]


def usual_steps(
    embedder: Embedder, cuts: Mapping[str, Sequence[Document]], *, k: int, model: ChatModel | None = None
) -> dict[str, Change]:
    """Return steps for a ladder whose baseline searches passages by cosine, in the order in which to try them.

    Args:
        embedder: Of the baseline.
        cuts: Other ways to cut the documents into passages, by the name of the step.
        k: The number of passages to try.
        model: Splits questions and ranks passages; None: rules stand in for the one, the other is left out.
    """
    steps: dict[str, Change] = {f"{k} passages in the prompt": lambda _: {"k": k}}
    for name, passages in cuts.items():
        steps[name] = _searching(embedder, passages)
    steps |= {
        "words instead of meaning (BM25)": lambda stands: {"retriever": BM25().index(_documents(stands))},
        "words and meaning (Hybrid)": lambda stands: {
            "retriever": Hybrid([BM25(), Dense(embedder)]).index(_documents(stands))
        },
        "a rule: no passage twice": lambda _: {"reranker": Rules([DropDuplicates()])},
        "various passages (MMR)": lambda _: {"reranker": MMR(embedder)},
    }
    if model is None:
        steps["questions of two parts, part by part"] = lambda stands: {"retriever": PartByPart(_retriever(stands))}
    else:
        steps["ranked by the model"] = lambda _: {"reranker": Listwise(model)}
        steps["questions split by the model"] = lambda stands: {"retriever": SubQuestions(_retriever(stands), model)}
    return steps


def _searching(embedder: Embedder, passages: Sequence[Document]) -> Change:
    return lambda _: {"retriever": Dense(embedder).index(passages)}


def _retriever(stands: Pipeline) -> Retriever:
    if stands.retriever is None:
        raise UsageError("these steps are for a pipeline with a retriever")
    return stands.retriever


def _documents(stands: Pipeline) -> Sequence[Document]:
    retriever = _retriever(stands)
    if not isinstance(retriever, IndexedRetriever):
        raise UsageError(f"these steps are for a retriever over documents of its own, not {retriever!r}")
    return retriever.documents
