from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt.errors import CorpusError, NotReadyError, StorageError, UsageError
from llmopt.models import LatentSemantic
from llmopt.models.local._sparse import SparseRows
from llmopt.models.local._subwords import learn_subwords
from llmopt.models.local._svd import leading_directions
from llmopt.retrieval import Dense
from llmopt.testing.contracts import EmbedderContract
from llmopt.types import Document

TEXTS = (
    "The cat sleeps on the sofa and purrs.",
    "Cats purr when they are content; a kitten purrs, too.",
    "A kitten is a young cat that sleeps a lot.",
    "The dog barks at the postman in the street.",
    "Dogs bark; a puppy barks at everything.",
    "A puppy is a young dog.",
    "Share prices fell on the stock exchange.",
    "The exchange saw stocks and bonds fall.",
    "\u732b\u5728\u6c99\u53d1\u4e0a\u7761\u89c9\u3002",
    "\u72d7\u5bf9\u90ae\u9012\u5458\u53eb\u3002",
)


def fitted(dimensions: int = 6) -> LatentSemantic:
    return LatentSemantic(dimensions).fit(TEXTS)


def similarity(embedder: LatentSemantic, one: str, other: str) -> float:
    rows = embedder.encode([one, other], kind="query")
    return float(rows[0] @ rows[1])


class TestLatentSemantic(EmbedderContract[LatentSemantic]):
    def make(self) -> LatentSemantic:
        return fitted()


def test_words_of_like_company_are_alike_without_a_common_word() -> None:
    embedder = fitted(3)
    assert similarity(embedder, "kitten", "purrs") > 0.5
    assert similarity(embedder, "kitten", "purrs") > similarity(embedder, "kitten", "postman") + 0.3


def test_an_unseen_form_of_a_word_lies_near_the_known_ones() -> None:
    embedder = fitted()
    assert similarity(embedder, "barking", "barks") > 0.9
    assert similarity(embedder, "barking", "barks") > similarity(embedder, "barking", "stocks") + 0.5


def test_chinese_texts_are_found_by_their_characters() -> None:
    embedder = fitted()
    rows = embedder.encode(["\u732b\u5728\u54ea\u91cc\u7761\u89c9\uff1f"], kind="query")
    assert int((rows @ embedder.encode(TEXTS, kind="document").T).argmax()) == 8


def test_a_text_without_a_known_piece_is_a_zero_row() -> None:
    rows = fitted().encode(["", "\u00e6\u00e6\u00e6", "\u4e00\u4e01"], kind="query")
    assert not rows.any()


def test_before_fit_it_says_what_to_do() -> None:
    with pytest.raises(NotReadyError, match=r"fit\(texts\)"):
        LatentSemantic().encode(["a"], kind="query")


@pytest.mark.parametrize("texts", [[], ["", "?!"]])
def test_a_corpus_without_words_is_refused(texts: list[str]) -> None:
    with pytest.raises(CorpusError):
        LatentSemantic().fit(texts)


def test_one_text_instead_of_a_list_is_refused() -> None:
    with pytest.raises(UsageError, match="wrap it"):
        LatentSemantic().fit("a text")


@pytest.mark.parametrize("name", ["dimensions", "vocabulary", "sample"])
def test_a_parameter_below_one_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        LatentSemantic(**{name: 0}).fit(TEXTS)


def test_equal_seeds_give_equal_vectors_and_fit_forgets_earlier_texts() -> None:
    first = LatentSemantic(4, sample=5, seed=3).fit(TEXTS)
    second = LatentSemantic(4, sample=5, seed=3).fit(["something else altogether"]).fit(TEXTS)
    rows = [embedder.encode(TEXTS, kind="document") for embedder in (first, second)]
    np.testing.assert_array_equal(rows[0], rows[1])
    other = LatentSemantic(4, sample=5, seed=4).fit(TEXTS).encode(TEXTS, kind="document")
    assert not np.allclose(rows[0], other)


def test_fitting_works_in_a_running_loop() -> None:
    async def work() -> LatentSemantic:
        return await LatentSemantic(6).afit(TEXTS)

    np.testing.assert_array_equal(asyncio.run(work()).encode(TEXTS, kind="query"), fitted().encode(TEXTS, kind="query"))


