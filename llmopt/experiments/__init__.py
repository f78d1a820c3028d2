"""One change at a time: comparing pipelines."""

from .difference import Change, differences
from .improve import achoose_shots, aimprove_instructions, choose_shots, improve_instructions
from .ladder import Ladder, Rung
from .race import Entrant, Race, RaceResult
from .verdict import Limits, Verdict

__all__ = [
    "Change",
    "Entrant",
    "Ladder",
    "Limits",
    "Race",
    "RaceResult",
    "Rung",
    "Verdict",
    "achoose_shots",
    "aimprove_instructions",
    "choose_shots",
    "differences",
    "improve_instructions",
]
