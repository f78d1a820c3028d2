"""Bytes as ASCII text: 13 bits in two characters of 91, so that it is 8 % shorter than base64."""

from __future__ import annotations

import numpy as np

__all__ = ["ALPHABET", "base91"]

_BITS = 13  # 2 ** 13 = 8192 fits in 91 * 91 = 8281
_TOGETHER = 8  # groups: they fill whole bytes, 13 of them
# What prints and is no space, without "<", ">" and "&", which mean something in HTML.
ALPHABET = "".join(chr(code) for code in range(33, 127) if chr(code) not in "<>&")


def base91(data: bytes) -> str:
    """Return the bytes as text; the last group is filled up with zero bits."""
    groups = -(-8 * len(data) // _BITS)
    padded = np.frombuffer(data + bytes(-len(data) % _BITS), dtype=np.uint8).reshape(-1, _BITS)
    wide = np.pad(padded, ((0, 0), (0, 1))).astype(np.int32)  # a window of three bytes holds any group
    values = np.empty((len(wide), _TOGETHER), dtype=np.int32)
    for place in range(_TOGETHER):
        first, offset = divmod(_BITS * place, 8)
        window = wide[:, first] << 16 | wide[:, first + 1] << 8 | wide[:, first + 2]
        values[:, place] = window >> (24 - _BITS - offset) & (1 << _BITS) - 1
    letters = np.frombuffer(ALPHABET.encode("ascii"), dtype=np.uint8)
    pairs = np.stack(np.divmod(values.ravel()[:groups], len(ALPHABET)), axis=1)
    return bytes(letters[pairs].tobytes()).decode("ascii")
