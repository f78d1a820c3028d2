"""The loop: diagnose, change one thing at a time, compare, keep what works, and show it."""

from .diagnosis import (
    Axis,
    CategoryFailures,
    Cause,
    CauseShare,
    Diagnosis,
    Finding,
    Suggestion,
    adiagnose,
    diagnose,
)
from .difference import Change, differences
from .improve import achoose_shots, aimprove_instructions, choose_shots, improve_instructions
from .ladder import Ladder, Rung
from .loop import climb_steps, follow_suggestions
from .race import Entrant, Race, RaceResult
from .search import Search
from .search_result import Part, SearchResult, Trial
from .study import Study
from .verdict import Limits, Verdict

__all__ = [
    "Axis",
    "CategoryFailures",
    "Cause",
    "CauseShare",
    "Change",
    "Diagnosis",
    "Entrant",
    "Finding",
    "Ladder",
    "Limits",
    "Part",
    "Race",
    "RaceResult",
    "Rung",
    "Search",
    "SearchResult",
    "Study",
    "Suggestion",
    "Trial",
    "Verdict",
    "achoose_shots",
    "adiagnose",
    "aimprove_instructions",
    "choose_shots",
    "climb_steps",
    "diagnose",
    "differences",
    "follow_suggestions",
    "improve_instructions",
]
