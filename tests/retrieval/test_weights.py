"""Weights fitted on labelled queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from llmopt.errors import NotReadyError, UsageError
from llmopt.interfaces import IndexedRetriever, Retriever
from llmopt.retrieval import BM25, FittedWeights, Hybrid
from llmopt.types import Document, Hit

DOCUMENTS = [Document(f"d{number:02}", "text") for number in range(40)]
QUERIES = [f"{number}" for number in range(60)]


@dataclass(repr=False, eq=False)
class Scored(IndexedRetriever):
    """Scores drawn by seed; those of relevant documents (query number modulo 40) are raised by `skill`."""

    seed: int
    skill: float

    def build(self, documents: Sequence[Document]) -> None:
        """Nothing to build."""

    def search(self, query: str, k: int) -> list[Hit]:
        scores = np.random.default_rng((self.seed, int(query))).random(len(self.documents))
        scores[int(query) % len(self.documents)] += self.skill
        return [Hit(document, score) for document, score in zip(self.documents, scores.tolist(), strict=True)]


RELEVANT = [[f"d{int(query) % 40:02}"] for query in QUERIES]


def made(*parts: Retriever, depth: int = 40) -> Hybrid:
    return Hybrid(parts, depth=depth).index(DOCUMENTS)


def fitted(*parts: Retriever) -> FittedWeights:
    found = made(*parts).fit(QUERIES, RELEVANT).fitted
    assert found is not None
    return found


def test_the_better_part_gets_the_greater_weight() -> None:
    found = fitted(Scored(1, 0.1), Scored(2, 0.8))
    assert found.kept
    assert found.weights[1] > found.weights[0]
    assert sum(found.weights) == pytest.approx(1)
    assert found.ndcg_by_scores > found.ndcg_by_ranks
    assert found.gain.n == len(QUERIES)


def test_a_useless_part_among_three_gets_next_to_nothing() -> None:
    found = fitted(Scored(1, 0.0), Scored(2, 0.6), Scored(3, 0.6))
    assert found.weights[0] < 0.15
    assert min(found.weights[1:]) > 0.2


def test_a_fitted_hybrid_ranks_by_weighted_scores() -> None:
    hybrid = made(Scored(1, 0.1), Scored(2, 0.8)).fit(QUERIES, RELEVANT)
    before = made(Scored(1, 0.1), Scored(2, 0.8))

    def right(retriever: Hybrid) -> int:
        return sum(
            hits[0].document.id == ids[0]
            for hits, ids in zip(retriever.retrieve_many(QUERIES, k=1), RELEVANT, strict=True)
        )

    assert right(hybrid) > right(before)
    assert hybrid.retrieve("7", k=5) == hybrid.retrieve_many(["7"], k=5)[0]
    assert set(hybrid.retrieve("7")[0].signals) == {"Scored", "Scored#2"}


class Warped(Scored):
    """Ranks well, by scores whose distances mean nothing."""

    def search(self, query: str, k: int) -> list[Hit]:
        hits = sorted(super().search(query, k), key=lambda hit: -hit.score)
        power = (0.02, 50.0)[(int(query) + self.seed) % 2]
        return [Hit(hit.document, (1 - rank / 40) ** power) for rank, hit in enumerate(hits)]


def test_scores_that_do_not_beat_ranks_are_not_kept() -> None:
    hybrid = made(Warped(1, 0.5), Warped(2, 0.5)).fit(QUERIES, RELEVANT)
    assert hybrid.fitted is not None
    assert not hybrid.fitted.kept
    assert hybrid.fitted.ndcg_by_scores < hybrid.fitted.ndcg_by_ranks
    assert hybrid.retrieve("3") == made(Warped(1, 0.5), Warped(2, 0.5)).retrieve("3")


def test_weights_are_saved_with_the_hybrid(tmp_path: Path) -> None:
    hybrid = made(Scored(1, 0.1), Scored(2, 0.8)).fit(QUERIES, RELEVANT)
    hybrid.save(tmp_path / "hybrid")
    loaded = Hybrid.load(tmp_path / "hybrid", allow=[Scored])
    assert loaded.fitted == hybrid.fitted
    assert loaded.retrieve("5") == hybrid.retrieve("5")


def test_weights_outlive_new_documents() -> None:
    hybrid = made(Scored(1, 0.1), Scored(2, 0.8)).fit(QUERIES, RELEVANT)
    found = hybrid.fitted
    hybrid.index(DOCUMENTS[:20])
    assert hybrid.fitted == found


def test_fitting_again_forgets_the_earlier_labels() -> None:
    hybrid = made(Scored(1, 0.1), Scored(2, 0.8))
    first = hybrid.fit(QUERIES, RELEVANT).fitted
    hybrid.fit(QUERIES[:9], RELEVANT[:9])
    assert hybrid.fit(QUERIES, RELEVANT).fitted == first


def test_one_labelled_query_is_enough_to_run() -> None:
    assert made(Scored(1, 0.1), Scored(2, 0.8)).fit(QUERIES[:1], RELEVANT[:1]).fitted is not None


WRONG: list[tuple[list[str], list[list[str]], str]] = [
    ([], [], "got 0 queries"),
    (["1"], [["d01"], ["d02"]], "1 queries and 2 labels"),
    (["1"], [[]], "no relevant document"),
    (["1"], [["d01", "nowhere"]], r"not there: \['nowhere'\]"),
]


@pytest.mark.parametrize(("queries", "relevant", "complaint"), WRONG)
def test_labels_that_do_not_fit_are_refused(queries: list[str], relevant: list[list[str]], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        made(Scored(1, 0.1), Scored(2, 0.8)).fit(queries, relevant)


def test_fitting_before_indexing_is_refused() -> None:
    with pytest.raises(NotReadyError):
        Hybrid([BM25(), BM25(k1=1)]).fit(["q"], [["d"]])


@dataclass(repr=False, eq=False)
class Elsewhere(Retriever):
    """Gives scores of a table, lowest 10."""

    table: Mapping[str, float] = field(default_factory=lambda: {"d01": 30.0, "d02": 20.0, "d03": 10.0})

    def search(self, query: str, k: int) -> list[Hit]:
        return [Hit(Document(id, "text"), score) for id, score in self.table.items()]


def test_of_a_part_that_does_not_say_its_lowest_score_the_lowest_seen_counts() -> None:
    hybrid = made(BM25(), Elsewhere(), depth=3).fit(["1"], [["d01"]])
    assert hybrid.fitted is not None
    assert hybrid.fitted.scales.floors == (0.0, 10.0)
