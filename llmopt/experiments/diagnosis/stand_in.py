"""Passages that may hold the answer where nobody named any: those that have the reference's words."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from ...evaluation.support import content_stems
from ...retrieval import BM25
from ...types import Sample
from .corpus import Corpus
from .gold import Needed, needed_of

__all__ = ["StandIns"]

_LOOKED_AT = 5
_COVERED = 0.8


class StandIns:
    """Finds passages by the words of question and reference together.

    Args:
        corpus: Where to look.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def of(self, sample: Sample, max_tokens: int) -> list[Needed]:
        """Return the passage that has nearly all of the reference's words, as the best of a search; or none."""
        wanted = frozenset(content_stems(sample.reference or ""))
        if not wanted or not (self._corpus.indexed or self._corpus.given):
            return []
        hits = self._index.retrieve(f"{sample.question} {sample.reference}", k=_LOOKED_AT)
        found = [(len(wanted & set(content_stems(hit.document.text))), hit.document) for hit in hits]
        best = max(found, key=lambda each: each[0], default=None)
        if best is None or best[0] < _COVERED * len(wanted):
            return []
        return needed_of(replace(sample, gold=(best[1].id,)), self._corpus, max_tokens)

    @cached_property
    def _index(self) -> BM25:
        documents = {document.id: document for document in (*self._corpus.given, *self._corpus.indexed)}
        return BM25().index(documents.values())
