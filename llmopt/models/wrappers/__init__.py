"""Models around models: budgets, caches, limits, retries, notes."""

from .budget import Budget, Remaining, Spent
from .budgeted import Budgeted, BudgetedEmbedder
from .cached import Cached
from .cached_embedder import CachedEmbedder
from .limited import Limited, LimitedEmbedder
from .noted import Noted
from .retrying import EmptyReplyError, Retrying, RetryingEmbedder

__all__ = [
    "Budget",
    "Budgeted",
    "BudgetedEmbedder",
    "Cached",
    "CachedEmbedder",
    "EmptyReplyError",
    "Limited",
    "LimitedEmbedder",
    "Noted",
    "Remaining",
    "Retrying",
    "RetryingEmbedder",
    "Spent",
]
