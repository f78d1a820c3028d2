"""Words and sentences of running text, English and Chinese."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator

from .types import Span

__all__ = ["is_cjk", "last_sentence_end", "sentences", "words"]

_CJK = (
    "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9d\uac00-\ud7af"
    "\U00020000-\U0003fffd"
)
_HAS_CJK = re.compile(f"[{_CJK}]")
# Marks that belong to the letter before them but are no letters to `re`: accents, points, vowel signs.
_SIGNS = (
    "\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0971-\u0df3\u0e31-\u0e3a\u0e47-\u0e4e"
    "\u0eb1-\u0ecd\u0f71-\u0f84\u102b-\u103e\u17b4-\u17d3\u200d"
)
_LETTER = f"(?:[^\\W{_CJK}]|[{_SIGNS}])"
_WORDS = re.compile(f"[{_CJK}]+|{_LETTER}+(?:(?:'|(?<=[0-9])[.,](?=[0-9])){_LETTER}+)*")

# A run of marks; plain ones before a letter or digit (3.14, example.com) end nothing.
_MARKS = re.compile("[.!?\u2026\u3002\uff01\uff1f\uff1b\uff61\u0964\u061f\u06d4\n]++(?:(?<![.!?])|(?![0-9A-Za-z]))")
_FULL_STOPS = re.compile("[\u3002\uff01\uff1f\uff1b\uff61\u0964\u061f\u06d4]")
_QUOTES = "[\"'\u201d\u2019)\\]}\u00bb\uff09\u300d\u300f\u3011\u300b*_`]*"
_CLOSERS = re.compile(_QUOTES)
# With the citations that follow, "[1] [2, 3]", where white space or the end comes then.
_CLOSED = re.compile(_QUOTES + r"(?: ?\[\d{1,3}(?:, ?\d{1,3})*\])*(?=\s|$)")
_NEXT = re.compile("(\\s*)[\"'\u201c\u2018(\\[*_`]*([A-Za-z]*)(.?)", re.DOTALL)
_BLANK_LINE = re.compile(r"\n[ \t\r\f\v]*\n")
# What makes a line begin something new: a blank line, a list item, a heading, a table row, a quotation.
_NEW_LINE = re.compile(
    "\n[ \t\u3000]*(?:\r?\n|[-*+\u2022\u00b7\u25cf\u25aa\u2013\u2014][ \t]|\\(?\\d{1,3}[.)\uff0e][ \t]"
    "|[(\uff08]?(?:\\d{1,3}|[\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341]{1,3})[)\uff09\u3001]"
    "|#{1,6}[ \t]|[|>])"
)
_PLAIN = frozenset(string.ascii_letters)
_OWN_LINE = re.compile(r"[ \t]*(?:#{1,6}[ \t]|\|)")
_ENDS_IN_CJK = re.compile(f"[{_CJK}\u3000-\u303f\uff00-\uff65][\u2026\u2014\u201d\u2019]{{0,3}}$")
_STRETCH = 96
_LONG_WORD = re.compile(r"[A-Za-z]{7}\. [A-Za-z]")
_FENCE = re.compile(r"^[ \t]{0,3}(?:```|~~~)[^\n]*\n?", re.MULTILINE)

_NEVER_LAST = re.compile(
    r"Mrs?|Ms|Dr|Prof|Rev|Hon|Gen|Col|Maj|Capt|Lt|Sgt|Gov|Sen|Rep|Pres|St|Mt|Messrs|Mme|vs|cf|viz|approx"
    r"|e\.g|i\.e|eg|ie|z\.B"
)
_BEFORE_NUMBER = re.compile(
    r"[Nn]os?|[Ff]igs?|[Ee]qs?|[Ss]ecs?|[Cc]h|[Vv]ols?|[Aa]rts?|Tab|Refs?|pp?|ca|c|v|ver"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec"
)
_SELDOM_LAST = re.compile(r"etc|al|Inc|Ltd|Co|Corp|Jr|Sr|dept|est|min|max|[A-Z]|(?:[A-Za-z]{1,2}\.)+[A-Za-z]{1,2}")
_LIST_NUMBER = re.compile(r"\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})")
_SHORT = re.compile("|".join(p.pattern for p in (_NEVER_LAST, _BEFORE_NUMBER, _SELDOM_LAST, _LIST_NUMBER)))
# A capital after "Inc." may be a name; these words begin a sentence.
_STARTERS = re.compile(
    r"A|After|Also|Although|An|And|As|At|Because|Before|But|By|Each|For|From|Have|He|Here?|His|How|However|I|If|In"
    r"|Is|It|Its|Let|Many|Most|My|No|Not|Of|On|Once|One|Or|Our|She|Since|So|Some|Such|That|The|Their|Then|There|These"
    r"|They|This|Those|Thus|To|Under|Until|We|What|When|Where|Which|While|Who|Why|With|Yes|Your?"
)


def is_cjk(text: str) -> bool:
    """Return whether the text holds a Chinese, Japanese or Korean character."""
    return _HAS_CJK.search(text) is not None


def words(text: str) -> list[str]:
    """Return the lower-cased words; a run of CJK characters gives its overlapping pairs.

    Pairs (bigrams) are the usual unit of Chinese retrieval without a segmenter; a single character
    stands alone. Full-width and other compatibility forms count as the plain ones (Unicode NFKC); "3.14",
    "1,000", "don't" and "snake_case" are one word each.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    if not _HAS_CJK.search(folded):
        return _WORDS.findall(folded)
    found: list[str] = []
    for match in _WORDS.finditer(folded):
        run = match.group()
        if _HAS_CJK.match(run) is None or len(run) == 1:
            found.append(run)
        else:
            found.extend(run[at : at + 2] for at in range(len(run) - 1))
    return found


