"""Word forms and stop words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._text import words
from llmopt.retrieval import STOP_WORDS, EnglishPlurals


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("cats", "cat"),
        ("queries", "query"),
        ("databases", "database"),
        ("user's", "user"),
        ("glass", "glass"),
        ("status", "status"),
        ("shoes", "shoes"),
        ("trees", "trees"),
        ("is", "is"),
        ("gas", "gas"),
        ("检索", "检索"),
        ("", ""),
    ],
)
def test_plurals_and_possessives_become_singular(word: str, stem: str) -> None:
    assert EnglishPlurals()(word) == stem


@given(word=st.text())
def test_a_stem_is_a_beginning_of_the_word_or_ends_in_y(word: str) -> None:
    stem = EnglishPlurals()(word)
    assert word.startswith(stem) or (word.endswith("ies") and stem == f"{word[:-3]}y")


def test_stop_words_are_words_as_the_index_knows_them() -> None:
    assert all(words(word) == [word] for word in STOP_WORDS)
