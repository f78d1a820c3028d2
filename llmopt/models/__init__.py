"""Chat models and embedders: adapters, wrappers, offline stand-ins, prices."""

from .local import ExtractiveReader, LatentSemantic, OnnxEmbedder, SentenceTransformerEmbedder, export_onnx
from .openai import OpenAIChat, OpenAIEmbedder
from .pricing import Price, price_of
from .stack import chat_model, embedder, wrap, wrap_embedder
from .wrappers import (
    Budget,
    Budgeted,
    BudgetedEmbedder,
    Cached,
    CachedEmbedder,
    EmptyReplyError,
    Limited,
    LimitedEmbedder,
    Noted,
    Remaining,
    Retrying,
    RetryingEmbedder,
    Spent,
)

__all__ = [
    "Budget",
    "Budgeted",
    "BudgetedEmbedder",
    "Cached",
    "CachedEmbedder",
    "EmptyReplyError",
    "ExtractiveReader",
    "LatentSemantic",
    "Limited",
    "LimitedEmbedder",
    "Noted",
    "OnnxEmbedder",
    "OpenAIChat",
    "OpenAIEmbedder",
    "Price",
    "Remaining",
    "Retrying",
    "RetryingEmbedder",
    "SentenceTransformerEmbedder",
    "Spent",
    "chat_model",
    "embedder",
    "export_onnx",
    "price_of",
    "wrap",
    "wrap_embedder",
]
