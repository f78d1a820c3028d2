"""Rerankers: hits into a better order."""

from .combining import Chain, ReadingOrder
from .cross_encoder import CrossEncoder
from .learned import Learned
from .listwise import Listwise
from .mmr import MMR
from .pairwise import Pairwise
from .pointwise import Pointwise
from .rules import Ban, Boost, DropDuplicates, NewestFirst, Quota, Rule, Rules, Threshold

__all__ = [
    "MMR",
    "Ban",
    "Boost",
    "Chain",
    "CrossEncoder",
    "DropDuplicates",
    "Learned",
    "Listwise",
    "NewestFirst",
    "Pairwise",
    "Pointwise",
    "Quota",
    "ReadingOrder",
    "Rule",
    "Rules",
    "Threshold",
]
