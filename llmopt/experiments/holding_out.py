"""A part of the samples that no decision sees."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ..evaluation.needs import numbered
from ..types import Sample

__all__ = ["Parts", "hold_out"]


@dataclass(frozen=True, slots=True)
class Parts:
    """The samples, cut in two.

    Attributes:
        seen: Those on which decisions are made.
        unseen: Those that are held out.
    """

    seen: Sequence[Sample]
    unseen: Sequence[Sample]


def hold_out(samples: Sequence[Sample], share: float) -> Parts:
    """Return the samples with about that share held out; a group stays on one side.

    Which side a sample is on depends on its group, else its id, else its question, and on nothing else: it stays
    there when others are added. A sample without an id gets its number in the set.
    """
    seen: list[Sample] = []
    unseen: list[Sample] = []
    for given, sample in zip(samples, numbered(samples), strict=True):
        key = given.group or given.id or given.question
        place = int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64
        (unseen if place < share else seen).append(sample)
    return Parts(seen, unseen)
