"""An embedder fitted on the corpus itself: latent semantic analysis, offline and without a model file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, cast

import numpy as np

from ..._sync import call
from ...errors import CorpusError, NotReadyError, StorageError, UsageError
from ...interfaces import Embedder
from ...types import Matrix, TextKind, Usage
from ._subwords import Subwords, learn_subwords
from ._svd import leading_directions

__all__ = ["LatentSemantic"]

_TEXTS_PER_BLOCK = 2048
_VOCABULARY_FILE = "vocabulary.json"
_WEIGHTS_FILE = "weights.npy"
_DIRECTIONS_FILE = "directions.npy"


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What was learnt: the vocabulary, and a row of `directions` for each of its pieces."""

    subwords: Subwords
    directions: Matrix


@dataclass(repr=False, eq=False)
class LatentSemantic(Embedder):
    """Embeddings that know which words of your own corpus go together; needs no model, key or network.

    TF-IDF over the character 3- to 5-grams of words (and CJK pairs), projected on the leading singular
    directions of the corpus: texts become alike that share word stems, or words that stand in the same
    passages. Words that the corpus lacks fold in by the pieces that they share with known ones. A baseline
    and an offline stand-in, no MiniLM. Measured (`benchmarks/embedders.py`): hit@5 on the demo's questions
    0.83, as TF-IDF of the same pieces, BM25 0.80, MiniLM 0.90; nDCG@10 on Cranfield 0.38, BM25 0.35; but on
    SciFact, full of rare terms that 256 dimensions cannot hold, 0.51 against 0.66 of TF-IDF. Beside BM25
    in a `Hybrid` the two make up for each other.

    Fit it before it is used, on the passages that are going to be searched:
    `Dense(LatentSemantic().fit(texts))`. One core fits 500 passages of 1,000 characters in 1 s and 5,000
    in 13 s with 650 MB; beyond `sample` texts time and memory hardly grow, and it is meant for up to some
    100,000. Sources: Deerwester et al. (1990), "Indexing by latent semantic analysis"; Halko et al.
    (2011) for the decomposition.

    Args:
        dimensions: Length of the vectors; fewer when the corpus has fewer texts or words.
        vocabulary: Most word pieces that are told apart; those in most texts are kept.
        sample: Most texts that the directions are learnt from, drawn by `seed`; vocabulary and weights
            come from all.
        seed: Of the sample and of the random start of the decomposition; equal data and seed give equal
            vectors on one machine.

    Example:
        >>> texts = ["cats purr", "a cat purring", "dogs bark", "a barking dog", "stocks fell", "stock prices fell"]
        >>> embedder = LatentSemantic(dimensions=3).fit(texts)
        >>> rows = embedder.encode(["purr", "cats", "stock"], kind="query")
        >>> bool(rows[0] @ rows[1] > 0.5 > rows[0] @ rows[2])
        True
    """

    dimensions: int = 256
    vocabulary: int = 50_000
    sample: int = 20_000
    seed: int = 0
    _fitted: _Fitted | None = field(init=False, default=None)

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn from these texts, forget earlier ones, and return the embedder itself.

        Raises:
            CorpusError: When there are no texts or no words in them.
            UsageError: When a parameter is below 1.
        """
        self._check(texts)
        subwords = learn_subwords(texts, self.vocabulary)
        if not len(subwords.weights):
            raise CorpusError(f"LatentSemantic.fit found no word in the {len(texts)} texts")
        drawn = texts
        if len(texts) > self.sample:
            order = np.random.default_rng(self.seed).permutation(len(texts))
            chosen: list[int] = np.sort(order[: self.sample]).tolist()
            drawn = [texts[number] for number in chosen]
        directions = leading_directions(subwords.rows(drawn), self.dimensions, self.seed)
        self._fitted = _Fitted(subwords, directions)
        return self

    async def afit(self, texts: Sequence[str]) -> Self:
        """Learn from these texts in a worker thread; the async twin of `fit`."""
        return await call(self.fit, texts)

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return one row per text, the same for queries and documents; no known piece gives a zero row.

        Raises:
            NotReadyError: Before `fit`.
        """
        if self._fitted is None:
            raise NotReadyError(
                "LatentSemantic has learnt nothing yet: call `fit(texts)` on the texts that are to be searched first, "
                "for example Dense(LatentSemantic().fit(texts))"
            )
        subwords, directions = self._fitted.subwords, self._fitted.directions
        blocks = [texts[at : at + _TEXTS_PER_BLOCK] for at in range(0, len(texts), _TEXTS_PER_BLOCK)]
        rows = [subwords.rows(block).times(directions) for block in blocks]
        return np.concatenate(rows) if rows else np.zeros((0, directions.shape[1]), np.float32)

    def price(self, usage: Usage) -> float:
        """Return 0: nothing leaves the machine."""
        return 0.0

    def write_state(self, folder: Path) -> None:
        """Write the vocabulary as JSON and the numbers as `.npy`; nothing before `fit`."""
        if self._fitted is None:
            return
        pieces = list(self._fitted.subwords.numbers)
        (folder / _VOCABULARY_FILE).write_text(json.dumps(pieces, ensure_ascii=False), encoding="utf-8")
        np.save(folder / _WEIGHTS_FILE, self._fitted.subwords.weights, allow_pickle=False)
        np.save(folder / _DIRECTIONS_FILE, self._fitted.directions, allow_pickle=False)

    def read_state(self, folder: Path) -> None:
        """Take up what `write_state` wrote.

        Raises:
            StorageError: When a file is missing, damaged, or does not fit the others.
        """
        try:
            pieces = cast("list[str]", json.loads((folder / _VOCABULARY_FILE).read_text("utf-8")))
            weights: Matrix = np.load(folder / _WEIGHTS_FILE, allow_pickle=False)
            directions: Matrix = np.load(folder / _DIRECTIONS_FILE, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise StorageError(f"LatentSemantic cannot read its state in {folder}: {error}") from error
        if not len(pieces) == len(weights) == len(directions):
            raise StorageError(
                f"LatentSemantic: the files in {folder} do not belong together: {len(pieces)} pieces, {len(weights)} "
                f"weights, {len(directions)} directions"
            )
        numbers = {piece: number for number, piece in enumerate(pieces)}
        self._fitted = _Fitted(Subwords(numbers, weights), directions)

    def _check(self, texts: Sequence[str]) -> None:
        if isinstance(texts, str):
            raise UsageError("LatentSemantic.fit: `texts` is a list of texts, got one str: wrap it, [text]")
        for name, value in (("dimensions", self.dimensions), ("vocabulary", self.vocabulary), ("sample", self.sample)):
            if value < 1:
                raise UsageError(f"LatentSemantic: `{name}` must be at least 1, got {value}")
        if not texts:
            raise CorpusError("LatentSemantic.fit got no texts")
