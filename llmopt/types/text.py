"""Documents, the passages cut from them, and what a search brings back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Document", "Hit", "Span"]


@dataclass(frozen=True, slots=True)
class Span:
    """A range of characters, `text[start:end]`, with what the chunker knows of it.

    Attributes:
        start: First character, from 0.
        end: One past the last character.
        metadata: For example the headings above the passage; merged into the chunk's metadata.
    """

    start: int
    end: int
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Document:
    """A text with an id: a whole document, or a passage that a chunker cut from one.

    Attributes:
        id: Unique within a corpus.
        text: The text that is indexed and shown to the model.
        metadata: Anything that filters and rules read (date, source, headings ...).
        parent: Of a passage: the id of the document that it was cut from.
        span: Of a passage: where in the parent's text it stands.
    """

    id: str
    text: str
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    parent: str | None = None
    span: Span | None = None

    @property
    def source(self) -> str:
        """The id of the whole document: the parent's for a passage, its own otherwise."""
        return self.id if self.parent is None else self.parent


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that a search found, with its score; higher is better, for every retriever.

    Attributes:
        document: What was found.
        score: Finite; comparable within one result list only.
        signals: The scores by name that went into it (`{"BM25": 7.1, "Dense": 0.62}`), for rules,
            learned rankers and the trace.
    """

    document: Document
    score: float
    signals: Mapping[str, float] = field(default_factory=dict[str, float])
