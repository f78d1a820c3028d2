"""Search by words."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._sync import call_sync
from llmopt._text import words
from llmopt.errors import StorageError, UsageError
from llmopt.retrieval import BM25, EnglishPlurals
from llmopt.retrieval._postings import words_of
from llmopt.testing.contracts import IndexedRetrieverContract
from llmopt.types import Document, Hit


class TestBM25(IndexedRetrieverContract[BM25]):
    def empty(self) -> BM25:
        return BM25()


class TestBM25WithOwnWords(IndexedRetrieverContract[BM25]):
    def empty(self) -> BM25:
        return BM25(k1=0.9, b=0.4, stemmer=None, stop_words=("a", "the"))


def documents(*texts: str) -> list[Document]:
    return [Document(f"d{number}", text) for number, text in enumerate(texts)]


def ids(hits: list[Hit]) -> list[str]:
    return [hit.document.id for hit in hits]


def by_hand(texts: list[str], query: str, k1: float, b: float) -> dict[str, float]:
    """Lucene's BM25 as Kamphuis et al. (2020) write it, without the constant factor k1 + 1."""
    bags = [Counter(words(text)) for text in texts]
    mean = sum(bag.total() for bag in bags) / len(bags)
    scores: dict[str, float] = {}
    for word in words(query):
        holding = sum(word in bag for bag in bags)
        weight = math.log(1 + (len(bags) - holding + 0.5) / (holding + 0.5))
        for number, bag in enumerate(bags):
            if bag[word]:
                share = bag[word] / (bag[word] + k1 * (1 - b + b * bag.total() / mean))
                scores[f"d{number}"] = scores.get(f"d{number}", 0.0) + weight * share
    return scores


TEXTS = st.lists(
    st.lists(st.sampled_from(["red", "green", "blue", "sky", "猫", "睡觉"]), max_size=8).map(" ".join),
    min_size=1,
    max_size=12,
)


@given(
    texts=TEXTS,
    query=st.lists(st.sampled_from(["red", "sky", "猫", "unknown"]), max_size=5).map(" ".join),
    k1=st.floats(0, 3),
    b=st.floats(0, 1),
    k=st.integers(1, 15),
)
def test_scores_are_lucenes_and_ties_stand_by_id(texts: list[str], query: str, k1: float, b: float, k: int) -> None:
    retriever = BM25(k1=k1, b=b, stemmer=None, stop_words=()).index(documents(*texts))
    expected = by_hand(texts, query, k1, b)
    hits = retriever.retrieve(query, k=k)
    assert {hit.document.id: hit.score for hit in hits} == pytest.approx(
        {hit.document.id: expected[hit.document.id] for hit in hits}, rel=1e-5
    )
    assert len(hits) == min(k, len(expected))
    worst = min((hit.score for hit in hits), default=0)
    assert all(score <= worst * (1 + 1e-5) for id, score in expected.items() if id not in ids(hits))
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.document.id))


@given(text=st.text(st.characters(codec="ascii")) | st.text(st.sampled_from("aB1_'., -\n")) | st.text())
def test_texts_are_indexed_by_the_words_that_all_of_the_library_finds(text: str) -> None:
    assert words_of(text) == words(text)


def test_equal_documents_stand_in_the_order_of_their_ids() -> None:
    corpus = [Document(id, "the same text") for id in ("c", "a", "d", "b")]
    assert ids(BM25().index(corpus).retrieve("same", k=3)) == ["a", "b", "c"]


@pytest.mark.parametrize("query", ["", "  ", "?!", "zebra", "斑马"])
def test_a_query_without_a_known_word_has_no_hits(query: str) -> None:
    assert BM25().index(documents("cats sleep", "dogs bark")).retrieve(query) == []


def test_a_document_without_the_words_is_no_hit() -> None:
    assert ids(BM25().index(documents("cats sleep", "dogs bark", "")).retrieve("sleeping cats", k=10)) == ["d0"]


def test_documents_without_any_word_are_indexed_and_never_found(tmp_path: Path) -> None:
    retriever = BM25().index(documents("", "...", "🤖"))
    assert retriever.retrieve("cat") == []
    retriever.save(tmp_path / "index")
    assert BM25.load(tmp_path / "index").retrieve("cat") == []


def test_stop_words_of_the_query_do_not_count_unless_it_has_no_others() -> None:
    retriever = BM25().index(documents("what it is and what it does", "cats", "the who"))
    assert ids(retriever.retrieve("what is it with cats?")) == ["d1"]
    assert ids(retriever.retrieve("The Who", k=1)) == ["d2"]
    assert ids(BM25(stop_words=()).index(retriever.documents).retrieve("what is it with cats?", k=5)) == ["d0", "d1"]


def test_chinese_is_found_by_pairs_of_characters() -> None:
    retriever = BM25().index(documents("猫每天睡十五个小时。", "狗在夜里叫。", "奶牛吃草，产奶。"))
    assert ids(retriever.retrieve("猫每天睡多少个小时？", k=1)) == ["d0"]
    assert ids(retriever.retrieve("奶牛")) == ["d2"]
    assert retriever.retrieve("什么") == []


