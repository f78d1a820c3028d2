"""Fine-tuning jobs at OpenAI, and at providers that take the same files and calls."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from ..errors import ModelUnavailableError, RateLimitError, TuningError
from ..interfaces import ChatModel, FineTuneJob
from ..types import Example, JobState, JobStatus
from .examples import write_examples
from .journal import Journal, digest_of
from .losses import LossPoint
from .openai_api import Api, JobEvent, LostConnectionError, event_of, losses_of
from .preflight import Hyperparameters, Preflight, preflight_of
from .raw import Record, as_list, as_record, as_text

__all__ = ["OpenAIFineTune"]

_JOBS = "/fine_tuning/jobs"
_STATES: Mapping[str, JobState] = {
    "validating_files": "validating",
    "queued": "queued",
    "running": "running",
    "paused": "paused",
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
}


@dataclass(repr=False, eq=False)
class OpenAIFineTune(FineTuneJob):
    """Trains a model at OpenAI or at a provider with the same API (Fireworks, Together, Azure).

    Before anything is uploaded the examples are written to files and checked by every rule, the model's
    retirement and the costs are looked at, and the account is asked whether it may train at all. The ids of
    files and job are written to a file of `folder` at once, so that `attach` works after a crash.

    Args:
        base: The model to train.
        chat: Makes a chat model of the tuned model's name: `OpenAIChat`, or a function with your settings.
        method: `supervised` for chats, `dpo` for preference pairs.
        base_url: Address of the API; None: the environment's OPENAI_BASE_URL, else OpenAI.
        api_key: None: the environment's OPENAI_API_KEY.
        epochs: 1 to 50; None: the provider chooses.
        batch_size: 1 to 256; None: the provider chooses.
        learning_rate_multiplier: Above 0; None: the provider chooses.
        beta: Of DPO, above 0 up to 2; None: the provider chooses.
        suffix: Part of the tuned model's name, up to 64 characters.
        seed: Of the training.
        folder: Where the state files are written.
        max_dollars: Refuse a run whose estimate is above; None: no limit.
        price: US dollars per million trained tokens, for the estimate; None: no estimate in money.
        least_examples: Fewest examples that the provider takes.
        force: Upload although a check found errors.
        patience: Failed polls in a row (lost connection, server errors, 429) that waiting outlives.
        timeout: Seconds for one request.

    Example:
        >>> from llmopt.types import Message
        >>> from llmopt.testing import FakeModel
        >>> job = OpenAIFineTune("gpt-4.1-mini", FakeModel)
        >>> report = job.preflight([Example((Message("user", "hi"), Message("assistant", "hello")))])
        >>> report.ok, [finding.rule for finding in report.training.errors]
        (False, ['too-few-examples'])
    """

    secrets: ClassVar[frozenset[str]] = frozenset({"api_key"})
    incidental: ClassVar[frozenset[str]] = frozenset({"folder", "patience", "timeout", "price", "max_dollars"})

    base: str
    chat: Callable[[str], ChatModel]
    _: KW_ONLY
    method: Literal["supervised", "dpo"] = "supervised"
    base_url: str | None = None
    api_key: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None
    beta: float | None = None
    suffix: str | None = None
    seed: int | None = None
    folder: str = "llmopt-jobs"
    max_dollars: float | None = None
    price: float | None = None
    least_examples: int = 10
    force: bool = False
    patience: int = 30
    timeout: float = 600.0
    _lost: dict[str, int] = field(init=False, default_factory=dict[str, int])

    def preflight(
        self, training: Sequence[Example], validation: Sequence[Example] = (), *, today: dt.date | None = None
    ) -> Preflight:
        """Return what stands in the way of the job, with the estimate of its cost; nothing is sent.

        Args:
            training: The examples to train on.
            validation: Those to validate on.
            today: The day to plan for; None: today.
        """
        with tempfile.TemporaryDirectory() as folder:
            return self._checked(Path(folder), training, validation, today)

    def submit(self, training: Sequence[Example], validation: Sequence[Example]) -> str:
        """Check, upload, create the job and return its id; the state file is written at every step.

        Raises:
            TuningError: When a check fails (nothing was uploaded), or the provider refuses the job.
            ModelError: When the provider cannot be reached or does not accept the key.
        """
        with tempfile.TemporaryDirectory() as folder:
            report = self._checked(Path(folder), training, validation, None)
            if not report.ok and not self.force:
                raise TuningError(f"nothing was uploaded, the preflight found errors (force=True insists):\n{report}")
            with self._api() as api:
                api.probe(_JOBS)
                paths = {name: Path(folder) / f"{name}.jsonl" for name in ("training", "validation")}
                paths = {name: path for name, path in paths.items() if path.is_file()}
                journal = Journal(Path(self.folder), digest_of([self.fingerprint().encode(), *paths.values()]))
                files = {name: self._upload(api, journal, name, path) for name, path in paths.items()}
                job = as_record(api.post(_JOBS, self._body(files)))
                job_id = as_text(job.get("id"))
                if not job_id:
                    raise TuningError(f"the provider created a job without an id: {dict(job)!r}")
                journal.note(job_id=job_id, base=self.base)
        return job_id

    def poll(self, job_id: str) -> JobStatus:
        """Return how far the job has come; no connection or too many requests is `unknown` while `patience` lasts.

        Raises:
            TuningError: When the provider does not know the job.
            ModelUnavailableError: When the provider could not be reached `patience` times in a row.
        """
        try:
            with self._api() as api:
                job = as_record(api.get(f"{_JOBS}/{job_id}"))
        except (LostConnectionError, RateLimitError) as error:
            self._lost[job_id] = self._lost.get(job_id, 0) + 1
            if self._lost[job_id] > self.patience:
                raise ModelUnavailableError(
                    f"{error} ({self._lost[job_id]} times in a row); the job goes on at the provider: "
                    f"`attach({job_id!r})` waits for it",
                    retryable=True,
                ) from error
            return JobStatus(job_id, "unknown", message=str(error), provider_state="unreachable")
        self._lost.pop(job_id, None)
        return _status_of(job_id, job)

    def model(self, status: JobStatus) -> ChatModel:
        """Return the tuned model.

        Raises:
            TuningError: When the provider did not name it.
        """
        if not status.tuned_model:
            raise TuningError(f"job {status.job_id} succeeded, but the provider named no tuned model: look it up there")
        return self.chat(status.tuned_model)

    def cancel(self, job_id: str) -> JobStatus:
        """Stop the job for good and return its status."""
        return self._tell(job_id, "cancel")

    def pause(self, job_id: str) -> JobStatus:
        """Let the job rest and return its status; `resume` goes on."""
        return self._tell(job_id, "pause")

    def resume(self, job_id: str) -> JobStatus:
        """Let a paused job go on and return its status."""
        return self._tell(job_id, "resume")

    def events(self, job_id: str) -> list[JobEvent]:
        """Return what the provider said of the job, the oldest first; losses are in the events' `metrics`."""
        found: list[JobEvent] = []
        after = ""
        with self._api() as api:
            while True:
                page = as_record(api.get(f"{_JOBS}/{job_id}/events?limit=100{after}"))
                items = [as_record(item) for item in as_list(page.get("data"))]
                found.extend(event_of(item) for item in items)
                last = as_text(items[-1].get("id")) if items else ""
                if not page.get("has_more") or not last:
                    return sorted(found, key=lambda event: event.created_at)
                after = f"&after={last}"

    def losses(self, job_id: str) -> list[LossPoint]:
        """Return the losses that the provider told of the job, by step."""
        return losses_of(self.events(job_id))

    def submitted(self) -> list[str]:
        """Return the ids of the jobs that are written in `folder`, the newest last, for `attach`."""
        return Journal.job_ids(Path(self.folder))

    def _checked(
        self, folder: Path, training: Sequence[Example], validation: Sequence[Example], today: dt.date | None
    ) -> Preflight:
        write_examples(folder / "training.jsonl", training)
        if validation:
            write_examples(folder / "validation.jsonl", validation)
        with self._api() as api:
            is_openai = api.is_openai
        return preflight_of(
            folder,
            self.base,
            self._settings(),
            is_openai=is_openai,
            today=today or dt.datetime.now(dt.UTC).date(),
            price=self.price,
            max_dollars=self.max_dollars,
            least_examples=self.least_examples,
        )

    def _settings(self) -> Hyperparameters:
        return Hyperparameters(
            self.method, self.epochs, self.batch_size, self.learning_rate_multiplier, self.beta, self.suffix
        )

    def _upload(self, api: Api, journal: Journal, name: str, path: Path) -> str:
        known = journal.files.get(name)
        if known is not None and api.has_file(known):
            return known
        file_id = api.upload(path)
        journal.note(files={**journal.files, name: file_id})
        return file_id

    def _body(self, files: Mapping[str, str]) -> dict[str, object]:
        body: dict[str, object] = {
            "model": self.base,
            "training_file": files["training"],
            "method": self._settings().method_record(),
        }
        optional = {"validation_file": files.get("validation"), "suffix": self.suffix, "seed": self.seed}
        return body | {key: value for key, value in optional.items() if value is not None}

    def _tell(self, job_id: str, word: str) -> JobStatus:
        with self._api() as api:
            return _status_of(job_id, as_record(api.post(f"{_JOBS}/{job_id}/{word}", {})))

    def _api(self) -> Api:
        return Api(self.base_url, self.api_key, self.timeout)


def _status_of(job_id: str, job: Record) -> JobStatus:
    state = as_text(job.get("status"))
    message = as_text(as_record(job.get("error")).get("message"))
    tuned = as_text(job.get("fine_tuned_model")) or None
    return JobStatus(job_id, _STATES.get(state, "unknown"), tuned, message, state)
