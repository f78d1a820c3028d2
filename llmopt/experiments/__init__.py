"""One change at a time: comparing pipelines."""

from .difference import Change, differences
from .ladder import Ladder, Rung
from .verdict import Limits, Verdict

__all__ = ["Change", "Ladder", "Limits", "Rung", "Verdict", "differences"]