def test_a_small_corpus_has_fewer_dimensions_than_asked_for() -> None:
    embedder = LatentSemantic(dimensions=256).fit(TEXTS[:3])
    assert embedder.encode(["cat"], kind="query").shape == (1, 3)


def test_the_vocabulary_keeps_the_pieces_of_most_texts() -> None:
    subwords = learn_subwords(["cat cat", "cat dog", "cat"], 4)
    assert set(subwords.numbers) <= {" ca", "cat", "at ", " cat", "cat ", " cat "}
    assert len(subwords.numbers) == 4


def test_what_was_learnt_comes_back_from_disk(tmp_path: Path) -> None:
    embedder = fitted()
    embedder.save(tmp_path / "saved")
    loaded = LatentSemantic.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.encode(TEXTS, kind="query"), embedder.encode(TEXTS, kind="query"))


def test_an_embedder_that_learnt_nothing_is_saved_as_such(tmp_path: Path) -> None:
    LatentSemantic(7).save(tmp_path / "saved")
    loaded = LatentSemantic.load(tmp_path / "saved")
    assert loaded.dimensions == 7
    with pytest.raises(NotReadyError):
        loaded.encode(["a"], kind="query")


@pytest.mark.parametrize("fault", ["missing", "garbage", "another"])
def test_a_damaged_state_is_refused(tmp_path: Path, fault: str) -> None:
    fitted().write_state(tmp_path)
    file = tmp_path / "vocabulary.json"
    if fault == "missing":
        (tmp_path / "directions.npy").unlink()
    else:
        file.write_text("{" if fault == "garbage" else json.dumps(["a"]), encoding="utf-8")
    with pytest.raises(StorageError, match="LatentSemantic"):
        LatentSemantic().read_state(tmp_path)


def test_a_dense_retriever_works_over_it() -> None:
    documents = [Document(str(number), text) for number, text in enumerate(TEXTS)]
    found = Dense(fitted()).index(documents).retrieve("purring kittens", k=3)
    assert {hit.document.id for hit in found} <= {"0", "1", "2"}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.0, 1.0, -2.5, 3.0]), min_size=5, max_size=5), min_size=1, max_size=8),
    st.integers(1, 4),
)
def test_sparse_products_equal_dense_ones(rows: list[list[float]], width: int) -> None:
    dense = np.array(rows, np.float32)
    sparse = as_sparse(dense)
    right = np.arange(5 * width, dtype=np.float32).reshape(5, width)
    np.testing.assert_allclose(sparse.times(right), dense @ right, atol=1e-4)
    left = np.arange(len(rows) * width, dtype=np.float32).reshape(len(rows), width)
    np.testing.assert_allclose(sparse.transposed().times(left), dense.T @ left, atol=1e-4)


def test_the_directions_are_those_of_the_exact_decomposition() -> None:
    random = np.random.default_rng(0)
    tastes = random.standard_normal((60, 4)) * [8, 4, 2, 1]
    matrix = (tastes @ random.standard_normal((4, 40)) + 0.01 * random.standard_normal((60, 40))).astype(np.float32)
    found = leading_directions(as_sparse(matrix), 4, seed=1)
    exact = np.linalg.svd(matrix, full_matrices=False)[2][:4].T
    np.testing.assert_allclose(np.abs((found * exact).sum(axis=0)), np.ones(4), atol=1e-3)
    np.testing.assert_allclose(found.T @ found, np.eye(4), atol=1e-4)
    assert (found[np.abs(found).argmax(axis=0), np.arange(4)] > 0).all()


def test_directions_beyond_the_rank_are_left_out() -> None:
    row = np.array([[1, 2, 3]], np.float32)
    assert leading_directions(as_sparse(np.repeat(row, 5, axis=0)), 3, seed=0).shape == (3, 1)


def as_sparse(dense: npt.NDArray[np.float32]) -> SparseRows:
    rows = [(np.flatnonzero(row).astype(np.int32), row[np.flatnonzero(row)]) for row in dense]
    return SparseRows.of(rows, dense.shape[1])
