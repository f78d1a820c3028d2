"""What a model is tuned on and how far a job has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .chat import Message, ToolSpec

__all__ = ["Example", "JobState", "JobStatus"]

JobState: TypeAlias = Literal[
    "validating", "queued", "running", "paused", "succeeded", "failed", "cancelled", "unknown"
]


@dataclass(frozen=True, slots=True)
class Example:
    """A chat to learn from; its last turn is the assistant's.

    Attributes:
        messages: The chat; for a preference pair: with the preferred last turn.
        rejected: For a preference pair: the turn that is not preferred.
        tools: Tools that the chat may call.
        group: Examples that must stay on one side of a split.
    """

    messages: Sequence[Message]
    rejected: Message | None = None
    tools: Sequence[ToolSpec] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a fine-tune job has come.

    Attributes:
        job_id: The job.
        state: One of ours; `unknown` for a state that the provider invented since.
        tuned_model: The model's name or folder once it succeeded.
        message: What the provider said.
        provider_state: The state in the provider's own word.
    """

    job_id: str
    state: JobState
    tuned_model: str | None = None
    message: str = ""
    provider_state: str = ""
