"""Prompt strategies: how a question is put to a model."""

from .direct import Direct
from .grounded import Grounded

__all__ = ["Direct", "Grounded"]
