"""Chat and embeddings by OpenAI's API, and by whoever else speaks it."""

from .chat import OpenAIChat
from .embedder import OpenAIEmbedder

__all__ = [
    "OpenAIChat",
    "OpenAIEmbedder",
]
