"""A reranker that learns from labels how much each sign of relevance counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from .._text import words
from .._trace import note
from ..errors import NotReadyError, StorageError, UsageError
from ..interfaces import Reranker
from ..types import Hit
from ._softmax_ranking import contests, fit_ranking
from .features import feature_names, feature_rows

__all__ = ["Learned"]

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Term:
    """A feature in the weighted sum.

    Attributes:
        weight: Per spread of the feature.
        spread: Standard deviation in training, 1 where it did not vary.
        missing: What a hit without the feature has: the lowest value in training.
    """

    weight: float
    spread: float
    missing: float


@dataclass(repr=False)
class Learned(Reranker):
    """A weighted sum of named features (see `reranking.features`), fitted on which hits were relevant.

    The signals of the retriever's parts, the share of the query's words and so on are divided by their
    spread in training and weighed so that a relevant hit wins against the irrelevant ones of its list
    (softmax cross-entropy: ListNet, Cao et al. 2007, with a linear scorer). Few weights, so some fifty
    labelled queries are enough; they can be read (`weights()`), and are saved as JSON.

    Where the retriever itself learnt from labels (an `Adapter`, `PastQuestions`), fit on `held_out_hits`.

    Args:
        l2: Strength of the regularisation towards weights of 0.
        features: Names of the features to use; None: the words and all signals of the training hits.

    Raises:
        NotReadyError: Before `fit`.

    Example:
        >>> from llmopt.types import Document
        >>> hits = [Hit(Document("1", "dogs bark"), 2.0), Hit(Document("2", "cats sleep"), 1.0)]
        >>> ranker = Learned().fit(["cats", "how cats sleep"], [hits, hits], [{"2": 1}, {"2": 1}])
        >>> [hit.document.id for hit in ranker.rerank("do cats sleep", hits)]
        ['2', '1']
    """

    l2: float = 1.0
    features: Sequence[str] | None = None
    _terms: Mapping[str, _Term] = field(init=False, default_factory=dict[str, _Term])

    def fit(
        self, queries: Sequence[str], hits: Sequence[Sequence[Hit]], relevant: Sequence[Mapping[str, float]]
    ) -> Learned:
        """Learn from result lists with their labels, forget earlier ones, and return the reranker itself.

        Args:
            queries: The queries.
            hits: For each, the hits as the retriever gives them for queries that are new to it, best first.
            relevant: For each, the grade of every relevant document by id (passage or whole document);
                others count as irrelevant.

        Raises:
            UsageError: When lengths differ, a feature is unknown, `l2` is not above 0, a grade is negative or
                not finite, or no list holds both a relevant and an irrelevant hit.
        """
        if not len(queries) == len(hits) == len(relevant):
            raise UsageError(
                f"`Learned.fit` needs hits and labels for every query, got {len(queries)} queries, {len(hits)} lists "
                f"of hits and {len(relevant)} of labels"
            )
        self._check(relevant)
        names = list(self.features) if self.features is not None else feature_names(hits)
        graded = [(query, listed, _grades(listed, given))
                  for query, listed, given in zip(queries, hits, relevant, strict=True)]  # fmt: skip
        telling = [(query, listed, grades) for query, listed, grades in graded if len(set(grades.tolist())) > 1]
        if not telling:
            raise UsageError(
                "`Learned.fit` found no list with both a relevant and an irrelevant hit: check that the labels' ids "
                "are those of the documents, and that enough hits were fetched"
            )
        read = cache(words)
        lists = [feature_rows(query, listed, names, read) for query, listed, _ in telling]
        missing, spreads = _scales(np.vstack(lists))
        scaled = [np.where(np.isnan(rows), missing, rows) / spreads for rows in lists]
        games = [game for rows, (*_, grades) in zip(scaled, telling, strict=True) for game in contests(rows, grades)]
        figures = zip(fit_ranking(games, self.l2).tolist(), spreads.tolist(), missing.tolist(), strict=True)
        self._terms = {name: _Term(*three) for name, three in zip(names, figures, strict=True)}
        return self

    def _check(self, relevant: Sequence[Mapping[str, float]]) -> None:
        if not 0 < self.l2 < float("inf"):
            raise UsageError(f"`Learned` needs an `l2` above 0, got {self.l2}")
        if self.features is not None and not self.features:
            raise UsageError("`Learned` got an empty list of features: name some, or give None for all")
        for given in relevant:
            if not isinstance(cast(object, given), Mapping):
                raise UsageError(f"`Learned.fit` needs grades by id for every query, like {{'id': 1.0}}, got {given!r}")
            wrong = {id: grade for id, grade in given.items() if not 0 <= grade < float("inf")}
            if wrong:
                raise UsageError(f"`Learned.fit` needs grades of 0 or more, got {wrong}")

    def weights(self) -> dict[str, float]:
        """Return the weight of every feature, per spread of the feature in training, so that they compare."""
        return {name: term.weight for name, term in self._terms.items()}

    def score(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return the weighted sums."""
        if not self._terms:
            raise NotReadyError("`Learned` has not learnt anything yet: call `fit(queries, hits, relevant)` first")
        rows = feature_rows(query, hits, list(self._terms))
        terms = self._terms.values()
        filled = np.where(np.isnan(rows), [term.missing for term in terms], rows)
        note("weights", {name: round(weight, 3) for name, weight in self.weights().items()})
        return [float(score) for score in filled @ np.array([term.weight / term.spread for term in terms])]

    def write_state(self, folder: Path) -> None:
        """Write the weights as JSON; nothing before `fit`."""
        if self._terms:
            terms = {name: asdict(term) for name, term in self._terms.items()}
            (folder / "weights.json").write_text(json.dumps(terms, indent=1), encoding="utf-8")

    def read_state(self, folder: Path) -> None:
        """Take up the weights.

        Raises:
            StorageError: When they are damaged.
        """
        try:
            read = json.loads((folder / "weights.json").read_text("utf-8"))
            self._terms = {name: _Term(**term) for name, term in read.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise StorageError(f"the weights in {folder} cannot be read ({error}): fit `Learned` again") from error


def _grades(hits: Sequence[Hit], grades: Mapping[str, float]) -> Floats:
    given = [max(grades.get(hit.document.id, 0), grades.get(hit.document.source, 0)) for hit in hits]
    return np.array(given, np.float64)


def _scales(rows: Floats) -> tuple[Floats, Floats]:
    """Return what stands for a missing value, and the spread, of every column."""
    lowest = np.nan_to_num(np.nanmin(rows, axis=0, initial=np.inf), posinf=0.0)
    spread = np.where(np.isnan(rows), lowest, rows).std(axis=0)
    return lowest, np.where(spread > 0, spread, 1.0)
