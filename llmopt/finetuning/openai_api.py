"""The few calls of the openai package that fine-tuning needs, with errors of our own tree."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from ..errors import CredentialsError, LlmoptError, ModelUnavailableError, QuotaError, RateLimitError, TuningError
from .losses import LossPoint
from .raw import Record, as_record, as_text

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

__all__ = ["Api", "JobEvent", "LostConnectionError", "event_of", "losses_of"]

_OPENAI = "https://api.openai.com/v1"
_UPLOAD_TRIES = 3
_CLOSED = (
    "this account cannot start fine-tuning jobs any more (OpenAI closes self-serve fine-tuning: no new jobs from "
    "2027-01-06). Give another provider's `base_url`, train locally with LoRAFineTune, or use FewShotDistil, which "
    "trains nothing"
)


class LostConnectionError(ModelUnavailableError):
    """No connection, a timeout, or a server error: the same call may succeed later."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """What a provider said of a job.

    Attributes:
        created_at: Seconds since 1970.
        level: `info`, `warn` or `error`.
        message: For people.
        metrics: Numbers by name: `step`, `train_loss`, `valid_loss` ...
    """

    created_at: int
    level: str
    message: str
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])


def event_of(record: Record) -> JobEvent:
    """Return an event as a value."""
    created = record.get("created_at")
    data = as_record(record.get("data"))
    metrics = {key: float(value) for key, value in data.items() if isinstance(value, int | float)}
    seconds = int(created) if isinstance(created, int | float) else 0
    return JobEvent(seconds, as_text(record.get("level")), as_text(record.get("message")), metrics)


def losses_of(events: Sequence[JobEvent]) -> list[LossPoint]:
    """Return the losses that a job's events tell, by step; the validation loss is `full_valid_loss` where told."""
    points: dict[int, LossPoint] = {}
    for event in events:
        step, loss = event.metrics.get("step"), event.metrics.get("train_loss")
        if step is not None and loss is not None:
            held = event.metrics.get("full_valid_loss", event.metrics.get("valid_loss"))
            points[int(step)] = LossPoint(int(step), loss, held)
    return [points[step] for step in sorted(points)]


class Api:
    """An open connection to the API; a context manager."""

    def __init__(self, base_url: str | None, api_key: str | None, timeout: float) -> None:
        self._url = (base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI).rstrip("/")
        self._key = api_key or os.environ.get("OPENAI_API_KEY") or ""
        self._timeout = timeout
        self._client: OpenAI | None = None

    @property
    def is_openai(self) -> bool:
        """Whether the server is OpenAI's own."""
        return (urlsplit(self._url).hostname or "").endswith("openai.com")

    def __enter__(self) -> Self:
        """Open nothing yet: the client comes with the first call."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the client."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def get(self, path: str) -> object:
        """Return the JSON at a path."""
        with self._reporting(path):
            return self._opened().get(path, cast_to=object)

    def post(self, path: str, body: Mapping[str, object]) -> object:
        """Send a JSON body, once, and return the JSON that comes back."""
        with self._reporting(path):
            return self._opened().post(path, cast_to=object, body=dict(body))

    def upload(self, path: Path) -> str:
        """Upload a fine-tuning file and return its id; a lost connection is tried again."""
        for left in reversed(range(_UPLOAD_TRIES)):
            try:
                with self._reporting("/files"), path.open("rb") as file:
                    return self._opened().files.create(file=(path.name, file), purpose="fine-tune").id
            except LostConnectionError:
                if not left:
                    raise
        raise AssertionError

    def has_file(self, file_id: str) -> bool:
        """Return whether a file is still there."""
        try:
            return as_record(self.get(f"/files/{file_id}")).get("id") == file_id
        except TuningError:
            return False

    def probe(self, path: str) -> None:
        """Ask whether the account may use the service; a server that does not know the question may."""
        try:
            self.get(f"{path}?limit=1")
        except TuningError as error:
            if _CLOSED in str(error):
                raise

    def _opened(self) -> OpenAI:
        if self._client is None:
            import openai  # noqa: PLC0415 - it takes a second

            if not self._key and self.is_openai:
                raise CredentialsError(f"there is no API key for {self._url}: set OPENAI_API_KEY or pass `api_key`")
            self._client = openai.OpenAI(
                base_url=self._url, api_key=self._key or "not-needed", timeout=self._timeout, max_retries=0
            )
        return self._client

    @contextmanager
    def _reporting(self, path: str) -> Generator[None]:
        import openai  # noqa: PLC0415 - it takes a second

        try:
            yield
        except openai.APIStatusError as error:
            raise self._refusal(path, error) from error
        except openai.APIConnectionError as error:
            raise LostConnectionError(f"no answer from {self._url}{path}: {error}", retryable=True) from error

    def _refusal(self, path: str, error: APIStatusError) -> LlmoptError:
        body = as_record(error.body)
        body = as_record(body.get("error")) or body
        code, words = as_text(body.get("code")), as_text(body.get("message")) or error.message
        said = f"{self._url}{path.partition('?')[0]} answered {error.status_code}: {words}"
        if code == "training_not_available":
            return TuningError(f"{said}. {_CLOSED}")
        if code == "insufficient_quota":
            return QuotaError(f"{said}. Waiting does not help: add credit to the account")
        if error.status_code in {401, 403}:
            return CredentialsError(f"{said}. Check the key and what its project may do")
        if error.status_code == 429:
            return RateLimitError(f"{said}. Try again later", retryable=True)
        if error.status_code >= 500 or error.status_code == 408:
            return LostConnectionError(said, retryable=True)
        remedy = "The job or file is gone, or belongs to another project" if error.status_code == 404 else ""
        return TuningError(f"{said}. {remedy or 'Correct what it names and submit again'}")
