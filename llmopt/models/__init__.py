"""Chat models and embedders: adapters, wrappers, offline stand-ins, prices."""

from .budget import Budget, Remaining, Spent
from .budgeted import Budgeted, BudgetedEmbedder
from .cached import Cached
from .cached_embedder import CachedEmbedder
from .extractive_reader import ExtractiveReader
from .latent_semantic import LatentSemantic
from .limited import Limited, LimitedEmbedder
from .noted import Noted
from .onnx_embedder import OnnxEmbedder
from .onnx_export import export_onnx
from .openai_chat import OpenAIChat
from .openai_embedder import OpenAIEmbedder
from .pricing import Price, price_of
from .retrying import EmptyReplyError, Retrying, RetryingEmbedder
from .sentence_transformer_embedder import SentenceTransformerEmbedder
from .stack import chat_model, embedder, wrap, wrap_embedder

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
