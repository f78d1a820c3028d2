"""What every fine-tune job keeps to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, TypeVar, get_args

import pytest

from ..._sync import call_sync
from ...errors import LlmoptError, UsageError
from ...interfaces import ChatModel, FineTuneJob
from ...types import Example, JobState, Message
from .components import ComponentContract

__all__ = ["FineTuneJobContract"]

J = TypeVar("J", bound=FineTuneJob)


def _examples(count: int) -> tuple[Example, ...]:
    return tuple(
        Example((Message("user", f"say the number {n}"), Message("assistant", f'{{"number": {n}}}')))
        for n in range(count)
    )


class FineTuneJobContract(ComponentContract[J]):
    """Subclass as `TestMine`, define `make`, and pytest runs every check.

    A job that needs a service gets one of its own: a fixture starts it, `make` gives its address.

    Attributes:
        training: Examples that the job takes.
        validation: More of them.
        unknown: An id that no job has.
    """

    training: ClassVar[Sequence[Example]] = _examples(16)
    validation: ClassVar[Sequence[Example]] = _examples(22)[16:]
    unknown: ClassVar[str] = "job-that-is-not-there"

    def use(self, component: J) -> None:
        """Train once."""
        self._run(component)

    def _run(self, job: J) -> ChatModel:
        return job.run(self.training, self.validation, poll_seconds=0.01)

    def test_a_run_gives_a_model_that_answers(self) -> None:
        """What comes out can take the place of the model in a pipeline."""
        model = self._run(self.make())
        assert isinstance(model, ChatModel)
        assert model.complete(self.training[0].messages[:-1]).usage.calls >= 0

    def test_no_examples_are_refused(self) -> None:
        """There is nothing to learn."""
        with pytest.raises(UsageError):
            self.make().run([])

    def test_a_submitted_job_is_known_by_its_id(self) -> None:
        """Its status carries the id and one of our states, however often it is asked for."""
        job = self.make()
        job_id = call_sync(job.submit, self.training, self.validation)
        assert job_id
        for status in (call_sync(job.poll, job_id), call_sync(job.poll, job_id)):
            assert status.job_id == job_id
            assert status.state in get_args(JobState)

    def test_waiting_again_for_a_job_gives_its_model_again(self) -> None:
        """`attach` finds what was submitted, as often as it is asked."""
        job = self.make()
        job_id = call_sync(job.submit, self.training, self.validation)
        first, second = (job.attach(job_id, poll_seconds=0.01) for _ in range(2))
        assert first.fingerprint() == second.fingerprint()

    def test_an_unknown_job_is_an_error_and_no_model(self) -> None:
        """Nobody waits for ever for what does not exist."""
        with pytest.raises(LlmoptError):
            self.make().attach(self.unknown, poll_seconds=0.01, timeout_seconds=5)

    def test_a_run_works_inside_a_loop(self) -> None:
        """Sync and async."""
        job = self.make()

        async def inside() -> list[ChatModel]:
            return [await job.arun(self.training, self.validation, poll_seconds=0.01), self._run(job)]

        assert all(isinstance(model, ChatModel) for model in asyncio.run(inside()))