def test_a_query_of_single_chinese_characters_finds_the_runs_that_they_stand_in() -> None:
    documents = [
        Document("cat", "我的猫在睡觉。"),
        Document("dog", "狗在晚上叫"),
        Document("lone", "猫"),
        Document("en", "cat"),
    ]
    retriever = BM25().index(documents)
    assert {hit.document.id for hit in retriever.retrieve("猫？")} == {"cat", "lone"}
    assert {hit.document.id for hit in retriever.retrieve("猫 狗")} == {"cat", "lone", "dog"}
    assert {hit.document.id for hit in retriever.retrieve("我的 猫")} == {"cat", "lone"}
    assert retriever.retrieve("鱼") == []


def test_the_stemmer_is_asked_once_per_different_word_of_the_corpus() -> None:
    asked: list[str] = []

    def first_letters(word: str) -> str:
        asked.append(word)
        return word[:3]

    retriever = BM25(stemmer=first_letters).index(documents("sleep sleeping sleep", "sleep"))
    assert asked == ["sleep", "sleeping"]
    assert ids(retriever.retrieve("sleeps")) == ["d0", "d1"]


def test_hits_carry_their_score_as_a_signal() -> None:
    (hit,) = BM25().index(documents("cats", "dogs")).retrieve("cat")
    assert hit.signals == {"BM25": hit.score}


def test_documents_come_and_go() -> None:
    retriever = BM25().index(documents("cats sleep", "dogs bark"))
    retriever.add([Document("new", "cats bark")])
    assert ids(retriever.retrieve("bark")) == ["d1", "new"]
    retriever.update([Document("d1", "dogs sleep")])
    assert ids(retriever.retrieve("bark")) == ["new"]
    retriever.remove(["new", "d0"])
    assert ids(retriever.retrieve("cats dogs sleep bark")) == ["d1"]
    assert retriever.retrieve("dogs") == BM25().index(retriever.documents).retrieve("dogs")


@pytest.mark.parametrize(("k1", "b"), [(-1, 0.5), (math.nan, 0.5), (math.inf, 0.5), (1.5, 1.01), (1.5, -0.1)])
def test_parameters_out_of_range_are_refused(k1: float, b: float) -> None:
    with pytest.raises(UsageError, match=f"k1={k1}, b={b}"):
        BM25(k1=k1, b=b).index(documents("cats"))


def test_one_str_as_stop_words_is_refused() -> None:
    with pytest.raises(UsageError, match="stop_words"):
        BM25(stop_words="the").index(documents("cats"))


def test_documents_of_one_character_and_of_five_megabytes_are_found() -> None:
    long = "the quick brown fox jumps over the lazy dog " * 115_000
    retriever = BM25().index(documents("x", f"{long} needle", "猫", "cats"))
    assert ids(retriever.retrieve("x")) == ["d0"]
    assert ids(retriever.retrieve("needle")) == ["d1"]
    assert ids(retriever.retrieve("猫")) == ["d2"]


def test_a_long_query_is_answered() -> None:
    assert ids(BM25().index(documents("cats", "dogs")).retrieve("cats " * 100_000)) == ["d0"]


def test_it_makes_no_noise(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        retriever = BM25().index(documents(*(f"word{number}" for number in range(300))))
        retriever.retrieve("word7")
        retriever.retrieve("")
        retriever.retrieve_many(["word7", "word8"])
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_importing_it_does_not_import_bm25s() -> None:
    code = "import sys, llmopt.retrieval; sys.exit('bm25s' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_words_known_to_the_searches_of_a_loaded_index_are_mapped_not_copied(tmp_path: Path) -> None:
    BM25().index(documents("cats sleep", "dogs bark")).save(tmp_path / "index")
    loaded = BM25.load(tmp_path / "index")
    assert loaded.stemmer == EnglishPlurals()
    assert ids(loaded.retrieve("cat")) == ["d0"]
    assert ids(call_sync(loaded.search_among, "cats dogs", 2, lambda document: document.id == "d1")) == ["d1"]


def saved_index(folder: Path) -> Path:
    """Save an index without its manifest's checksums in the way and return its files."""
    BM25().index(documents("cats sleep", "dogs bark")).dump_index(folder)
    return folder


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("index.json", '{"index": "BM25", "version": 99}', "version 99"),
        ("index.json", '{"index": "Dense", "version": 1}', "holds a Dense index"),
        ("index.json", "{", "cannot be read"),
        ("vocabulary.json", "[", "vocabulary"),
        ("vocabulary.json", json.dumps(["one", "word", "more", "than", "before"]), "shape"),
        ("data.npy", "no array", "data.npy"),
    ],
)
def test_index_files_that_do_not_fit_are_refused(tmp_path: Path, file: str, content: str, complaint: str) -> None:
    saved_index(tmp_path)
    (tmp_path / file).write_text(content, encoding="utf-8")
    retriever = BM25().index(documents("cats sleep", "dogs bark"))
    with pytest.raises(StorageError, match=complaint):
        retriever.restore_index(tmp_path)


def test_an_index_of_other_documents_is_refused(tmp_path: Path) -> None:
    saved_index(tmp_path)
    retriever = BM25().index(documents("cats sleep"))
    with pytest.raises(StorageError, match="does not fit its 1 documents"):
        retriever.restore_index(tmp_path)
