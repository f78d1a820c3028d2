from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from llmopt.errors import UsageError
from llmopt.interfaces import Embedder
from llmopt.retrieval import FineTuning
from llmopt.types import Document, Matrix, TextKind

TOPICS = [f"topic{number}" for number in range(60)]
DOCUMENTS = [Document(topic, f"all about {topic}") for topic in TOPICS]
QUERIES = [f"{word} {topic}" for topic in TOPICS for word in ("why", "when", "how")]
RELEVANT = [[query.split()[1]] for query in QUERIES]


@dataclass(frozen=True)
class Call:
    """What one training got."""

    queries: Sequence[str]
    positives: Sequence[Sequence[str]]
    negatives: Sequence[Sequence[str]]
    folder: Path
    rate: float


@dataclass(repr=False, eq=False)
class Topical(Embedder):
    """Texts of one topic, their last word, are as near as `skill` says; training changes the skill.

    With `remembers` only the questions that it was trained on change: they become their documents.
    """

    skill: float
    after: float
    remembers: bool = False
    strong: frozenset[str] = frozenset()
    calls: list[Call] = field(default_factory=list[Call])

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        return np.array([self._row(text) for text in texts], np.float32)

    def _row(self, text: str) -> Matrix:
        topic = text.rsplit(maxsplit=1)[-1]
        known = f"all about {topic}" if topic in self.strong else text
        row = self.skill * _noise(topic) + (1 - self.skill) * _noise(known)
        return row.astype(np.float32)

    def trained(
        self,
        queries: Sequence[str],
        positives: Sequence[Sequence[str]],
        negatives: Sequence[Sequence[str]],
        folder: Path,
        *,
        epochs: int,
        batch_size: int,
        rate: float,
        seed: int,
        progress: bool | None,
    ) -> Self:
        self.calls.append(Call(queries, positives, negatives, folder, rate))
        folder.mkdir(parents=True)
        if self.remembers:
            return replace(self, strong=frozenset(query.split()[1] for query in queries))
        return replace(self, skill=self.after)


def _noise(text: str) -> Matrix:
    return np.random.default_rng(zlib.crc32(text.encode())).standard_normal(32).astype(np.float32)


def test_a_model_that_wins_on_unseen_documents_is_kept_and_trained_on_everything(tmp_path: Path) -> None:
    tuning = FineTuning(Topical(0.3, 0.9), tmp_path / "tuned", rate=1e-4).fit(QUERIES, RELEVANT, DOCUMENTS)
    assert tuning.report.kept
    assert tuning.report.reason == "it helps on documents with and without labelled questions"
    assert tuning.tuned.skill == 0.9
    last = tuning.embedder.calls[-1]
    assert (last.folder, last.queries, last.rate) == (tmp_path / "tuned", QUERIES, 1e-4)


def test_the_trial_holds_queries_out_with_all_their_documents(tmp_path: Path) -> None:
    tuning = FineTuning(Topical(0.3, 0.9), tmp_path / "tuned").fit(QUERIES, RELEVANT, DOCUMENTS)
    trial = tuning.embedder.calls[0]
    learnt = {text for texts in trial.positives for text in texts}
    unseen = [query for query in QUERIES if f"all about {query.split()[1]}" not in learnt]
    assert tuning.report.unseen is not None
    assert tuning.report.unseen.gain.n == len(unseen) == 36
    assert not learnt.intersection(unseen)
    assert not trial.folder.exists()


@pytest.mark.parametrize(
    ("after", "reason"), [(0.3, "no gain beyond the error bar"), (0.0, "it harms queries on unseen documents")]
)
def test_a_model_that_does_not_win_is_not_used(after: float, reason: str, tmp_path: Path) -> None:
    tuning = FineTuning(Topical(0.3, after), tmp_path / "tuned").fit(QUERIES, RELEVANT, DOCUMENTS)
    assert not tuning.report.kept
    assert tuning.report.reason.startswith(reason)
    assert tuning.tuned is tuning.embedder
    assert not (tmp_path / "tuned").exists()


