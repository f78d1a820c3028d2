"""Vectors as bytes and back, each with what it cost."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Embedded", "from_bytes", "to_bytes"]

_HEAD = struct.Struct("<dd")


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """A text's vector with its share of what the request took.

    Attributes:
        vector: As the embedder made it.
        tokens: Read.
        cost: US dollars; None when nobody knows.
    """

    vector: npt.NDArray[np.float32]
    tokens: float
    cost: float | None


def to_bytes(embedded: Embedded) -> bytes:
    """Return two doubles, tokens and cost (NaN when unknown), and the vector's float32 numbers."""
    head = _HEAD.pack(embedded.tokens, math.nan if embedded.cost is None else embedded.cost)
    return head + embedded.vector.astype("<f4").tobytes()


def from_bytes(data: bytes) -> Embedded:
    """Return what `to_bytes` wrote.

    Raises:
        ValueError: When it is not of its making.
    """
    try:
        tokens, cost = _HEAD.unpack_from(data)
    except struct.error as error:
        raise ValueError(f"not a vector that was written here: {error}") from error
    vector = np.frombuffer(data, "<f4", offset=_HEAD.size).astype(np.float32)
    return Embedded(vector, tokens, None if math.isnan(cost) else cost)
