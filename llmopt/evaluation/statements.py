"""Statements and questions by rule, English and Chinese: what a judge without a model can split and ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .._replies import is_noncommittal
from .._text import is_cjk, sentences, words
from .support import content_stems

__all__ = ["implied_questions", "statements"]

_CITATION = re.compile(r"\s*[\[\u3010]\d{1,3}(?:\s*[,\uff0c\u3001;-]\s*\d{1,3})*[\]\u3011]")
_BULLET = re.compile(r"^\s*(?:[-*\u2022]|\d{1,3}[.)]|#{1,6}|>)\s+")
_EMPHASIS = re.compile(r"(\*{1,3}|`{1,3})(?=\S)(.+?)(?<=\S)\1")
_POLITE = re.compile(
    r"(?:i hope (?:this|that) helps|(?:please )?let me know|feel free|sure[,!.]|of course[,!.]|certainly[,!.]"
    r"|you(?:'|\u2019)re welcome|thank(?:s| you)|happy to help|here (?:is|are) (?:the|an?|some)\b[^.]*:$"
    r"|\u5e0c\u671b(?:\u8fd9|\u4ee5\u4e0a).{0,8}\u5e2e\u52a9|\u5982\u6709.{0,12}\u8bf7|\u5f53\u7136[\uff0c\uff01])",
    re.IGNORECASE,
)
# A clause of its own begins with a subject; "cats and dogs" and "slept and ate" stay together.
_SUBJECT = (
    r"(?=(?:it|he|she|they|we|you|i|this|that|these|those|there|its|his|her|their|our|the|an?|some|many|most|all"
    r"|each|every|no|both|[A-Z][\w-]*|\d[\d,.]*)\s+\S+\s+\S)"
)
_CLAUSE = re.compile(
    rf";\s+|,\s+(?:and|but|while|whereas|although|though|so|yet)\s+{_SUBJECT}"
    "|\uff1b|\uff0c(?=\u800c\u4e14?|\u4f46\u662f?|\u5e76\u4e14|\u540c\u65f6|\u6b64\u5916|\u53e6\u5916)"
)
_CONJUNCTION = re.compile("^(?:\u800c\u4e14|\u4f46\u662f|\u5e76\u4e14|\u6b64\u5916|\u53e6\u5916|\u800c|\u4f46)")
_SHORTEST_CLAUSE = 3
_VERB = r"is|are|was|were|has|have|had|can|could|will|would|should|may|might|must|does|do|did"
_STATEMENT = re.compile(rf"^(?P<subject>.{{1,80}}?)\s+(?P<verb>{_VERB})\s+(?P<rest>.+)$", re.IGNORECASE)
_AUXILIARY = re.compile(r"^(?:has|have|had)$", re.IGNORECASE)
_CHINESE = re.compile(
    "^(?P<subject>.{1,20}?)(?P<verb>\u662f|\u6709|\u4f4d\u4e8e|\u5c5e\u4e8e|\u5728|\u4e3a)(?P<rest>.+)$"
)
_MOST_KEY_WORDS = 12


def statements(text: str) -> list[str]:
    """Return the sentences that state something, long ones cut into clauses, each once.

    Left out: questions, greetings and offers, and sentences that say that something is not known.
    Pronouns are not resolved.
    """
    found: dict[str, None] = {}
    for span in sentences(text):
        sentence = _plain(text[span.start : span.end])
        if _states(sentence):
            found.update(dict.fromkeys(_clauses(sentence)))
    return list(found)


def implied_questions(text: str, count: int) -> list[str]:
    """Return questions that the text's statements answer, made by templates, at most `count`.

    What-questions of all statements come first, then questions of their key words, then yes-or-no
    questions. A text without a statement is taken as one.
    """
    stated = statements(text) or ([_plain(text)] if words(text) else [])
    made = (make(statement) for make in _TEMPLATES for statement in stated)
    found = list(dict.fromkeys(question for question in made if question))
    return found[:count]


def _plain(sentence: str) -> str:
    return " ".join(_EMPHASIS.sub(r"\2", _BULLET.sub("", _CITATION.sub("", sentence))).split())


def _states(sentence: str) -> bool:
    if not words(sentence) or sentence.rstrip("\"'\u201d\u2019)").endswith(("?", "\uff1f")):
        return False
    return _POLITE.match(sentence) is None and not is_noncommittal(sentence)


def _clauses(sentence: str) -> list[str]:
    parts = [_CONJUNCTION.sub("", part.strip(" \uff0c,;")) for part in _CLAUSE.split(sentence)]
    if any(len(words(part)) < _SHORTEST_CLAUSE for part in parts):
        return [sentence]
    return parts


def _what(statement: str) -> str:
    if is_cjk(statement):
        match = _CHINESE.match(statement.rstrip("\u3002\uff01.!"))
        return f"\u4ec0\u4e48{match['verb']}{match['rest']}\uff1f" if match else ""
    match = _STATEMENT.match(statement.rstrip(".!"))
    return f"What {match['verb'].lower()} {match['rest']}?" if match else ""


def _whether(statement: str) -> str:
    plain = statement.rstrip("\u3002\uff01.!")
    if is_cjk(plain):
        return f"{plain}\u5417\uff1f"
    match = _STATEMENT.match(plain)
    if match is None or _AUXILIARY.match(match["verb"]):
        return f"Is it true that {_lowered(plain)}?"
    return f"{match['verb'].capitalize()} {_lowered(match['subject'])} {match['rest']}?"


def _about(statement: str) -> str:
    plain = statement.rstrip("\u3002\uff01.!")
    if is_cjk(plain):
        return f"\u5173\u4e8e{plain[:40]}\uff0c\u60c5\u51b5\u5982\u4f55\uff1f"
    kept = [word for word in plain.split() if content_stems(word)]
    return f"What about {' '.join(kept[:_MOST_KEY_WORDS])}?" if kept else ""


def _lowered(text: str) -> str:
    """Return the text with a small first letter if its first word is an article or a pronoun."""
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first.lower() in _SMALL else text


_ARTICLES_AND_PRONOUNS = "the a an this that these those it he she they we you there some many most all each"
_SMALL = frozenset(_ARTICLES_AND_PRONOUNS.split())
_TEMPLATES: Sequence[Callable[[str], str]] = (_what, _about, _whether)
