"""Whether retrieval brought the very passages that hold the answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from ..interfaces import Metric
from ..types import Sample, Score

__all__ = ["EvidenceRecall"]

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, repr=False)
class EvidenceRecall(Metric):
    """The share of the passages in `metadata["evidence"]` that stand whole in one of the contexts.

    White space does not count. A fair recall where several documents repeat the same text and any of
    them will do. Undefined for a sample without evidence.

    Example:
        >>> sample = Sample(question="?", contexts=["It  rains."], metadata={"evidence": ("It rains.", "It snows.")})
        >>> EvidenceRecall().score(sample).value
        0.5
    """

    def measure(self, sample: Sample) -> Score:
        """Look for every passage in every context."""
        passages = [_plain(passage) for passage in _listed(sample.metadata.get("evidence"))]
        if not passages:
            return Score(None, "the sample names no evidence")
        contexts = [_plain(context) for context in sample.contexts]
        found = sum(any(passage in context for context in contexts) for passage in passages)
        return Score(found / len(passages), f"{found} of {len(passages)} passages stand in the contexts")


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _listed(evidence: object) -> Iterable[str]:
    return cast("Iterable[str]", evidence) if isinstance(evidence, list | tuple) else ()
