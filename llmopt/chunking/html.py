"""Web pages as clean text with Markdown headings, lists, tables and code fences."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

from .html_writer import Writer

__all__ = ["html_to_text"]

_CODE = frozenset({"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas"})
_CONTROLS = frozenset({"nav", "button", "select", "datalist", "dialog"})
_PAGE = frozenset({"html", "body", "main"})
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PARAGRAPHS = frozenset(
    {"p", "blockquote", "ul", "ol", "dl", "figure", "section", "article", "main", "header", "footer", "aside", "body"}
    | {"details", "address", "fieldset", "hr"}
)
_LINES = frozenset({"div", "dt", "dd", "br", "figcaption", "summary", "caption", "form", "legend", "option", "center"})
# An opening tag that ends an open element of the same kind, up to the element that holds both.
_ENDS = {
    "li": ({"li"}, {"ul", "ol", "menu"}),
    "dt": ({"dt", "dd"}, {"dl"}),
    "dd": ({"dt", "dd"}, {"dl"}),
    "tr": ({"tr", "td", "th"}, {"table"}),
    "td": ({"td", "th"}, {"tr", "table"}),
    "th": ({"td", "th"}, {"tr", "table"}),
    "option": ({"option"}, {"select"}),
}
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"(</?[a-zA-Z](?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>|<[!?][^<>]*>)|<")


def html_to_text(html: str) -> str:
    r"""Return what a page says, as text that the chunker `Markdown` finds its way in.

    Headings become `# ...`, lists `- ...`, tables rows of `| ... |` (those that only lay out a page become
    paragraphs), `<pre>` a code fence. The page's title becomes the first heading when it has no `<h1>`.
    Scripts, styles, navigation, form controls and hidden elements are left out. Broken markup is read as
    far as it goes.

    Args:
        html: A page or a part of one; plain text comes back with its white space collapsed.

    Example:
        >>> html_to_text("<title>T</title><nav>Home</nav><h1>Cats</h1><p>They <b>sleep</b>.<ul><li>a<li>b</ul>")
        '# Cats\n\nThey sleep.\n\n- a\n- b'
    """
    html = _well_formed(html)
    return _read(html, _CODE | _CONTROLS) or _read(html, _CODE)


def _well_formed(html: str) -> str:
    """Escape what opens no tag: `html.parser` of older Pythons takes quadratic time for it."""
    html = _COMMENT.sub("", html[: (end := html.rfind("-->") + 3)]) + html[end:] if "-->" in html else html
    last = html.rfind(">") + 1
    return _TAG.sub(lambda match: match.group(1) or "&lt;", html[:last]) + html[last:].replace("<", "&lt;")


def _read(html: str, dropped: frozenset[str]) -> str:
    parser = _Page(dropped)
    parser.feed(html)
    parser.close()
    return parser.text()


class _Page(HTMLParser):
    """Turns tags into calls of a writer; elements that are never closed end with the one around them."""

    def __init__(self, dropped: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._dropped = dropped
        self._open: list[tuple[str, bool]] = []
        self._names: Counter[str] = Counter()
        self._hidden = 0
        self._title: list[str] = []
        self._writer = Writer()

    def text(self) -> str:
        """Return the page's text; call it once, after `close`."""
        while self._open:
            self._pop()
        body = self._writer.text()
        title = " ".join("".join(self._title).split())
        return f"# {title}\n\n{body}" if title and body and not self._writer.titled else body

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ENDS:
            self._end_open(*_ENDS[tag])
        elif tag in _PARAGRAPHS or tag in _HEADINGS or tag in {"table", "pre"}:
            self._end_open({"p"}, {"td", "th", "li", "div"})
        hidden = tag in self._dropped or (tag not in _PAGE and any(name == "hidden" for name, _ in attrs))
        if tag not in _VOID:
            self._open.append((tag, hidden))
            self._names[tag] += 1
            self._hidden += hidden
        if not self._hidden:
            self._begin(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "p" and not self._names["p"]:
            self._writer.paragraph()
        if self._names[tag]:
            while self._pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._names["title"] and not self._names["body"]:
            self._title.append(data)
        else:
            self._writer.data(data)

    def _end_open(self, names: set[str], within: set[str]) -> None:
        if not any(self._names[name] for name in names):
            return
        for at in range(len(self._open) - 1, -1, -1):
            name = self._open[at][0]
            if name in within:
                return
            if name in names:
                while len(self._open) > at:
                    self._pop()
                if len(names) == 1:
                    return

    def _pop(self) -> str:
        tag, hidden = self._open.pop()
        self._names[tag] -= 1
        if not self._hidden:
            self._finish(tag)
        self._hidden -= hidden
        return tag

    def _begin(self, tag: str) -> None:
        writer = self._writer
        if tag in _HEADINGS:
            writer.heading(_HEADINGS[tag])
        elif tag == "li":
            ordered = next((name for name, _ in reversed(self._open) if name in {"ul", "ol"}), "ul") == "ol"
            writer.item(self._names["ul"] + self._names["ol"], ordered=ordered)
        elif tag == "pre":
            writer.begin_code()
        elif tag == "table":
            writer.begin_table()
        elif tag == "tr":
            writer.row()
        elif tag in {"td", "th"}:
            writer.begin_cell()
        else:
            self._space(tag)

    def _finish(self, tag: str) -> None:
        if tag == "pre":
            self._writer.end_code()
        elif tag == "table":
            self._writer.end_table()
        elif tag in {"td", "th"}:
            self._writer.end_cell()
        elif tag in _HEADINGS:
            self._writer.end_heading()
        elif tag == "li":
            self._writer.end_item()
        else:
            self._space(tag)

    def _space(self, tag: str) -> None:
        # A list within a list item continues it; every other block stands by itself.
        if tag in {"ul", "ol"} and self._names["li"]:
            self._writer.line()
        elif tag in _PARAGRAPHS:
            self._writer.paragraph()
        elif tag in _LINES:
            self._writer.line()
