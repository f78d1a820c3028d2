"""Chat models and embedders: adapters, wrappers, offline stand-ins, prices."""

from .openai_chat import OpenAIChat
from .openai_embedder import OpenAIEmbedder

__all__ = ["OpenAIChat", "OpenAIEmbedder"]
