"""Fine-tune jobs: submit, wait, get the tuned model."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

from .._sync import call, run_sync
from .._trace import step
from ..errors import TuningError, UsageError
from ..types import Example, JobState, JobStatus, MaybeAwaitable
from .component import Component
from .model import ChatModel

__all__ = ["FineTuneJob"]

_OVER: frozenset[JobState] = frozenset({"succeeded", "failed", "cancelled"})


class FineTuneJob(Component, ABC):
    """Trains a model on examples. Write `submit`, `poll` and `model`.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> from llmopt.types import Message
        >>> class Instant(FineTuneJob):
        ...     def submit(self, training: Sequence[Example], validation: Sequence[Example]) -> str:
        ...         return "job-1"
        ...     def poll(self, job_id: str) -> JobStatus:
        ...         return JobStatus(job_id, "succeeded", tuned_model="tuned")
        ...     def model(self, status: JobStatus) -> ChatModel:
        ...         return FakeModel(status.tuned_model or "")
        >>> example = Example([Message("user", "hi"), Message("assistant", "hello")])
        >>> Instant().run([example]).complete("hi").text
        'tuned'
    """

    @abstractmethod
    def submit(self, training: Sequence[Example], validation: Sequence[Example]) -> MaybeAwaitable[str]:
        """Start the job and return its id."""

    @abstractmethod
    def poll(self, job_id: str) -> MaybeAwaitable[JobStatus]:
        """Return how far the job has come."""

    @abstractmethod
    def model(self, status: JobStatus) -> MaybeAwaitable[ChatModel]:
        """Return the tuned model of a job that succeeded."""

    @final
    def run(
        self,
        training: Sequence[Example],
        validation: Sequence[Example] = (),
        *,
        poll_seconds: float = 10.0,
        timeout_seconds: float | None = None,
    ) -> ChatModel:
        """Submit the examples, wait for the job and return the tuned model.

        Raises:
            UsageError: When there are no training examples, or a text is given in their place.
            TuningError: When the job failed, was cancelled or took longer than `timeout_seconds`; the
                message carries the job's id, with which `attach` goes on waiting.
        """
        return run_sync(self.arun, training, validation, poll_seconds=poll_seconds, timeout_seconds=timeout_seconds)

    @final
    async def arun(
        self,
        training: Sequence[Example],
        validation: Sequence[Example] = (),
        *,
        poll_seconds: float = 10.0,
        timeout_seconds: float | None = None,
    ) -> ChatModel:
        """Submit the examples, wait and return the tuned model; the async twin of `run`."""
        given: tuple[object, ...] = (training, validation)
        if any(isinstance(each, str) for each in given):
            raise UsageError(f"{type(self).__name__} takes examples, got a text: `read_examples` gives those of a file")
        if not training:
            raise UsageError(f"{type(self).__name__} got no training examples")
        with step("tune", self, len(training)):
            job_id = await call(self.submit, training, validation)
            return await self.aattach(job_id, poll_seconds=poll_seconds, timeout_seconds=timeout_seconds)

    @final
    def attach(self, job_id: str, *, poll_seconds: float = 10.0, timeout_seconds: float | None = None) -> ChatModel:
        """Wait for a job that was submitted earlier and return the tuned model.

        Raises:
            TuningError: As for `run`.
        """
        return run_sync(self.aattach, job_id, poll_seconds=poll_seconds, timeout_seconds=timeout_seconds)

    @final
    async def aattach(
        self, job_id: str, *, poll_seconds: float = 10.0, timeout_seconds: float | None = None
    ) -> ChatModel:
        """Wait for a job that was submitted earlier; the async twin of `attach`."""
        started = time.monotonic()
        while (status := await call(self.poll, job_id)).state not in _OVER:
            if timeout_seconds is not None and time.monotonic() - started + poll_seconds > timeout_seconds:
                raise TuningError(
                    f"job {job_id} is still {status.state} after {timeout_seconds:g} s; it goes on: "
                    f"`attach({job_id!r})` waits for it"
                )
            await asyncio.sleep(poll_seconds)
        if status.state != "succeeded":
            raise TuningError(f"job {job_id} ended as {status.state}: {status.message or 'no reason was given'}")
        return await call(self.model, status)
