"""Retrievers: from a question to the documents that may answer it."""

from .bm25 import BM25
from .conditions import AllOf, AnyOf, Between, Condition, Equals, Not, OneOf
from .contextual import Contextual
from .dense import Dense
from .filtered import Filtered
from .function_retriever import FunctionRetriever
from .fusion import fuse_ranks, take_turns
from .hybrid import Hybrid
from .hyde import HyDE
from .multi_query import MultiQuery
from .parent import Parent
from .sentence_window import SentenceWindow
from .stemming import STOP_WORDS, EnglishPlurals
from .sub_questions import SubQuestions

__all__ = [
    "BM25",
    "STOP_WORDS",
    "AllOf",
    "AnyOf",
    "Between",
    "Condition",
    "Contextual",
    "Dense",
    "EnglishPlurals",
    "Equals",
    "Filtered",
    "FunctionRetriever",
    "HyDE",
    "Hybrid",
    "MultiQuery",
    "Not",
    "OneOf",
    "Parent",
    "SentenceWindow",
    "SubQuestions",
    "fuse_ranks",
    "take_turns",
]
