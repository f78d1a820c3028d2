"""The choice of a ruler."""

from __future__ import annotations

from .._tokens import encoding_name, vocabulary
from .counted import Counted
from .estimated import Estimated
from .ruler import Ruler

__all__ = ["ruler_for"]


def ruler_for(text: str, model: str | None) -> Ruler:
    """Return a ruler by the model's vocabulary where it is on disk, else by the estimate."""
    encoding = vocabulary(model)
    return Estimated(text, encoding_name(model)[0]) if encoding is None else Counted(text, encoding)
