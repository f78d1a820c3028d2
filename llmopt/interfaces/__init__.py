"""Everything that you can subclass. Each class names the one method that you write."""

from .classifier import Classifier, TrainableClassifier
from .component import Component
from .finetune import FineTuneJob
from .indexed import IndexedRetriever
from .judge import Judge
from .metric import Metric
from .model import ChatModel, Embedder, content_of
from .prompt import PromptStrategy
from .retrieval import Chunker, Reranker, Retriever, best_hits

__all__ = [
    "ChatModel",
    "Chunker",
    "Classifier",
    "Component",
    "Embedder",
    "FineTuneJob",
    "IndexedRetriever",
    "Judge",
    "Metric",
    "PromptStrategy",
    "Reranker",
    "Retriever",
    "TrainableClassifier",
    "best_hits",
    "content_of",
]
