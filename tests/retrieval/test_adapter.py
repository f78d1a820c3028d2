"""Embeddings tuned to one's own questions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from llmopt._files import read_folder
from llmopt.errors import StorageError, UsageError
from llmopt.interfaces import Embedder
from llmopt.retrieval import Adapter, Contrast, Dense, Ridge, Rotation
from llmopt.retrieval._pairs import unit
from llmopt.retrieval.maps import Learning
from llmopt.testing import FakeEmbedder
from llmopt.testing.contracts import EmbedderContract
from llmopt.types import Document, Matrix, TextKind, Usage

COUNT, DIMENSIONS = 240, 16
FAST = Contrast(points=5, steps=50, rate=3e-3)


@dataclass(repr=False, eq=False)
class Skewed(Embedder):
    """Documents "d7" and queries "q7": the query is its document, turned and blurred; texts without a number are 0.

    Args:
        noise: How much.
        turn: How far queries are turned away from their documents.
    """

    noise: float = 0.2
    turn: float = 0.4
    asked: int = field(default=0, init=False)

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        self.asked += len(texts)
        random = np.random.default_rng(0)
        documents = unit(random.standard_normal((COUNT, DIMENSIONS)).astype(np.float32))
        skew = self.turn * random.standard_normal((DIMENSIONS, DIMENSIONS)).astype(np.float32)
        queries = documents + documents @ (skew - skew.T) + self.noise * random.standard_normal(documents.shape)
        source = documents if kind == "document" else queries.astype(np.float32)
        rows = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in zip(rows, texts, strict=True):
            if text[1:].isdigit():
                row[:] = source[int(text[1:]) % COUNT]
        return rows

    def price(self, usage: Usage) -> float | None:
        return 0.5


class SkewedLater(Skewed):
    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:  # type: ignore[override]  # awaited
        await asyncio.sleep(0)
        return super().embed(texts, kind)


DOCUMENTS = [Document(f"id{number}", f"d{number}") for number in range(COUNT)]
QUERIES = [f"q{number}" for number in range(COUNT)]
RELEVANT = [[f"id{number}"] for number in range(COUNT)]


def fitted(embedder: Embedder | None = None, learning: Learning = FAST) -> Adapter:
    return Adapter(embedder or Skewed(), learning).fit(QUERIES, RELEVANT, DOCUMENTS)


class TestAdapter(EmbedderContract[Adapter]):
    def make(self) -> Adapter:
        return Adapter(FakeEmbedder())


class TestFittedAdapter(EmbedderContract[Adapter]):
    def make(self) -> Adapter:
        return fitted()


class TestFittedAdapterOverARemoteEmbedder(EmbedderContract[Adapter]):
    def make(self) -> Adapter:
        return fitted(SkewedLater())


@pytest.mark.parametrize("learning", [FAST, Ridge(), Rotation()])
def test_a_map_that_wins_on_unseen_documents_is_kept(learning: Learning) -> None:
    adapter = fitted(learning=learning)
    report = adapter.report
    assert report.kept
    assert 0 < report.strength <= 1
    assert report.unseen is not None
    assert report.unseen.gain.low is not None
    assert report.unseen.gain.low > 0
    assert report.unseen.after > report.unseen.before
    assert (report.queries, report.documents) == (COUNT, COUNT)
    assert "without labelled questions" in report.reason

    def found(embedder: Embedder) -> int:
        lists = Dense(embedder).index(DOCUMENTS).retrieve_many(QUERIES, k=1)
        return sum(hits[0].document.id == relevant[0] for hits, relevant in zip(lists, RELEVANT, strict=True))

    assert found(adapter) > found(adapter.embedder) + COUNT // 20


@pytest.mark.parametrize("learning", [FAST, Ridge(), Rotation()])
def test_a_map_that_does_not_win_is_not_kept(learning: Learning) -> None:
    adapter = fitted(Skewed(noise=0.0, turn=0.0), learning)
    assert not adapter.report.kept
    assert adapter.report.strength == 0
    np.testing.assert_allclose(
        adapter.encode(["q1", "q2"], kind="query"), adapter.embedder.encode(["q1", "q2"], kind="query"), atol=1e-6
    )
    assert str(adapter.report).startswith("not kept: ")


def several(count: int) -> tuple[list[str], list[list[str]]]:
    """A few documents, many noisy queries each: there is nothing to learn but the documents."""
    queries = [f"q{number}" for number in range(count)]
    return queries, [[f"id{number % 12}"] for number in range(count)]


def test_remembered_documents_are_told_from_unseen_ones() -> None:
    queries, relevant = several(COUNT)
    adapter = Adapter(Skewed(), FAST).fit(queries, relevant, DOCUMENTS)
    assert adapter.report.seen is not None
    assert adapter.report.unseen is not None
    assert adapter.report.seen.gain.n > 0
    if adapter.report.kept:
        assert adapter.report.unseen.gain.value is not None
        assert adapter.report.unseen.gain.value >= 0
    strict = Adapter(Skewed(), FAST, must_generalise=True).fit(queries, relevant, DOCUMENTS)
    wins = strict.report.unseen is not None and (strict.report.unseen.gain.low or 0) > 0
    assert strict.report.kept == wins


def test_documents_keep_their_vectors_and_queries_move() -> None:
    adapter = fitted()
    np.testing.assert_allclose(
        adapter.encode(["d1"], kind="document"), adapter.embedder.encode(["d1"], kind="document"), atol=1e-6
    )
    assert not np.allclose(adapter.encode(["q1"], kind="query"), adapter.embedder.encode(["q1"], kind="query"))


def test_before_fitting_queries_pass_unchanged_and_there_is_no_report() -> None:
    adapter = Adapter(Skewed())
    np.testing.assert_allclose(
        adapter.encode(["q1"], kind="query"), adapter.embedder.encode(["q1"], kind="query"), atol=1e-6
    )
    with pytest.raises(UsageError, match="call `fit"):
        _ = adapter.report


def test_fitting_is_deterministic_and_forgets_earlier_labels() -> None:
    one, other = fitted(), fitted()
    other.fit(QUERIES[:40], RELEVANT[:40], DOCUMENTS)
    other.fit(QUERIES, RELEVANT, DOCUMENTS)
    np.testing.assert_array_equal(one.encode(QUERIES, kind="query"), other.encode(QUERIES, kind="query"))
    assert one.report == other.report


def test_async_fitting_agrees() -> None:
    adapter = asyncio.run(Adapter(SkewedLater(), FAST).afit(QUERIES, RELEVANT, DOCUMENTS))
    assert adapter.report == fitted().report


def test_the_price_is_the_embedders() -> None:
    assert Adapter(Skewed()).price(Usage()) == 0.5


@pytest.mark.parametrize("embedder", [Skewed(), Skewed(noise=0.0, turn=0.0)])
def test_it_is_saved_with_its_map_and_report(tmp_path: Path, embedder: Skewed) -> None:
    adapter = fitted(embedder)
    Dense(adapter).index(DOCUMENTS).save(tmp_path / "index")
    loaded = Dense.load(tmp_path / "index", allow=[Skewed])
    assert isinstance(loaded.embedder, Adapter)
    assert loaded.embedder.report == adapter.report
    np.testing.assert_array_equal(loaded.embedder.encode(QUERIES, kind="query"), adapter.encode(QUERIES, kind="query"))


def test_a_damaged_report_is_refused(tmp_path: Path) -> None:
    adapter = fitted()
    adapter.write_state(tmp_path)
    (tmp_path / "report.json").write_text("{", encoding="utf-8")
    with pytest.raises(StorageError, match="fit the adapter again"):
        adapter.read_state(tmp_path)


def test_another_embedder_than_the_fitted_one_is_noticed(tmp_path: Path) -> None:
    adapter = fitted()
    adapter.save(tmp_path / "adapter")
    other = Adapter(FakeEmbedder(dimensions=8), FAST)
    other.read_state(read_folder(tmp_path / "adapter") / "state" / "self")
    with pytest.raises(UsageError, match="fitted on 16 dimensions and the embedder gives 8"):
        other.encode(["cat"], kind="query")


def test_equal_queries_and_equal_texts_count_once() -> None:
    twins = [*DOCUMENTS, *(Document(f"twin{number}", f"d{number}") for number in range(COUNT))]
    queries = [*QUERIES, *QUERIES]
    relevant = [*RELEVANT, *([f"twin{number}"] for number in range(COUNT))]
    report = Adapter(Skewed(), FAST).fit(queries, relevant, twins).report
    assert (report.queries, report.documents) == (COUNT, COUNT)
    assert report == fitted().report


def test_zero_vectors_do_no_harm() -> None:
    documents = [*DOCUMENTS, Document("zero", "nothing")]
    adapter = Adapter(Skewed(), FAST).fit([*QUERIES, "no number"], [*RELEVANT, ["zero"]], documents)
    assert np.isfinite(adapter.encode([*QUERIES, "no number"], kind="query")).all()
    assert adapter.report.kept


WRONG: list[tuple[list[str], list[list[str]], str]] = [
    ([], [], "got 0 queries"),
    (["q1"], [], "1 queries and 0 labels"),
    (["q1"], [["id1"], ["id2"]], "1 queries and 2 labels"),
    (["q1"], [[]], "'q1' has no relevant document"),
    (["q1"], [["id1", "nowhere", "never"]], r"\['never', 'nowhere'\]"),
    ([" "], [["id1"]], "a query has no text"),
    (["q1"], [["blank"]], "the document 'blank' has no text"),
]


@pytest.mark.parametrize(("queries", "relevant", "complaint"), WRONG)
def test_labels_that_do_not_fit_are_refused_before_anything_is_embedded(
    queries: list[str], relevant: list[list[str]], complaint: str
) -> None:
    embedder = Skewed()
    with pytest.raises(UsageError, match=complaint):
        Adapter(embedder).fit(queries, relevant, [*DOCUMENTS, Document("blank", " ")])
    assert embedder.asked == 0


def test_one_str_as_labels_is_refused() -> None:
    with pytest.raises(UsageError, match="wrap it"):
        Adapter(Skewed()).fit(["q1"], ["id1"], DOCUMENTS)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("learning", [FAST, Ridge(), Rotation()])
def test_too_few_labels_are_not_enough_to_keep_a_map(count: int, learning: Learning) -> None:
    report = Adapter(Skewed(), learning).fit(QUERIES[:count], RELEVANT[:count], DOCUMENTS).report
    assert not report.kept
    assert report.queries == count


def test_queries_about_one_document_cannot_be_held_out() -> None:
    report = Adapter(Skewed(), FAST).fit(QUERIES[:30], [["id1"]] * 30, DOCUMENTS).report
    assert not report.kept
    assert "share documents" in report.reason
