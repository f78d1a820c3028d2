"""Words and sentences: the traps of English and Chinese text, and what holds for every text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._text import is_cjk, sentences, words

MARKS = [
    ". ",
    ".",
    "!",
    "?",
    "...",
    "…",
    "。",
    "！",
    "；",
    "\n",
    "\n\n",
    " ",
    "  ",
    "\t",
    "\r\n",
    '"',
    "”",
    "“",
    ")",
    "[1]",
]
PIECES = [
    "Dr",
    "etc",
    "U.S",
    "e.g",
    "J",
    "1",
    "3.14",
    "word",
    "The",
    "中文",
    "我",
    "- ",
    "# ",
    "1. ",
    "|",
    "```",
    "`",
    "😀",
]


def split(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rains. It pours!  Does it stop?", ["It rains.", "It pours!", "Does it stop?"]),
        ("i like it. it works.", ["i like it.", "it works."]),
        ("Dr. Smith paid $3.14 to Mr. Lee.", ["Dr. Smith paid $3.14 to Mr. Lee."]),
        ("See Fig. 3 (p. 12) for e.g. the map. Done.", ["See Fig. 3 (p. 12) for e.g. the map.", "Done."]),
        ("He lives in the U.S. The U.S. Senate met.", ["He lives in the U.S.", "The U.S. Senate met."]),
        ("J. K. Rowling wrote it.", ["J. K. Rowling wrote it."]),
        ("Apple Inc. reported. Nuts, pears etc. The end.", ["Apple Inc. reported.", "Nuts, pears etc.", "The end."]),
        ("It took until Dec. 5. No. I mean No. 6.", ["It took until Dec. 5.", "No.", "I mean No. 6."]),
        ("Wait... what? Well... Then go.", ["Wait... what?", "Well...", "Then go."]),
        ('"Why?" he asked. "No!" She ran.', ['"Why?" he asked.', '"No!"', "She ran."]),
        ("He said “stop.” Then (it ended.) Fine.", ["He said “stop.”", "Then (it ended.)", "Fine."]),
        ("Go to https://a.io/b.c?d=e&f=g. Then ask.", ["Go to https://a.io/b.c?d=e&f=g.", "Then ask."]),
        ("Use os.path.join(a, b). Now.", ["Use os.path.join(a, b).", "Now."]),
        ("x = a ? b : c", ["x = a ? b : c"]),
        ("The cat sat . The dog ran .", ["The cat sat .", "The dog ran ."]),
        ("Paris is big. [1] It is old [2].", ["Paris is big. [1]", "It is old [2]."]),
        ("Really.[3] **Bold.** Next.", ["Really.[3]", "**Bold.**", "Next."]),
        ("A title\n\nA text\nover lines.", ["A title", "A text\nover lines."]),
        ("Two:\n- one\n- two\n  goes on\n3. three", ["Two:", "- one", "- two\n  goes on", "3. three"]),
        ("1. Foo bar. 2. Baz.", ["1. Foo bar.", "2. Baz."]),
        ("# Head\nText.\n## Sub\nMore", ["# Head", "Text.", "## Sub", "More"]),
        ("Rows:\n| 1. | a! |\n| 2. | b |\nEnd", ["Rows:", "| 1. | a! |", "| 2. | b |", "End"]),
        ("Run:\n```py\na. B\n\nc! D\n```\nDone.", ["Run:", "```py\na. B\n\nc! D\n```", "Done."]),
        ("Odd ``` fence\n```\nOne. Two.", ["Odd ``` fence\n```\nOne.", "Two."]),
        ("他说：“好的。”然后走了。真的吗？！", ["他说：“好的。”", "然后走了。", "真的吗？！"]),
        ("但是……也许吧。等等……\n好；走", ["但是……也许吧。", "等等……", "好；", "走"]),
        ("版本3.11发布了。好吗?我不知道!走", ["版本3.11发布了。", "好吗?", "我不知道!", "走"]),
        ("第一章 总则\n第一条 为了规范\n一、目的", ["第一章 总则", "第一条 为了规范", "一、目的"]),
        ("Hello world. 你好世界。Bye.", ["Hello world.", "你好世界。", "Bye."]),
        ("यह पहला है। यह दूसरा है।", ["यह पहला है।", "यह दूसरा है।"]),
        ("", []),
        (" \n\t　", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@given(st.lists(st.sampled_from(MARKS + PIECES) | st.text(max_size=4), max_size=40).map("".join))
def test_sentences_hold_every_visible_character_once_and_in_order(text: str) -> None:
    last = 0
    for span in sentences(text):
        assert last <= span.start < span.end <= len(text)
        assert not text[last : span.start].strip()
        assert text[span.start : span.end] == text[span.start : span.end].strip()
        last = span.end
    assert not text[last:].strip()


@given(st.lists(st.sampled_from(["One cat sat.", "It is 3.14!", "Is it so?", "他走了。"]), min_size=1, max_size=9))
def test_plain_sentences_come_back_one_by_one(parts: list[str]) -> None:
    assert split(" ".join(parts)) == parts


@pytest.mark.parametrize(
    "unit",
    [".", "\n", " ", "\n ", " . ", '."', "etc. ", "1.", "[1] ", " [1]", "\n|a", "```python\n", "(", "…", "。”", "A."],
)
def test_every_repeated_pattern_is_read_to_its_end(unit: str) -> None:
    text = unit * 20_000 + "end"
    assert list(sentences(text))[-1].end == len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Cat's hat", ["the", "cat's", "hat"]),
        ("Don’t stop", ["don't", "stop"]),
        ("snake_case, x86_64", ["snake_case", "x86_64"]),
        ("3.14 and 1,000, v3.11.2 at 1.5kg", ["3.14", "and", "1,000", "v3.11.2", "at", "1.5kg"]),
        ("end.Then a,b", ["end", "then", "a", "b"]),
        ("我爱Python编程", ["我爱", "python", "编程"]),
        ("语言模型", ["语言", "言模", "模型"]),
        ("你 好", ["你", "好"]),
        ("ＡＢＣ１２ ﬁne", ["abc12", "fine"]),
        ("cafe\u0301 naïve", ["café", "naïve"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("Straße", ["strasse"]),
        ("'quoted' -- ?!", ["quoted"]),
        ("😀 \n", []),
    ],
)
def test_words_are_what_a_search_compares(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text("abXYZÄßé中文Ａ１1.,'’_ ", max_size=60))
def test_words_do_not_depend_on_case(text: str) -> None:
    assert words(text) == words(text.casefold())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", False), ("a 中 b", True), ("かな", True), ("한글", True), ("é, …“”", False), ("", False)],
)
def test_cjk_text_is_told_apart(text: str, expected: bool) -> None:
    assert is_cjk(text) is expected
