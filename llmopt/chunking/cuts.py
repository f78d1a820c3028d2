"""Where a text may be cut: before headings, between paragraphs, sentences, lines, clauses, words."""

from __future__ import annotations

import re
import unicodedata

from .._text import last_sentence_end

__all__ = [
    "begins_with_heading",
    "hard_cut",
    "last_cut",
    "last_word",
    "next_visible",
    "next_word",
    "overlap_start",
    "trimmed_end",
]

_CJK = (
    "\u2e80-\u2fff\u3005-\u3007\u3041-\u3096\u309d-\u30fa\u30fd-\u30ff\u3105-\u318e\u31a0-\ua4cf\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003fffd"
)
_MARKS = "\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f\u3009\u300b\u300d\u300f\u3011\uff09\uff3d\uff5d"
_OPENING = "\u201c\u2018\u3008\u300a\u300c\u300e\u3010\uff08\uff3b\uff5b"
# What a cut must not come before: closing marks, long-vowel and voicing marks, accents, joiners, selectors.
_BOUND = (
    f",.;:!?%)\\]}}>\"'{_MARKS}\u201d\u2019\u2026\u3099\u309a\u30fb\u30fc\u0300-\u036f\u200d\u20d0-\u20ff\ufe00-\ufe0f"
    "\U000e0100-\U000e01ef"
)
_BLANK_LINE = re.compile(r"\n[ \t\r\f\v]+\n")
_HEADING = re.compile(r"#{1,6}[ \t]")
_CLAUSE = re.compile("[,;:](?=\\s)|[\uff0c\u3001\uff1a\uff1b]")
_WORD = re.compile(
    f"(?<=\\S)(?=\\s)|(?<=[{_CJK}{_MARKS}])(?=[^\\s{_BOUND}])|(?<=[^\\s(\\[{{<{_OPENING}])(?=[{_CJK}{_OPENING}])"
)
# Rougher than where a passage ends, for it only says where the repeated text begins; no short word is an end.
_SENTENCE = re.compile(
    "[.!?\u3002\uff01\uff1f\uff1b](?:(?<=[\u3002\uff01\uff1f\uff1b])|(?<=[^\\W\\d_]{3}[.!?])(?=[\"'\u201d\u2019)\\]]*\\s))"
    "[\"'\u201d\u2019)\\]\u300d\u300f]*\\s*"
)
_VISIBLE = re.compile(r"\S")
_LONGEST_HEADING = 200
_LONGEST_CHARACTER = 16


def next_visible(text: str, start: int) -> int:
    """Return the first place at or after `start` that is not white space, or the text's end."""
    found = _VISIBLE.search(text, start)
    return len(text) if found is None else found.start()


def trimmed_end(text: str, start: int, end: int) -> int:
    """Return where text[start:end] ends without the white space at its end."""
    return start + len(text[start:end].rstrip())


def last_cut(text: str, start: int, fresh: int, limit: int) -> int | None:
    """Return the best place in (fresh, limit] to end a passage that begins at `start`; None when a word fills it.

    Headings come first, then blank lines, sentences, lines and clauses, each only where the passage gets
    half full; then words. `fresh` is where the text begins that the passage before did not have.
    """
    half = max(fresh + 1, (start + limit) // 2)
    if half <= limit:
        for find in (_last_block, last_sentence_end, _last_line, _last_clause):
            found = find(text, half, limit)
            if found is not None:
                return found
    return last_word(text, fresh, limit)


def last_word(text: str, fresh: int, limit: int) -> int | None:
    """Return the last place in (fresh, limit] between two words; None when there is none.

    Chinese and Japanese text may be cut between any two characters, but not before a closing mark or after
    an opening one.
    """
    last = limit
    for width in (64, 512, limit):
        first = max(fresh + 1, limit - width)
        places = [match.start() for match in _WORD.finditer(text, first, last + 1)]
        if places:
            return places[-1]
        last = first - 1
    return None


def next_word(text: str, start: int, limit: int) -> int | None:
    """Return the first place in (start, limit] between two words, the text's end included; None when there is none."""
    found = _WORD.search(text, start + 1, limit + 1)
    if found is not None:
        return found.start()
    return len(text) if start < len(text) <= limit else None


def hard_cut(text: str, start: int, limit: int) -> int:
    """Return a place in (start, limit], or start + 1, where no visible character is torn apart.

    Accents, joined emoji and their modifiers stay with what they modify.
    """
    limit = max(limit, start + 1)
    for place in range(limit, max(start, limit - _LONGEST_CHARACTER), -1):
        if place == len(text) or not _joined(text[place - 1], text[place]):
            return place
    return limit


def overlap_start(text: str, back: int, end: int) -> int:
    """Return where a passage begins that repeats what it can of text[back:end]: whole sentences, lines or words."""
    found = _SENTENCE.search(text, back, end)
    if found is not None and found.end() < end:
        return found.end()
    line = text.find("\n", back, end)
    word = _WORD.search(text, back, end) if line < 0 else None
    place = line if line >= 0 else end if word is None else word.start()
    return min(next_visible(text, place), end)


def begins_with_heading(text: str, start: int) -> bool:
    """Return whether a Markdown heading begins at `start`."""
    return _HEADING.match(text, start) is not None


def _last_block(text: str, first: int, limit: int) -> int | None:
    """Return the last heading in [first, limit], else the last blank line that no heading stands before."""
    found = text.rfind("\n#", first, limit + 2)
    while found >= 0:
        if _HEADING.match(text, found + 1):
            return found
        found = text.rfind("\n#", first, found)
    found = text.rfind("\n\n", first, limit + 1)
    while found >= 0 and _after_heading(text, found):
        found = text.rfind("\n\n", first, found)
    if found >= 0:
        return found
    blanks = [match.start() for match in _BLANK_LINE.finditer(text, first, limit + 1)]
    return blanks[-1] if blanks else None


def _after_heading(text: str, line_end: int) -> bool:
    line = text.rfind("\n", max(0, line_end - _LONGEST_HEADING), line_end) + 1
    return line > 0 and text[line] == "#" and _HEADING.match(text, line) is not None


def _last_line(text: str, first: int, limit: int) -> int | None:
    found = text.rfind("\n", first, limit + 1)
    return None if found < 0 else found


def _last_clause(text: str, first: int, limit: int) -> int | None:
    ends = [match.end() for match in _CLAUSE.finditer(text, first - 1, limit + 1) if match.end() <= limit]
    return ends[-1] if ends else None


def _joined(before: str, after: str) -> bool:
    if "\u200d" in (before, after) or "\U0001f3fb" <= after <= "\U0001f3ff":
        return True
    return unicodedata.category(after)[0] == "M" or (before == "\r" and after == "\n")
