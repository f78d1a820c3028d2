"""Batches of texts for `/embeddings`, and the rows of its replies."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..._tokens import estimate_tokens
from ...types import Matrix
from .reports import BadReplyError
from .values import as_mapping, as_sequence

__all__ = ["Batch", "batches", "rows_of"]

_MOST_INPUTS = 2048
# A request takes 300,000 tokens. The estimate may be half too low for text that is no language.
_MOST_ESTIMATED_TOKENS = 150_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts of one request, and where each stood."""

    places: Sequence[int]
    texts: Sequence[str]


def batches(texts: Sequence[str], prefix: str) -> Iterator[Batch]:
    """Yield the texts that are not empty, with the prefix, as many at a time as one request takes.

    Args:
        texts: Any number of texts.
        prefix: Put before each.
    """
    places: list[int] = []
    tokens, extra = 0, estimate_tokens(prefix)
    for place, text in enumerate(texts):
        if not text:
            continue
        more = estimate_tokens(text) + extra
        if places and (len(places) == _MOST_INPUTS or tokens + more > _MOST_ESTIMATED_TOKENS):
            yield Batch(places, [prefix + texts[index] for index in places])
            places, tokens = [], 0
        places.append(place)
        tokens += more
    if places:
        yield Batch(places, [prefix + texts[index] for index in places])


def rows_of(reply: Mapping[str, object], count: int) -> Matrix:
    """Return the vectors of a reply in the order of its request's texts, float32.

    Args:
        reply: The JSON.
        count: Of the texts.

    Raises:
        BadReplyError: When a row is missing, twice there, of another length, or not finite.
    """
    found: dict[int, Matrix] = {}
    for place, item in enumerate(map(as_mapping, as_sequence(reply.get("data")))):
        index = item.get("index", place)
        if not isinstance(index, int) or index in found or not 0 <= index < count:
            raise BadReplyError(
                f"a vector has the index {index!r}, which is taken or not from 0 to {count - 1}", final=True
            )
        found[index] = _vector(item.get("embedding"), index)
    if len(found) != count:
        raise BadReplyError(f"{count} vectors were asked for, {len(found)} came", reply, final=bool(found))
    lengths = sorted({vector.size for vector in found.values()})
    if len(lengths) > 1:
        raise BadReplyError(f"vectors of different lengths came: {lengths}", final=True)
    rows = np.stack([found[index] for index in range(count)])
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise BadReplyError(f"vector {int(np.argmin(finite))} holds NaN or infinity", final=True)
    return rows


def _vector(embedding: object, index: int) -> Matrix:
    try:
        if isinstance(embedding, str):
            vector = np.frombuffer(base64.b64decode(embedding), dtype="<f4")
        else:
            vector = np.asarray(as_sequence(embedding), dtype=np.float32)
    except (TypeError, ValueError, binascii.Error) as error:
        raise BadReplyError(f"vector {index} cannot be read: {error}", final=True) from error
    if vector.ndim != 1 or not vector.size:
        raise BadReplyError(f"vector {index} is not a list of numbers", final=True)
    return vector