@pytest.mark.parametrize("must_generalise", [False, True])
def test_a_model_that_only_remembers_is_kept_unless_it_must_generalise(must_generalise: bool, tmp_path: Path) -> None:
    embedder = Topical(0.3, 0.3, remembers=True)
    tuning = FineTuning(embedder, tmp_path / "tuned", must_generalise=must_generalise)
    report = tuning.fit(QUERIES, RELEVANT, DOCUMENTS).report
    assert report.seen is not None
    assert report.seen.gain.low is not None
    assert report.seen.gain.low > 0
    assert report.kept is not must_generalise


def test_hard_negatives_are_near_and_never_answer(tmp_path: Path) -> None:
    embedder = Topical(0.3, 0.9)
    FineTuning(embedder, tmp_path / "tuned", negatives=3).fit(QUERIES, RELEVANT, DOCUMENTS)
    call = embedder.calls[-1]
    assert {len(texts) for texts in call.negatives} == {3}
    assert not any(set(right) & set(wrong) for right, wrong in zip(call.positives, call.negatives, strict=True))
    query = embedder.encode(call.queries[:1], kind="query")
    others = [document.text for document in DOCUMENTS if document.text not in call.positives[0]]
    cosines = embedder.encode(others, kind="document") @ query[0]
    assert list(call.negatives[0]) == [others[place] for place in np.argsort(-cosines)[:3].tolist()]


def test_without_hard_negatives_none_are_mined(tmp_path: Path) -> None:
    embedder = Topical(0.3, 0.9)
    FineTuning(embedder, tmp_path / "tuned", negatives=0).fit(QUERIES, RELEVANT, DOCUMENTS)
    assert not any(embedder.calls[0].negatives)


def test_queries_that_all_share_documents_cannot_be_judged(tmp_path: Path) -> None:
    embedder = Topical(0.3, 0.9)
    tuning = FineTuning(embedder, tmp_path / "tuned").fit(["a topic1", "b topic1"], [["topic1"]] * 2, DOCUMENTS)
    assert not tuning.report.kept
    assert "none can be held out" in tuning.report.reason
    assert not embedder.calls


def test_equal_queries_count_once_with_what_answers_any_of_them(tmp_path: Path) -> None:
    embedder = Topical(0.3, 0.9)
    queries, relevant = [*QUERIES, QUERIES[0]], [*RELEVANT, ["topic1"]]
    FineTuning(embedder, tmp_path / "tuned").fit(queries, relevant, DOCUMENTS)
    call = embedder.calls[-1]
    assert call.queries == QUERIES
    assert call.positives[0] == ["all about topic0", "all about topic1"]


@pytest.mark.parametrize(
    ("queries", "relevant", "documents", "named"),
    [
        ([], [], DOCUMENTS, "relevant ids of every query"),
        (["why"], [["nowhere"]], DOCUMENTS, "nowhere"),
        (["why"], [["blank"]], [Document("blank", " ")], "'blank' has no text"),
        ([" "], [["topic1"]], DOCUMENTS, "a query has no text"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(
    queries: list[str], relevant: list[list[str]], documents: list[Document], named: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=named):
        FineTuning(Topical(0.3, 0.9), tmp_path).fit(queries, relevant, documents)


def test_negatives_below_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="negatives=-1"):
        FineTuning(Topical(0.3, 0.9), tmp_path, negatives=-1).fit(QUERIES, RELEVANT, DOCUMENTS)


def test_before_fit_there_is_no_report_and_nothing_tuned(tmp_path: Path) -> None:
    tuning = FineTuning(Topical(0.3, 0.9), tmp_path)
    with pytest.raises(UsageError, match="call `fit"):
        _ = tuning.report
    with pytest.raises(UsageError, match="call `fit"):
        _ = tuning.tuned
