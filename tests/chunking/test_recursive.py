"""Where `Recursive` cuts and what neighbours share; by the estimate, which is there on every machine."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from llmopt._tokens import count_tokens
from llmopt.chunking import Recursive, Tokens
from llmopt.interfaces import Chunker
from llmopt.types import Document

SENTENCE = "The quick brown fox jumps over the lazy dog."


@pytest.fixture(autouse=True)
def without_vocabulary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))


def cut(text: str, chunker: Chunker) -> list[str]:
    return [passage.text for passage in chunker.chunk(Document("d", text))]


def tokens(text: str) -> int:
    return count_tokens(text).count


def test_a_text_within_the_budget_stays_whole() -> None:
    text = f"# Head\n\n{SENTENCE}\n\n{SENTENCE}"
    assert cut(text, Recursive()) == [text]


def test_a_heading_is_the_best_place_to_cut() -> None:
    first = f"# One\n\n{SENTENCE}\n\n{SENTENCE}"
    second = f"## Two\n\n{SENTENCE}\n\n{SENTENCE}"
    assert cut(f"{first}\n\n{second}", Recursive(tokens(first) + 20, overlap=8)) == [first, second]


def test_a_heading_never_ends_a_passage() -> None:
    first, second = f"{SENTENCE} {SENTENCE}", f"# Two\n\n{SENTENCE} {SENTENCE}"
    passages = cut(f"{first}\n\n{second}", Recursive(tokens(f"{first}\n\n# Two") + 2, overlap=0))
    assert passages[0] == first
    assert passages[1].startswith("# Two\n\nThe quick")


@pytest.mark.parametrize("blank", ["\n\n", "\n \t\n", "\r\n\r\n", "\n\n\n\n"])
def test_a_blank_line_goes_before_a_sentence(blank: str) -> None:
    paragraph = f"{SENTENCE} {SENTENCE}"
    text = blank.join([paragraph, paragraph, paragraph])
    assert cut(text, Recursive(tokens(paragraph) * 3 // 2, overlap=0)) == [paragraph] * 3


def test_a_sentence_goes_before_a_line_and_a_word() -> None:
    text = " ".join([SENTENCE.replace("over", "over\n")] * 6)
    for passage in cut(text, Recursive(tokens(SENTENCE) * 5 // 2, overlap=0)):
        assert passage.endswith("dog.")


def test_abbreviations_and_decimals_are_no_place_to_cut() -> None:
    text = "It cost 3.14 dollars e.g. for Dr. Smith and approx. five of Mr. Lee's men no. 7 from the U.S. office. " * 4
    assert set(cut(text, Recursive(48, overlap=0))) == {text[: len(text) // 4].strip()}


def test_lines_are_kept_whole_where_there_are_no_sentences() -> None:
    line = "value = compute(alpha, beta, gamma)"
    passages = cut("\n".join([line] * 12), Recursive(tokens(line) * 7 // 2, overlap=0))
    assert all(part == line for passage in passages for part in passage.split("\n"))


def test_chinese_is_cut_after_its_own_punctuation() -> None:
    sentence = "检索器找到能够回答问题的段落，模型在回答之前先阅读这些段落。"
    passages = cut(sentence * 6, Recursive(tokens(sentence) * 5 // 2, overlap=0))
    assert passages == [sentence * 2] * 3


def test_a_chinese_clause_goes_before_a_character() -> None:
    clause = "检索器找到能够回答问题的段落，"
    for passage in cut(clause * 8, Recursive(tokens(clause) * 5 // 2, overlap=0)):
        assert passage.endswith("，")


def test_a_closing_mark_stays_with_what_it_closes() -> None:
    text = "他说“好”" * 30
    for passage in cut(text, Recursive(16, overlap=0)):
        assert not passage.startswith(("”", "好”"))
        assert not passage.endswith("“")


def test_a_word_is_torn_apart_only_when_it_alone_is_too_long() -> None:
    long = "x" * 400
    passages = cut(f"some words before {long} some words after", Recursive(20, overlap=0))
    assert "".join(passages).replace(" ", "") == f"somewordsbefore{long}somewordsafter"
    assert passages[0] == "some words before"
    assert passages[-1].endswith("some words after")


@pytest.mark.parametrize("family", ["👨‍👩‍👧‍👦", "👍🏽", "e\u0301\u0302", "\U0001f3f4\u200d☠\ufe0f"])
def test_what_a_reader_sees_as_one_character_is_not_torn_apart(family: str) -> None:
    for chunker in (Recursive(24, overlap=0), Tokens(24, overlap=0)):
        for passage in cut(family * 40, chunker):
            assert passage == family * (len(passage) // len(family))


def test_neighbours_share_whole_sentences_up_to_the_overlap() -> None:
    numbered = [f"Sentence number {number} says something new." for number in range(30)]
    passages = cut(" ".join(numbered), Recursive(tokens(numbered[0]) * 6, overlap=tokens(numbered[0]) * 5 // 2))
    for one, two in itertools.pairwise(passages):
        shared = next(two[:size] for size in range(len(two), 0, -1) if one.endswith(two[:size]))
        assert shared.count(".") == 2
        assert shared.startswith("Sentence")


def test_nothing_is_shared_across_a_heading() -> None:
    parts = [f"# Part {number}\n\n{SENTENCE} {SENTENCE}" for number in range(4)]
    assert cut("\n\n".join(parts), Recursive(tokens(parts[0]) * 3 // 2, overlap=12)) == parts


def test_an_overlap_gives_way_where_the_next_word_needs_the_room() -> None:
    text = f"{SENTENCE} {SENTENCE} {'y' * 60} {SENTENCE}"
    passages = cut(text, Recursive(24, overlap=20))
    assert any(passage.startswith("y" * 60) for passage in passages)


def test_the_model_decides_how_tokens_are_counted() -> None:
    chinese = "检索器找到能够回答问题的段落。" * 40
    assert len(cut(chinese, Recursive(64, 0, model="gpt-4"))) > len(cut(chinese, Recursive(64, 0, model="gpt-4o")))
