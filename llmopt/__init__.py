"""Make the answers of a language-model feature measurably better.

Compose it (`Pipeline`), measure it (`Evaluator`), find out why it fails (`diagnose`), change one thing at a time
(`Ladder`), keep what works. The names here are those of a first hour; every room (`llmopt.retrieval`,
`llmopt.evaluation` ...) has more. A room is loaded when one of its names is first used, so that `import llmopt` costs
next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .chunking import Markdown, Recursive, Sentence
    from .documents import load_documents
    from .errors import LlmoptError
    from .evaluation import (
        AnswerCorrectness,
        AnswerRelevancy,
        ContextPrecision,
        ContextRecall,
        Evaluator,
        ExactMatch,
        Faithfulness,
        HeuristicJudge,
        ModelJudge,
        Report,
        TokenF1,
        load_samples,
        metric,
        save_samples,
    )
    from .experiments import Ladder, Study, diagnose
    from .interfaces import (
        ChatModel,
        Chunker,
        Classifier,
        Embedder,
        FineTuneJob,
        IndexedRetriever,
        Judge,
        Metric,
        PromptStrategy,
        Reranker,
        Retriever,
    )
    from .models import Budget, ExtractiveReader, LatentSemantic, OpenAIChat, OpenAIEmbedder, chat_model, embedder
    from .pipeline import Pipeline
    from .prompting import Direct, FewShot, Grounded
    from .reranking import MMR, Rules
    from .retrieval import BM25, Dense, Hybrid
    from .types import Answer, Completion, Document, Hit, Message, Options, Sample, Score, Span

__all__ = [
    "BM25",
    "MMR",
    "Answer",
    "AnswerCorrectness",
    "AnswerRelevancy",
    "Budget",
    "ChatModel",
    "Chunker",
    "Classifier",
    "Completion",
    "ContextPrecision",
    "ContextRecall",
    "Dense",
    "Direct",
    "Document",
    "Embedder",
    "Evaluator",
    "ExactMatch",
    "ExtractiveReader",
    "Faithfulness",
    "FewShot",
    "FineTuneJob",
    "Grounded",
    "HeuristicJudge",
    "Hit",
    "Hybrid",
    "IndexedRetriever",
    "Judge",
    "Ladder",
    "LatentSemantic",
    "LlmoptError",
    "Markdown",
    "Message",
    "Metric",
    "ModelJudge",
    "OpenAIChat",
    "OpenAIEmbedder",
    "Options",
    "Pipeline",
    "PromptStrategy",
    "Recursive",
    "Report",
    "Reranker",
    "Retriever",
    "Rules",
    "Sample",
    "Score",
    "Sentence",
    "Span",
    "Study",
    "TokenF1",
    "__version__",
    "chat_model",
    "diagnose",
    "embedder",
    "load_documents",
    "load_samples",
    "metric",
    "save_samples",
]

_ROOM_OF = {
    name: room
    for room, names in {
        "chunking": "Markdown Recursive Sentence",
        "documents": "load_documents",
        "errors": "LlmoptError",
        "evaluation": (
            "AnswerCorrectness AnswerRelevancy ContextPrecision ContextRecall Evaluator ExactMatch "
            "Faithfulness HeuristicJudge ModelJudge Report TokenF1 load_samples metric save_samples"
        ),
        "experiments": "Ladder Study diagnose",
        "interfaces": (
            "ChatModel Chunker Classifier Embedder FineTuneJob IndexedRetriever Judge Metric "
            "PromptStrategy Reranker Retriever"
        ),
        "models": "Budget ExtractiveReader LatentSemantic OpenAIChat OpenAIEmbedder chat_model embedder",
        "pipeline": "Pipeline",
        "prompting": "Direct FewShot Grounded",
        "reranking": "MMR Rules",
        "retrieval": "BM25 Dense Hybrid",
        "types": "Answer Completion Document Hit Message Options Sample Score Span",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> object:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{room}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
