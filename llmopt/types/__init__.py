"""The frozen values that flow between components."""

from collections.abc import Awaitable
from typing import Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from .answer import Answer, AnswerDelta, Citation, Classification, Failure, Outcome, Part, Step
from .chat import (
    Completion,
    Delta,
    Finish,
    JsonSchema,
    Message,
    Options,
    Role,
    TokenChance,
    ToolCall,
    ToolSpec,
    Usage,
)
from .evaluation import ImpliedQuestion, Need, Planned, Sample, Score, ScoreStatus, Verdict
from .text import Document, Hit, Span
from .tuning import Example, JobState, JobStatus

__all__ = [
    "Answer",
    "AnswerDelta",
    "Citation",
    "Classification",
    "Completion",
    "Delta",
    "Document",
    "Example",
    "Failure",
    "Finish",
    "Hit",
    "ImpliedQuestion",
    "JobState",
    "JobStatus",
    "JsonSchema",
    "Matrix",
    "MaybeAwaitable",
    "Message",
    "Need",
    "Options",
    "Outcome",
    "Part",
    "Planned",
    "Role",
    "Sample",
    "Score",
    "ScoreStatus",
    "Span",
    "Step",
    "TextKind",
    "TokenChance",
    "ToolCall",
    "ToolSpec",
    "Usage",
    "Verdict",
]

T = TypeVar("T")
MaybeAwaitable: TypeAlias = T | Awaitable[T]
Matrix: TypeAlias = npt.NDArray[np.float32]
TextKind: TypeAlias = Literal["query", "document"]
