"""What an answer needs: the gold passages, cut out of their documents, and where they can be recognised."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from ..._tokens import estimate_tokens
from ...chunking import Recursive
from ...evaluation.support import content_stems
from ...types import Document, Sample
from .corpus import Corpus, plain

__all__ = ["Needed", "needed_of"]

_MOST_PASSAGES = 4
_WORTH_ADDING = 0.15
_PIECE_TOKENS = 250


@dataclass(frozen=True)
class Needed:
    """One passage that the answer needs.

    Attributes:
        document: What the pipeline is given when it is to have the gold passage.
        text: What must stand in a context, layout aside, for the passage to be there.
        source: The gold document; empty where only the text is known.
        words: Stems of the reference's words that the passage has: another passage of the same document
            with all of them does as well.
        known: Whether the index holds the gold document at all; None when the index is not known.
        whole: Whether a single passage of the index holds the text.
    """

    document: Document
    text: str
    source: str
    words: frozenset[str] = frozenset()
    known: bool | None = None
    whole: bool = True

    def held_by(self, document: Document) -> bool:
        """Return whether a context holds this passage."""
        if document.id == self.document.id or self.text in plain(document.text):
            return True
        same = bool(self.words) and self.source in {document.source, document.id}
        return same and self.words <= set(content_stems(document.text))


def needed_of(sample: Sample, corpus: Corpus, max_tokens: int) -> list[Needed]:
    """Return the passages that a sample's answer needs, as its `gold` and its evidence say; none where nobody says.

    Evidence (`metadata["evidence"]`, texts that stand verbatim in gold documents) is needed piece by piece.
    Without it the passages of the gold documents are taken that together hold the words of the reference,
    the fewest that do, so that documents that repeat each other are not all needed.

    Args:
        sample: With gold ids or evidence.
        corpus: Where the passages are.
        max_tokens: How long the passages may be together; a document that is longer is cut to the passage
            that holds the reference, evidence is given with the text around it.
    """
    evidence = [text for text in _listed(sample.metadata.get("evidence")) if text.strip()]
    if evidence:
        return [_evidence(text, sample.gold, corpus, max_tokens // len(evidence)) for text in evidence]
    return _by_words(sample, corpus, max_tokens)


def _evidence(text: str, gold: Sequence[str], corpus: Corpus, max_tokens: int) -> Needed:
    holders = sorted(corpus.holding(text, gold), key=lambda each: len(each.text))
    wholes = [whole for id in gold if (whole := corpus.whole(id)) is not None]
    named = next((whole for whole in wholes if plain(text) in plain(whole.text)), None)
    holder = holders[0] if holders else named
    document = Document(gold[0] if gold else "evidence", text) if holder is None else _fitting(holder, text, max_tokens)
    nowhere = holder is None and bool(wholes)  # the gold documents are there, and say something else
    parts = bool(holders) or any(corpus.passages(id) for id in gold)
    return Needed(
        document,
        plain(text),
        document.source,
        known=parts and not nowhere if corpus.indexed else None,
        whole=bool(holders),
    )


def _by_words(sample: Sample, corpus: Corpus, max_tokens: int) -> list[Needed]:
    wanted = frozenset(content_stems(sample.reference or sample.question))
    found = [_candidate(piece, id, corpus, wanted) for id in sample.gold for piece in _pieces(id, corpus)]
    asked = frozenset(content_stems(sample.question))
    chosen: list[Needed] = []
    left, room = set(wanted), max_tokens
    while found and len(chosen) < _MOST_PASSAGES:
        best = max(found, key=lambda each: (len(each.words & left), _shared(each.document.text, asked)))
        size = estimate_tokens(best.document.text)
        if chosen and (len(best.words & left) < _WORTH_ADDING * len(wanted) or size > room):
            break
        chosen.append(best if size <= room else replace(best, document=_fitting(best.document, "", room)))
        left, room = left - best.words, room - size
        found.remove(best)
    lacking = [id for id in sample.gold if not corpus.passages(id) and corpus.whole(id) is None]
    unread = len(left) >= _WORTH_ADDING * len(wanted) and bool(corpus.indexed)
    missing = [Needed(Document(id, ""), "\0", id, known=False) for id in lacking if unread]
    return [*_told_apart(chosen, corpus), *missing]


def _candidate(piece: Document, id: str, corpus: Corpus, wanted: frozenset[str]) -> Needed:
    words = wanted & frozenset(content_stems(piece.text))
    known = bool(corpus.passages(id)) if corpus.indexed else None
    return Needed(piece, plain(piece.text), id, words, known)


def _pieces(id: str, corpus: Corpus) -> list[Document]:
    """Return the passages of a gold document: the index's own, or pieces of the whole text."""
    indexed = [each for each in corpus.passages(id) if estimate_tokens(each.text) <= 2 * _PIECE_TOKENS]
    if indexed and len(indexed) == len(corpus.passages(id)):
        return indexed
    whole = corpus.whole(id)
    if whole is None:
        return corpus.passages(id)
    if estimate_tokens(whole.text) <= 2 * _PIECE_TOKENS:
        return [whole]
    return Recursive(max_tokens=_PIECE_TOKENS, overlap=0).chunk(whole)


def _told_apart(chosen: Sequence[Needed], corpus: Corpus) -> list[Needed]:
    """Mark neighbours of one document that are only together enough: chunking has cut between them."""
    order = corpus.order
    places = {(each.source, order[each.document.id]) for each in chosen if each.document.id in order}
    cut = {place for place in places if (place[0], place[1] + 1) in places or (place[0], place[1] - 1) in places}
    apart = [each for each in chosen if (each.source, order.get(each.document.id, -1)) in cut]
    return [
        replace(each, whole=False, document=_joined(each, apart, corpus)) if each in apart else each for each in chosen
    ]


def _joined(piece: Needed, apart: Sequence[Needed], corpus: Corpus) -> Document:
    """Return the stretch of the document that the pieces were cut from; the piece alone where that is not known."""
    whole = corpus.whole(piece.source)
    spans = [each.document.span for each in apart if each.source == piece.source]
    known = [span for span in spans if span is not None]
    if whole is None or len(known) < len(spans):
        return piece.document
    start, end = min(span.start for span in known), max(span.end for span in known)
    return Document(piece.source, whole.text[start:end], whole.metadata)


def _fitting(document: Document, text: str, max_tokens: int) -> Document:
    """Return the document, or as much of it around the text as the budget allows."""
    size = estimate_tokens(document.text)
    if size <= max_tokens:
        return document
    room = int(len(document.text) * max_tokens / size)
    found = re.search(r"\s+".join(map(re.escape, text.split())), document.text, re.IGNORECASE) if text else None
    start, end = found.span() if found else (0, 0)
    start = max(0, start - max(0, room - (end - start)) // 2)
    return replace(document, text=document.text[start : max(end, start + room)])


def _shared(text: str, words: frozenset[str]) -> int:
    return len(words & frozenset(content_stems(text)))


def _listed(evidence: object) -> Iterable[str]:
    if isinstance(evidence, str):
        return (evidence,)
    listed = cast("Sequence[object]", evidence) if isinstance(evidence, list | tuple) else ()
    return (text for text in listed if isinstance(text, str))
