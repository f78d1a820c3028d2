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
