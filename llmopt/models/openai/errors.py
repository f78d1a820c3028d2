"""Failures of the openai package, and of servers that speak its protocol, as errors of our own tree."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ...errors import (
    ContentFilteredError,
    LlmoptError,
    ModelError,
    ModelOutputError,
    ModelUnavailableError,
    OutputCutError,
)
from .quirks import named_parameter
from .refusals import Caller, refused
from .reports import Report, report_of

__all__ = ["Attempt", "error_of", "reporting", "translated"]


@dataclass(slots=True)
class Attempt:
    """What is being sent, so that a failure can say which parameter was wrong."""

    body: Mapping[str, object] = field(default_factory=dict[str, object])


@contextmanager
def reporting(caller: Callable[[], Caller]) -> Generator[Attempt, None, None]:
    """Raise what fails inside as errors of our own.

    Args:
        caller: For the messages; asked only when something fails.

    Raises:
        ModelError: Of the kind that fits.
    """
    attempt = Attempt()
    try:
        yield attempt
    except LlmoptError:
        raise
    except Exception as error:
        asked = caller()
        failure = translated(error, asked, attempt.body)
        if failure is None:
            raise
        raise failure from (error if asked.masked(str(error)) == str(error) else None)


def translated(error: Exception, caller: Caller, body: Mapping[str, object]) -> ModelError | None:
    """Return the error of our own for an exception of a call, or None if it is not about the service.

    Args:
        error: What the openai package, or the reading of a reply, raised.
        caller: For the message.
        body: The request's JSON.
    """
    report = report_of(error)
    return None if report is None else error_of(report, caller, parameter=named_parameter(report, body))


def error_of(report: Report, caller: Caller, *, parameter: str = "") -> ModelError:
    """Return the error of our own for a report; its message says what happened and what to do."""
    if report.trouble == "refused":
        return refused(report, caller, parameter)
    return _TROUBLES[report.trouble](report, caller)


def _unreachable(report: Report, caller: Caller) -> ModelError:
    words = f"the connection failed ({report.words}). Is the server running, and `base_url` right?"
    return ModelUnavailableError(caller.says(words), retryable=True)


def _timeout(_report: Report, caller: Caller) -> ModelError:
    words = f"no answer within {caller.timeout:g} s. Raise `timeout`, or ask for less"
    return ModelUnavailableError(caller.says(words), retryable=True)


def _malformed(report: Report, caller: Caller) -> ModelError:
    words = f"the reply cannot be read ({report.words}). Is `base_url` the address of an OpenAI-compatible API?"
    return ModelUnavailableError(caller.says(words), retryable=True)


def _unusable(report: Report, caller: Caller) -> ModelError:
    return ModelOutputError(caller.says(f"the reply is not what was asked for: {report.words}"))


def _length(report: Report, caller: Caller) -> ModelError:
    return OutputCutError(caller.says(f"the reply was cut at the token limit ({report.words})"))


def _filtered_reply(report: Report, caller: Caller) -> ModelError:
    return ContentFilteredError(caller.says(f"the provider's content filter removed the reply ({report.words})"))


def _unknown(report: Report, caller: Caller) -> ModelError:
    return ModelError(caller.says(f"the openai package reports: {report.words}"))


_TROUBLES: Mapping[str, Callable[[Report, Caller], ModelError]] = {
    "unreachable": _unreachable,
    "timeout": _timeout,
    "malformed": _malformed,
    "unusable": _unusable,
    "length": _length,
    "filtered": _filtered_reply,
    "unknown": _unknown,
}
