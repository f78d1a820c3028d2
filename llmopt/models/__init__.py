"""Chat models and embedders: adapters, wrappers, offline stand-ins, prices."""

from .budget import Budget, Remaining, Spent
from .budgeted import Budgeted, BudgetedEmbedder
from .cached import Cached
from .cached_embedder import CachedEmbedder
from .limited import Limited, LimitedEmbedder
from .openai_chat import OpenAIChat
from .openai_embedder import OpenAIEmbedder
from .pricing import Price, price_of
from .retrying import EmptyReplyError, Retrying, RetryingEmbedder
from .stack import chat_model, embedder, wrap, wrap_embedder

__all__ = [
    "Budget",
    "Budgeted",
    "BudgetedEmbedder",
    "Cached",
    "CachedEmbedder",
    "EmptyReplyError",
    "Limited",
    "LimitedEmbedder",
    "OpenAIChat",
    "OpenAIEmbedder",
    "Price",
    "Remaining",
    "Retrying",
    "RetryingEmbedder",
    "Spent",
    "chat_model",
    "embedder",
    "price_of",
    "wrap",
    "wrap_embedder",
]
