"""Retrievers: from a question to the documents that may answer it."""

from .adapter import Adapter
from .adapter_report import AdapterReport, HeldOut
from .bm25 import BM25
from .conditions import AllOf, AnyOf, Between, Condition, Equals, Not, OneOf
from .contextual import Contextual
from .dense import Dense
from .filtered import Filtered
from .fine_tuning import FineTuning, TrainableEmbedder
from .function_retriever import FunctionRetriever
from .fusion import fuse_ranks, take_turns
from .held_out import held_out_hits
from .hybrid import Hybrid
from .hyde import HyDE
from .maps import Contrast, Ridge, Rotation
from .multi_query import MultiQuery
from .parent import Parent
from .past_questions import PastQuestions
from .query_writer import QueryWriter, WrittenQueries
from .sentence_window import SentenceWindow
from .stemming import STOP_WORDS, EnglishPlurals
from .sub_questions import SubQuestions
from .weights import FittedWeights

__all__ = [
    "BM25",
    "STOP_WORDS",
    "Adapter",
    "AdapterReport",
    "AllOf",
    "AnyOf",
    "Between",
    "Condition",
    "Contextual",
    "Contrast",
    "Dense",
    "EnglishPlurals",
    "Equals",
    "Filtered",
    "FineTuning",
    "FittedWeights",
    "FunctionRetriever",
    "HeldOut",
    "HyDE",
    "Hybrid",
    "MultiQuery",
    "Not",
    "OneOf",
    "Parent",
    "PastQuestions",
    "QueryWriter",
    "Ridge",
    "Rotation",
    "SentenceWindow",
    "SubQuestions",
    "TrainableEmbedder",
    "WrittenQueries",
    "fuse_ranks",
    "held_out_hits",
    "take_turns",
]