def sentences(text: str) -> Iterator[Span]:
    """Yield the sentences as ranges without surrounding white space, in order.

    A sentence ends at closing punctuation (with the quotes and citations that follow it), at a blank line,
    and where a list item, a heading, a table row or a fenced code block begins; the block is one sentence.
    Abbreviations, initials, decimals, list numbers and an ellipsis before a small letter do not end one. In
    Chinese text a line end does. Every character but white space is in exactly one sentence; time is linear.
    """
    start = 0
    for end in _ends(text):
        yield from _trimmed(text, start, end)
        start = end
    yield from _trimmed(text, start, len(text))


def last_sentence_end(text: str, start: int, stop: int) -> int | None:
    """Return where the last sentence that ends in text[start:stop] ends, fences not seen; None when none does."""
    stretch = _STRETCH
    while start < stop:
        first = max(start, stop - stretch)
        for match in reversed(list(_MARKS.finditer(text, first, stop))):
            end = _end_at(text, start, match)
            if end is not None and end <= stop:
                return end
        stop, stretch = first, 4 * stretch
    return None


def _ends(text: str) -> Iterator[int]:
    """Yield where sentences end, in order, white space not settled."""
    last = 0
    for start, end, fenced in _regions(text):
        if fenced:
            last = end
            yield end
            continue
        for match in _MARKS.finditer(text, start, end):
            if match.start() >= last and (found := _end_at(text, last, match)) is not None:
                last = found
                yield found
        if end < len(text):
            last = end
            yield end


def _regions(text: str) -> Iterator[tuple[int, int, bool]]:
    """Cut the text into fenced code blocks (True) and what lies between; an unclosed fence is plain text."""
    fences = list(_FENCE.finditer(text))
    last = 0
    for opening, closing in zip(fences[::2], fences[1::2], strict=False):
        yield last, opening.start(), False
        yield opening.start(), closing.end(), True
        last = closing.end()
    yield last, len(text), False


def _end_at(text: str, start: int, marks: re.Match[str]) -> int | None:
    """Return where the sentence from `start` ends if it does at these marks."""
    run = marks.group()
    line_end = run.find("\n")
    if line_end != 0:
        stop = marks.end() if line_end < 0 else marks.start() + line_end
        end = _after_marks(text, start, marks.start(), stop)
        if end is not None:
            return end
    return _line_end(text, start, marks.start() + line_end) if line_end >= 0 else None


def _line_end(text: str, start: int, at: int) -> int | None:
    if text[at + 1 : at + 2] not in _PLAIN and _NEW_LINE.match(text, at):
        return at
    if at > start and not text[at - 1].isascii() and _ENDS_IN_CJK.search(text[max(start, at - 4) : at]):
        return at
    line = max(start, text.rfind("\n", start, at) + 1)
    return at if _OWN_LINE.match(text, line, at) else None


def _after_marks(text: str, start: int, at: int, stop: int) -> int | None:
    marks = text[at:stop]
    if marks == "." and _LONG_WORD.match(text, max(start, at - 7)):  # the common case, without further ado
        return stop
    if not marks.isascii() and _FULL_STOPS.search(marks):
        return _closed(text, stop)
    closed = _CLOSED.match(text, stop)
    if closed is None:
        # Plain marks within Chinese text need no space after them.
        end = _closed(text, stop)
        within = at > start and end < len(text) and _HAS_CJK.match(text, at - 1) and _HAS_CJK.match(text, end)
        return end if within and "\u2026" not in marks else None
    end = closed.end()
    following = _NEXT.match(text, end)
    if following is None or following.end() == end:
        return end
    space, word, other = following.groups()
    if "\n" in space and _BLANK_LINE.search(space):
        return end
    small = word[:1].islower() if word else other.islower() or _HAS_CJK.match(other) is not None
    return None if _goes_on(text, start, at, marks, word or other, small=small, closed=end > stop) else end


def _closed(text: str, stop: int) -> int:
    found = _CLOSERS.match(text, stop)
    return stop if found is None else found.end()


def _goes_on(text: str, start: int, at: int, marks: str, following: str, *, small: bool, closed: bool) -> bool:
    """Return whether the sentence goes on after the marks, before `following`."""
    if following == "|" or at == start or text[at - 1].isspace():
        return small or not following[:1].isalnum()
    if marks != ".":
        return small and (closed or not ("!" in marks or "?" in marks))
    before = text[max(start, at - 12) : at].rsplit(maxsplit=1)[-1]
    word = before.lstrip("\"'\u201c\u2018([*_")
    short = _SHORT.fullmatch(word) is not None and _abbreviated(text, start, at, word, following, small=small)
    return short or (small and closed)


def _abbreviated(text: str, start: int, at: int, word: str, following: str, *, small: bool) -> bool:
    if _LIST_NUMBER.fullmatch(word) and _begins_line(text, start, at - len(word)):
        return True
    if _BEFORE_NUMBER.fullmatch(word):
        return small or following[:1].isdigit()
    if _SELDOM_LAST.fullmatch(word):
        return not _STARTERS.fullmatch(following)
    return _NEVER_LAST.fullmatch(word) is not None


def _begins_line(text: str, start: int, at: int) -> bool:
    before = text[max(start, at - 8) : at].rstrip(" \t(*_")
    return before.endswith("\n") or (not before and at - 8 <= start)


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        begin = start + len(piece) - len(piece.lstrip())
        yield Span(begin, begin + len(stripped))
