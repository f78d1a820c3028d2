"""Reading the answer itself out of a model's words: a number, a choice, yes or no; and telling equal answers."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, TypeAlias

__all__ = ["AnswerKind", "code_of", "find_choice", "find_number", "find_yes_or_no", "normalised", "read_answer"]

AnswerKind: TypeAlias = Literal["text", "number", "choice", "yes_no"]
"""What an answer is: free text, a number, the letter of a choice, or yes or no."""

# A minus counts only where nothing that it could be taken from stands before it: "5-3" holds 5 and 3.
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_SIGNED = re.compile(r"(?<![\w.)])-?(?:[$\u20ac\u00a3\u00a5]\s?)?" + _DIGITS)
_UNSIGNED = re.compile(_DIGITS)
_MARKED_CHOICE = re.compile(r"[(\[]\s*([A-Za-z])\s*[)\]]|^\W*([A-Z])\s*[).:](?!\w)", re.MULTILINE)
# Alone, "A" and "I" are words as often as letters: only where no lower-case word but "or" and "and" follows.
_BARE_CHOICE = re.compile(r"(?<![\w'])([B-HJ-Z]|[AI](?!\s+(?!or\b|and\b)[a-z]))(?![\w'])")
_YES_OR_NO = re.compile(r"\b(yes|no|true|false)\b|(\u4e0d\u662f|\u4e0d\u5bf9|\u5426|\u662f|\u5bf9)", re.IGNORECASE)
# NFKC would leave the minus and the dash that stand for a hyphen, and make 23 of two to the third.
_WRITTEN = str.maketrans(
    {"\u2212": "-", "\u2013": "-"}
    | {
        raised: f"^{digit}"
        for digit, raised in enumerate("\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
    }
)
_YES = frozenset({"yes", "true", "\u662f", "\u5bf9"})
_CITATION = re.compile(r"\[\d+(?:\s*[,-]\s*\d+)*\]")
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_DELETED = re.compile(r"(?<!\d)\.|\.(?!\d)|['\u2019]")
_BLANKED = re.compile(r"[^\w\s.-]|_|(?<!\w)-(?!\d)|-(?!\w)")
_CODE = re.compile(r"```[\w+-]*[ \t]*\n(.*?)\n?```", re.DOTALL)


def read_answer(text: str, kind: AnswerKind) -> str | None:
    """Return the answer of that kind in a short statement, in its plainest form; None when there is none.

    Args:
        text: What stands where the answer is expected, for example after "Answer:".
        kind: What is looked for; a text is returned as it is, stripped.
    """
    if kind == "number":
        return find_number(text)
    if kind == "choice":
        return find_choice(text)
    if kind == "yes_no":
        return find_yes_or_no(text)
    return text.strip() or None


def find_number(text: str) -> str | None:
    """Return the first number, of a sum what stands behind the last equals sign; None when there is none.

    Thousands separators, currency signs and needless zeros are left out: `$1,250.50` is `1250.5`.
    """
    text = _plain(text)
    for part in (text.rpartition("=")[2], text):
        match = _SIGNED.search(part) or _UNSIGNED.search(part)
        if match is not None:
            return _plain_number(match.group())
    return None


def find_choice(text: str) -> str | None:
    """Return the letter of the choice, `B` of "(B)", "B. Paris", "the answer is B"; None when there is none."""
    text = _plain(text)
    match = _MARKED_CHOICE.search(text) or _BARE_CHOICE.search(text)
    if match is not None:
        return next(group for group in match.groups() if group).upper()
    bare = text.strip().strip(".*\"'()")
    return bare.upper() if len(bare) == 1 and bare.isalpha() and bare.isascii() else None


def find_yes_or_no(text: str) -> str | None:
    """Return `yes` or `no`, the first that stands there, true and false counting as them; None when neither does."""
    match = _YES_OR_NO.search(text)
    return None if match is None else ("yes" if match.group().lower() in _YES else "no")


def normalised(text: str) -> str:
    """Return the text so that equal answers are equal: for votes and exact match.

    As SQuAD's evaluation does (Rajpurkar et al. 2016): lower case, no punctuation, no articles, single
    blanks; beside that no citations, full-width forms as ASCII, and numbers in their plainest form, decimal
    points kept.
    """
    plain = _plain(_CITATION.sub(" ", text)).casefold()
    plain = _SIGNED.sub(lambda match: _plain_number(match.group()), plain)
    plain = _BLANKED.sub(" ", _DELETED.sub("", plain))
    return " ".join(_ARTICLE.sub(" ", plain).split()) or " ".join(plain.split()) or text.strip()


def code_of(text: str) -> str:
    """Return the first fenced block of code in a reply, or the whole reply when there is none."""
    match = _CODE.search(text)
    return text.strip() if match is None else match.group(1).strip()


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text.translate(_WRITTEN))


def _plain_number(written: str) -> str:
    digits = re.sub(r"[^\d.-]", "", written)
    whole, _, fraction = digits.partition(".")
    sign, whole, fraction = "-" * whole.startswith("-"), whole.lstrip("-0") or "0", fraction.rstrip("0")
    plain = f"{whole}.{fraction}" if fraction else whole
    return plain if plain == "0" else sign + plain
