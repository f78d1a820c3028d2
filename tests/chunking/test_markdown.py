"""`Markdown`: sections, heading paths, blocks that stay whole."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._tokens import count_tokens
from llmopt.chunking import Markdown
from llmopt.chunking.outline import sections
from llmopt.retrieval import BM25
from llmopt.types import Document

PARAGRAPH = "The quick brown fox jumps over the lazy dog. It does so every day of the week."
FENCE = "```python\n" + "\n".join(f"value_{number} = compute({number})" for number in range(6)) + "\n```"
TABLE = "| name | legs |\n|---|---|\n" + "\n".join(f"| animal {number} | {number} |" for number in range(6))


@pytest.fixture(autouse=True)
def without_vocabulary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))


def cut(text: str, chunker: Markdown) -> list[tuple[object, str]]:
    return [(passage.metadata["headings"], passage.text) for passage in chunker.chunk(Document("d", text))]


def paths(text: str) -> list[tuple[tuple[str, ...], str]]:
    return [(section.headings, text[section.start : section.end].strip()) for section in sections(text)]


def test_every_passage_knows_the_headings_above_it() -> None:
    text = "Before.\n# A\nOne.\n### B ##\nTwo.\n## C\nThree.\n# D #\nFour."
    assert cut(text, Markdown()) == [
        ([], "Before."),
        (["A"], "# A\nOne."),
        (["A", "B"], "### B ##\nTwo."),
        (["A", "C"], "## C\nThree."),
        (["D"], "# D #\nFour."),
    ]


def test_the_documents_metadata_stay() -> None:
    passages = Markdown().chunk(Document("d", "# A\ntext", {"date": "2026-01-01"}))
    assert passages[0].metadata == {"date": "2026-01-01", "headings": ["A"]}


def test_a_heading_with_nothing_but_a_deeper_one_below_goes_with_it() -> None:
    assert paths("# A\n\n## B\n\ntext\n\n# C\n# D\ntext") == [
        (("A", "B"), "# A\n\n## B\n\ntext"),
        (("C",), "# C"),
        (("D",), "# D\ntext"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Title\n=====\ntext\nSub\n---\nmore", [("Title",)]),
        ("Title\n=====\n\nSub\n---\nmore", [("Title", "Sub")]),
        ("a line\nanother\n---\nmore", [()]),
        ("- item\n---\nmore", [()]),
        ("text\n\n---\n\nmore", [()]),
        ("---\ntitle: x\n---\n# A\ntext", [(), ("A",)]),
        ("#no heading\n####### none\n\\# none", [()]),
        ("```\n# none\n```\n# A\nx", [(), ("A",)]),
        ("~~~~\n```\n# none\n~~~~\n# A\nx", [(), ("A",)]),
        ("```\n# A\nx", [(), ("A",)]),
        ("    # code", [()]),
        ("#\ntext", [("",)]),
        ("# 第一章\n内容", [("第一章",)]),
    ],
)
def test_what_is_a_heading_and_what_is_not(text: str, expected: list[tuple[str, ...]]) -> None:
    assert [headings for headings, _ in paths(text)] == expected


@pytest.mark.parametrize("block", [FENCE, TABLE], ids=["fence", "table"])
def test_a_block_stays_whole_where_it_fits(block: str) -> None:
    text = f"# A\n\n{PARAGRAPH}\n\n{PARAGRAPH}\n\n{block}\n\n{PARAGRAPH}"
    passages = [passage for _, passage in cut(text, Markdown(count_tokens(block).count + 6))]
    assert any(block in passage for passage in passages)
    assert all(headings == ["A"] for headings, _ in cut(text, Markdown(count_tokens(block).count + 6)))


@pytest.mark.parametrize("block", [FENCE, TABLE], ids=["fence", "table"])
def test_a_block_over_the_budget_is_cut_between_its_lines(block: str) -> None:
    budget = count_tokens(block).count // 2
    for _, passage in cut(f"{block}\n\n{PARAGRAPH}", Markdown(budget)):
        assert all(line in block.split("\n") or line in PARAGRAPH for line in passage.split("\n"))


def test_an_overlap_does_not_begin_within_a_block() -> None:
    text = f"{PARAGRAPH}\n\n{FENCE}\n\n{PARAGRAPH} {PARAGRAPH}"
    for _, passage in cut(text, Markdown(count_tokens(FENCE).count + 12, overlap=40)):
        assert passage.count("```") % 2 == 0


def headed(text: str, max_tokens: int = 512) -> list[str]:
    return [passage for _, passage in cut(text, Markdown(max_tokens, with_headings=True))]


def test_the_path_of_headings_stands_in_front_where_it_is_asked_for() -> None:
    text = "Before.\n# A\nOne.\n### B ##\nTwo.\n# C\n#\nThree."
    assert headed(text) == ["Before.", "A\n\n# A\nOne.", "A > B\n\n### B ##\nTwo.", "C\n\n# C", "#\nThree."]


def test_every_passage_of_a_long_section_is_found_by_its_headings() -> None:
    text = f"# 差旅 规定\n\n## 住宿\n\n{'每晚不超过九百元。' * 40}"
    passages = Markdown(64, with_headings=True).chunk(Document("d", text))
    assert len(passages) > 3
    assert all(passage.text.startswith("差旅 规定 > 住宿\n\n") for passage in passages)
    assert all(passage.metadata["headings"] == ["差旅 规定", "住宿"] for passage in passages)
    found = BM25().index(passages).retrieve("住宿", k=100)
    assert len(found) == len(passages)


def test_of_headings_that_are_too_long_those_next_to_the_passage_stand_in_front() -> None:
    words = "word " * 60
    passages = headed(f"# {words}\n## Near\n### {words}\n#### Own\n{PARAGRAPH}", 48)
    assert passages[-1].startswith("Near > Own\n\n")
    assert not any(passage.startswith("word " * 9) and " > " in passage for passage in passages)


@given(
    st.lists(
        st.sampled_from(
            ["# A\n", "## B\n", "text\n", "\n", "```\n", "~~~\n", "|a|b|\n", "|-|-|\n", "---\n", "===\n", "x"]
        ),
        max_size=25,
    ).map("".join)
)
def test_sections_make_up_the_text(text: str) -> None:
    found = list(sections(text))
    assert not "".join(text[: found[0].start]).strip()
    assert found[-1].end == len(text)
    for one, two in itertools.pairwise(found):
        assert not text[one.end : two.start].strip()
    for section in found:
        assert all(section.start <= start < end <= section.end for start, end in section.whole)
