"""Why answers fail: the context or the behaviour, and what to try next."""

from .diagnose import adiagnose, diagnose
from .diagnosis import Diagnosis
from .finding import AXIS_OF, Axis, CategoryFailures, Cause, CauseShare, Condition, Finding, Suggestion
from .plan import plan_diagnosis

__all__ = [
    "AXIS_OF",
    "Axis",
    "CategoryFailures",
    "Cause",
    "CauseShare",
    "Condition",
    "Diagnosis",
    "Finding",
    "Suggestion",
    "adiagnose",
    "diagnose",
    "plan_diagnosis",
]
