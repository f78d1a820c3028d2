"""Web pages as text: what stays, what goes, how broken markup reads."""

from __future__ import annotations

import bz2
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.chunking import Markdown, html_to_text
from llmopt.types import Document

PAGES = Path(__file__).parents[3] / "shared" / "data" / "crag-html-sample" / "dev_data.jsonl.bz2"
TAGS = [
    "<p>",
    "</p>",
    "<div>",
    "</div>",
    "<ul>",
    "<li>",
    "</ul>",
    "<table>",
    "<tr>",
    "<td>",
    "</td>",
    "</table>",
    "<pre>",
]
ODD = [
    "</pre>",
    "<h1>",
    "</h1>",
    "<nav>",
    "</nav>",
    "<script>",
    "</script>",
    "<br>",
    "<!--",
    "-->",
    "<",
    ">",
    "&amp;",
    "&lt",
    '"',
]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("plain   text\n here", "plain text here"),
        ("<h1>One</h1>Text<h3>Two</h3><p>More</p>", "# One\n\nText\n\n### Two\n\nMore"),
        ("<h2></h2><h2> <b>B</b> c</h2>", "## B c"),
        ("<p>a<p>b<br>c<div>d</div>e", "a\n\nb\nc\nd\ne"),
        ("<p>It&#39;s <i>5&nbsp;&lt; 6</i> &amp; fine</p>", "It's 5 < 6 & fine"),
        ("<ul><li>a<li><p>b</p><ol><li>c</ol><li></ul>", "- a\n- b\n\n  1. c"),
        ("<pre>def f():\n    return '```'</pre>", "````\ndef f():\n    return '```'\n````"),
        (
            "<table><caption>Legs</caption><tr><th>who<th>n<tr><td>a|b<td>4<tr><td>c</table>",
            "Legs\n\n| who | n |\n| --- | --- |\n| a\\|b | 4 |\n| c |  |",
        ),
        ("<table><tr><td><p>left</p><p>l2</p><td><h2>right</h2></table>", "left\n\nl2\n\n## right"),
        ("<table><tr><td>x<table><tr><td>i<td>j</table><td>y</table>", "x\n\n| i | j |\n| --- | --- |\n\ny"),
        ("<title>The page</title><p>text", "# The page\n\ntext"),
        ("<title>The page</title><h1>Its title</h1><p>text", "# Its title\n\ntext"),
        ("<style>p{}</style><script>if(a<b)'<p>no'</script><nav><a>no</a></nav>yes", "yes"),
        ("<button>no</button><select><option>no</select><p hidden>no</p><svg><title>no</title></svg>yes", "yes"),
        ("<html hidden><body hidden>yes", "yes"),
        ("<nav>only this is there<p>and this", "only this is there\n\nand this"),
        ("<header><nav>no</header><p>yes", "yes"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("<p>你好，<b>世界</b>。</p>", "你好，世界。"),
        ("a < b and c > d <x y='1", "a < b and c > d <x y='1"),
        ("""<div data-x='{"h": "<p>no</p>"}'>yes</div>""", "yes"),
        ("before <!-- no <p> --> after <!-- open", "before after <!-- open"),
        ("", ""),
        ("<p> </p>", ""),
    ],
)
def test_a_page_reads_as_its_reader_sees_it(html: str, expected: str) -> None:
    assert html_to_text(html) == expected


@given(st.lists(st.sampled_from(TAGS + ODD + ["word ", " 中文", "\n"]), max_size=40).map("".join))
def test_broken_markup_never_fails_and_words_never_join(html: str) -> None:
    text = html_to_text(html)
    assert text == text.strip()
    assert "\n\n\n" not in text or "```" in text


@pytest.mark.parametrize(
    "unit", ["<", "<a", "<a ", "<!--", "<a b='", "<![CDATA[", "</", "<?", "<table>", "<div><p>", "<nav>"]
)
def test_a_long_run_of_broken_markup_comes_to_an_end(unit: str) -> None:
    assert html_to_text(unit * 20_000 + "<p>end").endswith("end") or unit == "<nav>"


def test_markdown_passages_of_a_page_know_their_headings() -> None:
    text = html_to_text("<h1>Cats</h1><p>They sleep.</p><h2>Food</h2><p>Fish.</p>")
    passages = Markdown().chunk(Document("page", text))
    assert [(passage.metadata["headings"], passage.text) for passage in passages] == [
        (["Cats"], "# Cats\n\nThey sleep."),
        (["Cats", "Food"], "## Food\n\nFish."),
    ]
    assert all(passage.span and text[passage.span.start : passage.span.end] == passage.text for passage in passages)
    headed = Markdown(with_headings=True).chunk(Document("page", text))
    assert headed[1].text == "Cats > Food\n\n## Food\n\nFish."
    assert [passage.span for passage in headed] == [passage.span for passage in passages]


def test_real_pages_become_text_with_headings() -> None:
    if not PAGES.is_file():
        pytest.skip("../shared/data/crag-html-sample is not here")
    with bz2.open(PAGES, "rt", encoding="utf-8") as file:
        pages = [result["page_result"] for result in json.loads(next(file))["search_results"]]
    texts = [html_to_text(page) for page in pages if page.strip()]
    assert texts
    for text in texts:
        assert "</" not in text[:2000]
        assert "function(" not in text
        for passage in Markdown(256).chunk(Document("page", text)):
            assert passage.span is not None
            assert passage.text == text[passage.span.start : passage.span.end]
    assert sum("\n## " in text or text.startswith("# ") for text in texts) >= len(texts) // 2
