"""Reranking by a local cross-encoder."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import MissingExtraError
from ..interfaces import Reranker
from ..types import Hit

__all__ = ["CrossEncoder"]


class _Model(Protocol):
    def predict(
        self, sentences: list[tuple[str, str]], *, batch_size: int, show_progress_bar: bool
    ) -> Sequence[float]: ...


@dataclass(repr=False)
class CrossEncoder(Reranker):
    """Scores query and passage together by a local model of sentence-transformers (the extra `local`).

    The model is loaded on first use; a folder needs no network.

    Args:
        name: A folder or a name on the hub, for example "cross-encoder/ms-marco-MiniLM-L-6-v2".
        batch_size: Pairs at a time.
        device: "cpu", "cuda" ...; None: the best there is.

    Raises:
        MissingExtraError: On first use, when sentence-transformers is not installed.
    """

    name: str
    batch_size: int = 32
    device: str | None = None
    _model: _Model | None = field(init=False, default=None)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def score(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return the model's score of every pair."""
        pairs = [(query, hit.document.text) for hit in hits]
        scores = self._loaded().predict(pairs, batch_size=self.batch_size, show_progress_bar=False)
        return [float(score) for score in scores]

    def _loaded(self) -> _Model:
        with self._lock:
            if self._model is None:
                self._model = _load(self.name, self.device)
            return self._model


def _load(name: str, device: str | None) -> _Model:
    try:
        package = importlib.import_module("sentence_transformers")  # on first use: it pulls torch in
    except ImportError as error:
        raise MissingExtraError("`CrossEncoder` needs sentence-transformers: pip install 'llmopt[local]'") from error
    model: _Model = package.CrossEncoder(name, device=device)
    return model
