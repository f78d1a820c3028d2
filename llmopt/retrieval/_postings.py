"""The word index of BM25: bm25s does the scoring, this keeps what it needs together."""

from __future__ import annotations

import importlib
import json
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from .._text import is_cjk, words
from ..errors import StorageError
from ..types import Document, Hit
from ._arrays import map_array, read_header, save_array, write_header
from ._masks import Masks
from ._top import contenders, hits_at

__all__ = ["Postings", "words_of"]

_VERSION = 1
_KIND = "BM25"

Weights = npt.NDArray[np.float32]


class _Engine(Protocol):
    """What we use of `bm25s.BM25`."""

    scores: dict[str, object]
    nonoccurrence_array: object

    def build_index_from_ids(
        self, unique_token_ids: list[int], corpus_token_ids: list[list[int]], show_progress: bool
    ) -> dict[str, object]: ...

    def get_scores_from_ids(self, query_tokens_ids: Sequence[int]) -> Weights: ...


# What `_text.words` finds in ASCII text, at four times the speed; a test holds the two together.
_ASCII_WORDS = re.compile(r"[a-z0-9_]+(?:(?:'|(?<=[0-9])[.,](?=[0-9]))[a-z0-9_]+)*")


def words_of(text: str) -> list[str]:
    """Return the words of a text as they are indexed."""
    return _ASCII_WORDS.findall(text.lower()) if text.isascii() else words(text)


class _Numbers(dict[str, int]):
    """The number of every word's stem; a word that comes for the first time is stemmed and numbered."""

    def __init__(self, stemmer: Callable[[str], str] | None) -> None:
        super().__init__()
        self.vocabulary: dict[str, int] = {}
        self._stemmer = stemmer

    def __missing__(self, word: str) -> int:
        stem = word if self._stemmer is None else self._stemmer(word)
        number = self[word] = self.vocabulary.setdefault(stem, len(self.vocabulary))
        return number


@dataclass(frozen=True, slots=True)
class Postings:
    """Which words stand in which documents, with what weight; never changed in place.

    Attributes:
        documents: What is indexed.
        vocabulary: The number of every known word.
        engine: Scores documents; None when they hold no word at all.
        masks: Which documents a filter allows.
    """

    documents: Sequence[Document]
    vocabulary: dict[str, int]
    engine: _Engine | None
    masks: Masks = field(init=False)

    def __post_init__(self) -> None:
        """Begin without masks."""
        object.__setattr__(self, "masks", Masks(self.documents))

    @classmethod
    def of(cls, documents: Sequence[Document], stemmer: Callable[[str], str] | None, k1: float, b: float) -> Postings:
        """Index the documents by the stems of their words."""
        numbers = _Numbers(stemmer)
        texts = [list(map(numbers.__getitem__, words_of(document.text))) for document in documents]
        vocabulary = numbers.vocabulary
        if not vocabulary:
            return cls(documents, vocabulary, None)
        engine = _engine(k1, b)
        # Unlike `index`, this writes no log messages, which bm25s sets to the level DEBUG for everyone.
        engine.scores = engine.build_index_from_ids(list(range(len(vocabulary))), texts, show_progress=False)
        return cls(documents, vocabulary, engine)

    def hits(self, stems: Sequence[str], k: int, allowed: Callable[[Document], bool] | None) -> list[Hit]:
        """Return the best `k` documents with at least one of the stems."""
        known = self._numbers(stems)
        if self.engine is None or not known:
            return []
        scores = self.engine.get_scores_from_ids(known)
        if allowed is not None:
            scores[~self.masks.of(allowed)] = 0
        positions = contenders(scores, k)
        positions = positions[scores[positions] > 0]
        return hits_at(self.documents, positions, scores[positions], k, _KIND)

    def _numbers(self, stems: Sequence[str]) -> list[int]:
        """Return the numbers of known stems; where all are lone CJK characters, of the pairs that they stand in."""
        if stems and all(len(stem) == 1 and is_cjk(stem) for stem in stems):
            return [number for stem in stems for word, number in self.vocabulary.items() if stem in word]
        return [self.vocabulary[stem] for stem in stems if stem in self.vocabulary]

    def dump(self, folder: Path) -> None:
        """Write vocabulary and weights."""
        write_header(folder, _KIND, _VERSION, {"words": len(self.vocabulary)})
        (folder / "vocabulary.json").write_text(json.dumps(list(self.vocabulary), ensure_ascii=False), "utf-8")
        if self.engine is not None:
            # Versions of bm25s differ in the widths of their numbers; a file has one form.
            save_array(folder / "data.npy", np.asarray(self.engine.scores["data"], np.float32))
            save_array(folder / "indices.npy", np.asarray(self.engine.scores["indices"], np.int32))
            save_array(folder / "indptr.npy", np.asarray(self.engine.scores["indptr"], np.int64))

    @classmethod
    def restore(cls, folder: Path, documents: Sequence[Document], k1: float, b: float) -> Postings:
        """Read what `dump` wrote; the weights are mapped into memory.

        Raises:
            StorageError: When something is damaged or does not fit the documents.
        """
        read_header(folder, _KIND, _VERSION)
        try:
            known = cast("list[str]", json.loads((folder / "vocabulary.json").read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise StorageError(f"the vocabulary in {folder} cannot be read ({error}): index again") from error
        if not known:
            return cls(documents, {}, None)
        starts = map_array(folder / "indptr.npy", np.int64, len(known) + 1)
        places = map_array(folder / "indices.npy", np.int32, None)
        weights = map_array(folder / "data.npy", np.float32, len(places))
        ordered = starts[0] == 0 and starts[-1] == len(places) and bool((np.diff(starts) >= 0).all())
        if not ordered or places.min(initial=0) < 0 or places.max(initial=-1) >= len(documents):
            raise StorageError(f"the index in {folder} does not fit its {len(documents)} documents: index again")
        engine = _engine(k1, b)
        engine.scores = {"data": weights, "indices": places, "indptr": starts, "num_docs": len(documents)}
        engine.nonoccurrence_array = None
        return cls(documents, {word: number for number, word in enumerate(known)}, engine)


def _engine(k1: float, b: float) -> _Engine:
    # Imported on use: it takes longer than all of llmopt.
    with warnings.catch_warnings(action="ignore"):  # in a notebook without ipywidgets its progress bars complain
        make = cast("Callable[..., _Engine]", importlib.import_module("bm25s").BM25)
    return make(k1=k1, b=b, method="lucene")
