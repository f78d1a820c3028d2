"""What holds for every chunker and every text: coverage, budget, order, exact offsets, an end."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmopt._tokens
from llmopt._tokens import count_tokens
from llmopt.chunking import Markdown, Recursive, Semantic, Sentence, Tokens
from llmopt.errors import UsageError
from llmopt.interfaces import Chunker, Embedder
from llmopt.types import Document, Matrix, TextKind

VOCABULARIES = Path(__file__).parents[3] / "shared" / "tiktoken"


class Letters(Embedder):
    """An embedder that counts letters."""

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        return np.array([[text.count(letter) for letter in "aeo.文"] for text in texts], np.float32)


Make: TypeAlias = Callable[[int, int], Chunker]
CHUNKERS: dict[str, Make] = {
    "Recursive": lambda budget, overlap: Recursive(budget, overlap),
    "Tokens": lambda budget, overlap: Tokens(budget, overlap),
    "Sentence": lambda budget, overlap: Sentence(budget, overlap_sentences=min(overlap, 2)),
    "Markdown": lambda budget, overlap: Markdown(budget, overlap),
    "Semantic": lambda budget, overlap: Semantic(Letters(), budget, window=1 + overlap % 3),
}
PIECES = [
    *("word", "Another", "it's", "3.14", "x" * 90, "ab" * 400, "https://a.io/b?c=d", "don't", "e.g."),
    *("中文", "字", "。", "，", "“", "”", "他说：“好。”", "漢字かな", "한국어", "……", "！"),
    *("😀", "👨‍👩‍👧", "👍🏽", "🇩🇪", "e\u0301", "\ud800", "\udfff", "\u200d", "\ufe0f", "\x00", "\u0e17\u0e35\u0e48"),
    *(
        " ",
        " ",
        " ",
        ". ",
        "? ",
        ", ",
        "\n",
        "\n\n",
        "\r\n\r\n",
        "\t",
        "\u3000",
        "\u00a0",
        "\u2028",
        " " * 40,
        "\n" * 9,
    ),
    *(
        "# ",
        "\n# Head\n",
        "\n## Sub\n\n",
        "\n---\n",
        "- item\n",
        "1. one\n",
        "\n```\n",
        "\n~~~\n",
        "| a | b |\n",
        "|-|-|\n",
    ),
    *("<|endoftext|>", "def f():\n    return 1\n", "    ", ";", "{}"),
]
WORDS = [
    "word ",
    "don’t ",
    "it's ",
    "a<b ",
    "3.14 ",
    "x_y-z ",
    "中文",
    "字 ",
    "“quote” ",
    "\n",
    "https://a.io/b?c=d ",
    "w" * 40 + " ",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=60).map("".join)
SIZES = st.tuples(st.integers(4, 60), st.integers(0, 59)).filter(lambda pair: pair[1] < pair[0])


@pytest.fixture(params=["vocabulary", "vocabulary in small blocks", "estimate"], scope="module")
def counting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("empty") if request.param == "estimate" else VOCABULARIES
    if not folder.is_dir():
        pytest.skip("../shared/tiktoken is not here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
        if request.param == "vocabulary in small blocks":
            patch.setattr(llmopt._tokens, "_BLOCK", 2400)
            patch.setattr(llmopt._tokens, "_STEP", 1200)
        yield request.param


def check(text: str, passages: Sequence[Document], budget: int) -> None:
    covered = last_end = 0
    for passage in passages:
        assert passage.span is not None
        start, end = passage.span.start, passage.span.end
        assert passage.text == text[start:end]
        assert passage.text == passage.text.strip()
        assert passage.text
        assert count_tokens(passage.text).count <= budget
        assert not text[covered:start].strip()
        assert end > last_end
        covered, last_end = max(covered, end), end
    assert not text[covered:].strip()


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("name", CHUNKERS)
@given(text=TEXTS, sizes=SIZES)
@settings(max_examples=150, deadline=None)
def test_every_chunker_covers_the_text_in_order_within_the_budget(name: str, text: str, sizes: tuple[int, int]) -> None:
    budget, overlap = sizes
    check(text, CHUNKERS[name](budget, overlap).chunk(Document("d", text)), budget)


@pytest.mark.usefixtures("counting")
@given(text=TEXTS, sizes=SIZES)
@settings(max_examples=80, deadline=None)
def test_headings_in_front_are_within_the_budget_and_leave_the_spans_exact(text: str, sizes: tuple[int, int]) -> None:
    budget, overlap = sizes
    document = Document("d", text)
    passages = Markdown(budget, overlap, with_headings=True).chunk(document)
    own: list[Document] = []
    for passage in passages:
        assert passage.span is not None
        own.append(replace(passage, text=text[passage.span.start : passage.span.end]))
        front = passage.text.removesuffix(own[-1].text)
        assert front == "" or front.endswith("\n\n")
        assert passage.text == front + own[-1].text
        assert count_tokens(passage.text).count <= budget
    check(text, own, budget)


WORD = re.compile(r"[A-Za-z0-9'\u2019_<>:/?=&.-]+")


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("name", [name for name in CHUNKERS if name != "Tokens"])
@given(
    words=st.lists(st.sampled_from([*WORDS, *(word + mark for word in WORDS for mark in "。，")]), max_size=80),
    sizes=SIZES,
)
@settings(max_examples=100, deadline=None)
def test_a_word_is_torn_apart_only_when_it_alone_exceeds_the_budget(
    name: str, words: list[str], sizes: tuple[int, int]
) -> None:
    budget, overlap = sizes
    text = "".join(words)
    ends = {
        place
        for passage in CHUNKERS[name](budget, overlap).chunk(Document("d", text))
        if passage.span
        for place in (passage.span.start, passage.span.end)
    }
    for word in WORD.finditer(text):
        if count_tokens(word.group()).count <= budget:
            assert not ends.intersection(range(word.start() + 1, word.end()))


LONG = {
    "english": "The cat sat on the mat, which was red. It slept there all day long.\n\n" * 2000,
    "chinese": "检索器找到能够回答问题的段落，模型在回答之前先阅读这些段落。" * 3000,
    "no space": "abcdefghij" * 9_000,
    "one letter": "a" * 90_000,
    "spaces": " " * 2_000_000 + "end",
    "lines": "\n" * 90_000 + "end",
    "emoji": "😀" * 60_000,
    "numbers": "1234567890" * 20_000,
    "stops": "." * 60_000,
    "commas": "、" * 60_000,
    "headings": "# a\n" * 9_000,
    "fences": "```\n" * 9_001,
    "table": "| a | b |\n" * 9_000,
    "unclosed": "```python\n" + "x = 1\n" * 9_000,
    "mixed line": "word 中文，" * 40_000,
}


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("name", CHUNKERS)
def test_a_long_text_of_one_kind_is_cut_like_any_other(name: str, kind: str) -> None:
    text = LONG[kind]
    check(text, CHUNKERS[name](256, 32).chunk(Document("d", text)), 256)


@pytest.mark.parametrize("name", ["Recursive", "Tokens", "Sentence", "Markdown"])
@pytest.mark.parametrize("unit", ["one two three ", "检索器找到能够回答问题的段落", "abcdefghij"])
def test_a_line_of_five_megabytes_is_cut_like_any_other(
    name: str, unit: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    text = unit * (5_000_000 // len(unit.encode()))
    check(text, CHUNKERS[name](512, 64).chunk(Document("d", text)), 512)


@pytest.mark.parametrize("name", CHUNKERS)
@pytest.mark.parametrize("text", ["", " ", "\n\t \u3000\n"])
def test_a_text_of_white_space_has_no_passages(name: str, text: str) -> None:
    assert CHUNKERS[name](64, 8).chunk(Document("d", text)) == []


@pytest.mark.parametrize("name", CHUNKERS)
def test_a_budget_below_one_character_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name}.max_tokens"):
        CHUNKERS[name](3, 0).chunk(Document("d", "text"))


@pytest.mark.parametrize("make", [Recursive, Tokens, Markdown])
@pytest.mark.parametrize("overlap", [-1, 8, 9])
def test_an_overlap_that_leaves_no_room_is_refused(make: type[Recursive], overlap: int) -> None:
    with pytest.raises(UsageError, match="overlap"):
        make(8, overlap).chunk(Document("d", "text"))


@pytest.mark.parametrize("name", CHUNKERS)
def test_parameters_rebuild_the_chunker(name: str) -> None:
    chunker = CHUNKERS[name](64, 8)
    assert type(chunker)(**chunker.params()).fingerprint() == chunker.fingerprint()
