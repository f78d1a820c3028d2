"""Bytes as ASCII text: 13 bits in two characters of 91, so that it is 8 % shorter than base64."""

from __future__ import annotations

import numpy as np

__all__ = ["ALPHABET", "base91"]

_BITS = 13  # 2 ** 13 = 8192 fits in 91 * 91 = 8281
# What prints and is no space, without "<", ">" and "&", which mean something in HTML.
ALPHABET = "".join(chr(code) for code in range(33, 127) if chr(code) not in "<>&")


def base91(data: bytes) -> str:
    """Return the bytes as text; the last group is filled up with zero bits."""
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    groups = np.pad(bits, (0, -len(bits) % _BITS)).reshape(-1, _BITS)
    values = groups @ (1 << np.arange(_BITS - 1, -1, -1))
    letters = np.frombuffer(ALPHABET.encode("ascii"), dtype=np.uint8)
    return bytes(letters[np.stack(np.divmod(values, len(ALPHABET)), axis=1)].tobytes()).decode("ascii")
