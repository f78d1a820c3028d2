"""Retrievers: from a question to the documents that may answer it."""

from .bm25 import BM25
from .dense import Dense
from .fusion import fuse_ranks
from .hybrid import Hybrid
from .stemming import STOP_WORDS, EnglishPlurals

__all__ = ["BM25", "STOP_WORDS", "Dense", "EnglishPlurals", "Hybrid", "fuse_ranks"]
