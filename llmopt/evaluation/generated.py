"""Samples that a model wrote, and what became of those that were not kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..types import Sample
from .overview import money
from .row import Spent
from .table import Table

__all__ = ["DropReason", "Dropped", "GeneratedSamples"]

DropReason: TypeAlias = Literal[
    "failed",
    "no related passage",
    "no question",
    "refers to the text",
    "near-duplicate",
    "not answerable from its passages",
    "reference differs from the passages' answer",
    "one passage is enough",
    "answerable without its passages",
    "answerable after all",
]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A draft that was not kept.

    Attributes:
        sample: As far as it was written; its metadata name the passages.
        reason: Why, in one of a few fixed ways.
        why: Why, in a sentence.
    """

    sample: Sample
    reason: DropReason
    why: str


@dataclass(frozen=True, slots=True)
class GeneratedSamples:
    """What `SampleGenerator` made. It is walked like a list of samples; printing it draws a table.

    Attributes:
        samples: Those that passed the filter.
        dropped: The other drafts, each with its reason.
        spent: Calls, tokens and money of all of it.
    """

    samples: Sequence[Sample]
    dropped: Sequence[Dropped] = ()
    spent: Spent = Spent()

    @property
    def counts(self) -> dict[DropReason, int]:
        """How many drafts were dropped for each reason, the most frequent first."""
        found: Counter[DropReason] = Counter(dropped.reason for dropped in self.dropped)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def __len__(self) -> int:
        """Return the number of samples that were kept."""
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        """Walk the samples that were kept."""
        return iter(self.samples)

    def __str__(self) -> str:
        """Draw the table: per category how many were written and kept, and below why the others were not."""
        kept = Counter(sample.category for sample in self.samples)
        lost = Counter(dropped.sample.category for dropped in self.dropped)
        rows = [[name, str(kept[name] + lost[name]), str(kept[name])] for name in sorted(kept | lost)]
        caption = f"{len(self.samples)} samples from {len(self.samples) + len(self.dropped)} drafts"
        notes = [f"dropped, {reason}: {count}" for reason, count in self.counts.items()]
        notes.append(f"{self.spent.usage.calls} calls, {money(self.spent.paid)}")
        return str(Table(("category", "drafts", "kept"), rows, numbers=2, caption=caption, notes=notes))
