"""The loop: diagnose, change one thing at a time, compare, keep what works, and show it."""

from .curve import CurvePoint, LearningCurve, alearning_curve, learning_curve
from .diagnosis import (
    AXIS_OF,
    Axis,
    CategoryFailures,
    Cause,
    CauseShare,
    Condition,
    Diagnosis,
    Finding,
    Suggestion,
    adiagnose,
    diagnose,
    plan_diagnosis,
)
from .difference import Change, differences
from .forgetting import Forgetting, aforgetting, forgetting
from .improve import achoose_shots, aimprove_instructions, choose_shots, improve_instructions
from .ladder import Ladder, Rung
from .loop import climb_steps, follow_suggestions
from .race import Entrant, Race, RaceResult
from .search import Part, Search, SearchResult, Trial
from .study import Study
from .tuned import afine_tune_step, fine_tune_step, refuse_leaks
from .verdict import Limits, Verdict

__all__ = [
    "AXIS_OF",
    "Axis",
    "CategoryFailures",
    "Cause",
    "CauseShare",
    "Change",
    "Condition",
    "CurvePoint",
    "Diagnosis",
    "Entrant",
    "Finding",
    "Forgetting",
    "Ladder",
    "LearningCurve",
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
    "afine_tune_step",
    "aforgetting",
    "aimprove_instructions",
    "alearning_curve",
    "choose_shots",
    "climb_steps",
    "diagnose",
    "differences",
    "fine_tune_step",
    "follow_suggestions",
    "forgetting",
    "improve_instructions",
    "learning_curve",
    "plan_diagnosis",
    "refuse_leaks",
]
