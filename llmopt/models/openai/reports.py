"""What is known of a failed call, read from whatever the openai package or the server made of it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, TypeAlias

from .values import as_mapping, as_sequence, as_text

__all__ = ["BadReplyError", "RefusedError", "Report", "Trouble", "report_of"]

Trouble: TypeAlias = Literal[
    "refused", "unreachable", "timeout", "malformed", "unusable", "length", "filtered", "unknown"
]

_LONGEST_WORDS = 400


class BadReplyError(Exception):
    """A reply of status 200 that is no answer: not JSON, without content, or an error after all.

    Attributes:
        body: The reply.
        final: Whether the server will hardly do better the next time.
    """

    def __init__(self, words: str, body: object = None, *, final: bool = False) -> None:
        super().__init__(words)
        self.body = body
        self.final = final


class RefusedError(Exception):
    """A reply whose status says that it is none.

    Attributes:
        status: Of HTTP.
        content: The reply.
        headers: Of the reply.
    """

    def __init__(self, status: int, content: str, headers: Mapping[str, str]) -> None:
        super().__init__(f"status {status}: {content[:_LONGEST_WORDS]}")
        self.status = status
        self.content = content
        self.headers = headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Why a call failed.

    Attributes:
        trouble: Where: `refused` by the server, `unreachable`, a `timeout`, a `malformed` reply ...
        words: What the server or the system said.
        status: The HTTP status, where there was one.
        code: The provider's code for programs; empty if none.
        kind: The provider's class of the error; empty if none.
        parameter: The parameter that the provider names; empty if none.
        request_id: The provider's id of the request; empty if none.
        retry_after: Seconds that the provider asks to wait.
    """

    trouble: Trouble
    words: str
    status: int | None = None
    code: str = ""
    kind: str = ""
    parameter: str = ""
    request_id: str = ""
    retry_after: float | None = None


def report_of(error: Exception) -> Report | None:
    """Return what an exception of a call says, or None if it has nothing to do with the service."""
    if isinstance(error, RefusedError):
        return _refusal(_told(error.content), str(error), error.status, error.headers)
    if isinstance(error, BadReplyError):
        inner = as_mapping(error.body).get("error")
        if inner:
            return _refusal(inner, str(error), None, {})
        return Report(trouble="unusable" if error.final else "malformed", words=str(error))
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError):
        return Report(trouble="malformed", words=f"not JSON: {error}")
    if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _TRANSPORTS:
        return _interruption(error)
    return _report_of_package(error) if "openai" in sys.modules else None


def _report_of_package(error: Exception) -> Report | None:
    import openai  # noqa: PLC0415 - it takes a second

    if isinstance(error, openai.APIStatusError):
        return _refusal(error.body, error.message, error.status_code, error.response.headers)
    if isinstance(error, openai.APIConnectionError):
        return _interruption(error)
    if isinstance(error, openai.APIResponseValidationError):
        return Report(trouble="malformed", words=error.message)
    if isinstance(error, openai.APIError):  # an error in the middle of a stream
        return _refusal(error.body, error.message, None, {})
    troubles: Mapping[type[Exception], Trouble] = {
        openai.LengthFinishReasonError: "length",
        openai.ContentFilterFinishReasonError: "filtered",
        openai.OpenAIError: "unknown",
    }
    trouble: Trouble | None = next((found for kind, found in troubles.items() if isinstance(error, kind)), None)
    return None if trouble is None else Report(trouble=trouble, words=_words_of(error))


# In the middle of a stream older versions of the openai package let their transport's errors through.
_TRANSPORTS = frozenset({"aiohttp", "anyio", "httpcore", "httpcore2", "httpx", "httpx2", "h11"})


def _told(content: str) -> object:
    """Return the error in a reply's JSON, or what else it holds."""
    try:
        body: object = json.loads(content)
    except ValueError:
        return content
    return as_mapping(body).get("error", body)


def _refusal(body: object, message: str, status: int | None, headers: Mapping[str, str]) -> Report:
    found = as_mapping(body)
    words = as_text(found.get("message")) or _detail(found) or as_text(body) or message
    if words.lstrip().startswith("<"):
        words = "a page of HTML came instead of JSON"
    code = found.get("code")
    if status is None:
        # Some gateways answer 200, or begin to stream, and put the status into the body.
        told = str(found.get("status", code))
        status = int(told) if told.isdecimal() and 400 <= int(told) <= 599 else None
    return Report(
        trouble="refused",
        words=" ".join(words.split())[:_LONGEST_WORDS],
        status=status,
        code="" if code is None else str(code),
        kind=as_text(found.get("type")),
        parameter=as_text(found.get("param")),
        request_id=headers.get("x-request-id", ""),
        retry_after=_retry_after(headers),
    )


def _detail(body: Mapping[str, object]) -> str:
    """Return what servers built on FastAPI say: a text, or a list of complaints with their places."""
    detail = body.get("detail")
    if isinstance(detail, str):
        return detail
    complaints = (as_mapping(item) for item in as_sequence(detail))
    return "; ".join(
        f"{'.'.join(str(part) for part in as_sequence(item.get('loc')))}: {as_text(item.get('msg'))}"
        for item in complaints
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait; the milliseconds that OpenAI sends beside the standard header win."""
    milliseconds = _seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    standard = headers.get("retry-after", "")
    seconds = _seconds(standard)
    if seconds is not None or not standard:
        return seconds
    try:
        date = parsedate_to_datetime(standard)
    except ValueError:
        return None
    date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _interruption(error: Exception) -> Report:
    """Tell a lost connection from a silent server; transports name them in ways of their own."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    names = [type(link).__name__ for link in chain if not type(link).__module__.startswith("openai")]
    lost = any("Connect" in name or "Disconnect" in name for name in names)
    late = any("Timeout" in type(link).__name__ for link in chain)
    return Report(trouble="timeout" if late and not lost else "unreachable", words=_words_of(chain[-1]))


def _words_of(error: BaseException) -> str:
    words = " ".join(str(error).split())
    if not words or words.startswith("0, message=''"):  # what aiohttp says of too many redirects
        return type(error).__name__
    return words[:_LONGEST_WORDS]
