"""A search through combinations of changes: raced, pruned, and believed on held-out samples only."""

from .result import Part, SearchResult, Trial
from .search import Search

__all__ = ["Part", "Search", "SearchResult", "Trial"]
