"""POST /v1/embeddings."""

from __future__ import annotations

import math
import re
import struct
from array import array
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import TypeAlias

from .checks import embeddings_problem
from .exchange import RecordedRequest
from .http import Response
from .turns import tokens
from .values import encode, integer, is_array, sequence, text

__all__ = ["EmbedFunction", "Embeddings", "bag_of_words"]

EmbedFunction: TypeAlias = Callable[[str, int], Sequence[float]]

# A run of Chinese characters is no word: each stands for itself.
_WORD = re.compile(r"[㐀-鿿豈-﫿]|[^\W㐀-鿿豈-﫿]+")
_PLACES = 4


def bag_of_words(content: str, dimensions: int) -> Sequence[float]:
    """Return a unit vector that depends on the words of a text alone.

    Equal texts have equal vectors, and texts that share words are close: each word adds 1 or -1 at four
    places that its hash picks (feature hashing; Weinberger et al., 2009). Case does not matter.

    Args:
        content: The text.
        dimensions: Length of the vector.
    """
    vector = [0.0] * dimensions
    for word in _WORD.findall(content.lower()):
        for place, sign in _places(word):
            vector[place % dimensions] += sign
    if not any(vector):
        for place, sign in _places("\n" + content)[:1]:
            vector[place % dimensions] = sign
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]


@lru_cache(maxsize=65_536)
def _places(word: str) -> Sequence[tuple[int, float]]:
    """Return where a word goes, and with which sign."""
    digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4 * _PLACES).digest()
    numbers = struct.unpack(f"<{_PLACES}I", digest)
    return [(number >> 1, 1.0 if number & 1 else -1.0) for number in numbers]


class Embeddings:
    """Answers embedding requests.

    Args:
        embed: Makes the vector of a text.
        dimensions: Of the vectors, if the request does not say.
        only_float: Never answer in base64, even when asked to, as many compatible servers.
        shuffle_rows: Return the rows in another order than the texts; `index` says which is which.
        check_requests: Whether requests that OpenAI would refuse are refused.
    """

    def __init__(
        self,
        embed: EmbedFunction,
        *,
        dimensions: int,
        only_float: bool,
        shuffle_rows: bool,
        check_requests: bool,
    ) -> None:
        self._embed = embed
        self._dimensions = dimensions
        self._only_float = only_float
        self._shuffle_rows = shuffle_rows
        self._check_requests = check_requests

    def __call__(self, request: RecordedRequest) -> Response:
        """Return the vectors."""
        problem = embeddings_problem(request.body) if self._check_requests else None
        if problem is not None:
            return problem.response()
        contents = _contents(request.body)
        dimensions = integer(request.body.get("dimensions"), self._dimensions)
        base64 = request.body.get("encoding_format") == "base64" and not self._only_float
        rows = [_row(index, self._embed(content, dimensions), base64) for index, content in enumerate(contents)]
        if self._shuffle_rows:
            rows = _shuffled(rows)
        count = sum(map(tokens, contents))
        return Response(
            content=encode(
                {
                    "object": "list",
                    "data": rows,
                    "model": text(request.body.get("model")),
                    "usage": {"prompt_tokens": count, "total_tokens": count},
                }
            )
        )


def _contents(body: Mapping[str, object]) -> Sequence[str]:
    """Return the texts of a request; of tokens, their numbers as words."""
    given = body.get("input")
    inputs = sequence(given) if is_array(given) else (given,)
    if inputs and isinstance(inputs[0], int):
        inputs = (inputs,)
    return [one if isinstance(one, str) else " ".join(map(str, sequence(one))) for one in inputs]


def _row(index: int, vector: Sequence[float], base64: bool) -> Mapping[str, object]:
    # Single precision either way, so that both encodings carry the same numbers.
    values = array("f", vector)
    packed = b64encode(struct.pack(f"<{len(values)}f", *values)).decode() if base64 else values.tolist()
    return {"object": "embedding", "index": index, "embedding": packed}


def _shuffled(rows: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    """Return the rows in an order that is surely not the old one, if there are two."""
    mixed = list(rows)
    Random(len(rows)).shuffle(mixed)
    return mixed if mixed != list(rows) else mixed[::-1]
