"""`Sentence`: whole sentences, shared sentences, sentences over the budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmopt._tokens import count_tokens
from llmopt.chunking import Sentence
from llmopt.errors import UsageError
from llmopt.types import Document

NUMBERED = [f"Sentence number {number} says something new." for number in range(12)]


@pytest.fixture(autouse=True)
def without_vocabulary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))


def cut(text: str, chunker: Sentence) -> list[str]:
    return [passage.text for passage in chunker.chunk(Document("d", text))]


def test_one_sentence_a_passage() -> None:
    assert cut(" ".join(NUMBERED), Sentence(max_sentences=1, overlap_sentences=0)) == NUMBERED


def test_passages_are_filled_with_whole_sentences() -> None:
    budget = count_tokens(" ".join(NUMBERED[:3])).count + 2
    expected = [" ".join(NUMBERED[at : at + 3]) for at in range(0, 12, 3)]
    assert cut(" ".join(NUMBERED), Sentence(budget, overlap_sentences=0)) == expected


def test_the_last_sentences_are_repeated() -> None:
    passages = cut(" ".join(NUMBERED), Sentence(max_sentences=4, overlap_sentences=2))
    assert passages == [" ".join(NUMBERED[at : at + 4]) for at in range(0, 9, 2)]


def test_repeated_sentences_give_way_to_a_long_new_one() -> None:
    long = "This one " + "goes on and " * 8 + "ends."
    text = f"{NUMBERED[0]} {NUMBERED[1]} {long} {NUMBERED[2]}"
    passages = cut(text, Sentence(count_tokens(long).count + 3, overlap_sentences=2))
    assert long in passages


def test_a_sentence_over_the_budget_is_cut_at_its_words() -> None:
    long = "It " + "goes on and " * 60 + "ends."
    passages = cut(f"First. {long} Last.", Sentence(24, overlap_sentences=0))
    assert " ".join(passages) == f"First. {long} Last."
    assert len(passages) > 5


def test_chinese_sentences_need_no_space() -> None:
    assert cut("天晴了。我们走吧！好吗？", Sentence(max_sentences=1, overlap_sentences=0)) == [
        "天晴了。",
        "我们走吧！",
        "好吗？",
    ]


@pytest.mark.parametrize(("overlap", "most"), [(-1, None), (2, 2), (1, 1), (0, 0)])
def test_an_overlap_without_room_for_a_new_sentence_is_refused(overlap: int, most: int | None) -> None:
    with pytest.raises(UsageError, match="overlap_sentences"):
        cut("One. Two.", Sentence(overlap_sentences=overlap, max_sentences=most))
