"""What a server means by refusing a request: status, code and words as errors of our own tree."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from ...errors import (
    ContentFilteredError,
    ContextOverflowError,
    CredentialsError,
    ModelError,
    ModelUnavailableError,
    QuotaError,
    RateLimitError,
    RequestRejectedError,
    UnknownModelError,
)
from .reports import Report

__all__ = ["Caller", "refused"]

_SHORTEST_PART = 12
_SHORTEST_SECRET = 8  # local servers are given keys like "any", which stand in every other word


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked whom for what, as messages name them.

    Attributes:
        component: The class that made the request.
        model: The model that it asked for.
        address: Of the server.
        timeout: Seconds that one attempt may take.
        secret: The key, to be kept out of messages.
    """

    component: str
    model: str
    address: str
    timeout: float
    secret: str = field(default="", repr=False)

    def says(self, words: str) -> str:
        """Return the words with who is speaking before them, and without the key."""
        return self.masked(f"{self.component}({self.model!r}) at {self.address}: {words}")

    def masked(self, words: str) -> str:
        """Return the words without the key, which some servers repeat in their errors."""
        if len(self.secret) < _SHORTEST_SECRET:
            return words
        words = words.replace(self.secret, "***")
        # Long words are cut, maybe in the middle of the key; most keys of one provider begin with the same characters.
        known = next((n for n in range(len(self.secret) - 1, _SHORTEST_PART, -1) if self.secret[:n] in words), 0)
        return words.replace(self.secret[:known], "***") if known else words


def refused(report: Report, caller: Caller, parameter: str) -> ModelError:
    """Return the error for a refusal; its message says what happened and what to do.

    Args:
        report: The refusal.
        caller: Who asked, for the message.
        parameter: What of the request the server named, where it named anything.
    """
    for fits, make in _RULES:
        if fits(report):
            return make(report, caller)
    return _rejected(report, caller, parameter or report.parameter)


_OVERFLOW = re.compile(
    r"context[ _](?:length|window|size)|maximum context|(?:prompt|input) is too long|"
    r"exceeds? the (?:available )?context|reduce the length|"
    r"too many (?:input )?tokens|max_model_len|maximum (?:input|model|sequence) length",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(r"\bmodel\b.*\bnot (?:found|exist)|\b(?:unknown|no such|invalid) model\b", re.IGNORECASE)
_TOO_LARGE = re.compile(r"request too large|limit \d+, requested \d+", re.IGNORECASE)
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_MODEL_CODES = frozenset({"model_not_found", "DeploymentNotFound", "unknown_model"})
_FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "invalid_prompt"})
_OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})


def _is_quota(report: Report) -> bool:
    return report.status == 402 or not _QUOTA_CODES.isdisjoint((report.code, report.kind))


def _quota(report: Report, caller: Caller) -> ModelError:
    words = f"the account has no credit left, so waiting does not help ({report.words}). Check plan and billing"
    return QuotaError(caller.says(words), request_id=report.request_id)


def _is_overflow(report: Report) -> bool:
    coded = not _OVERFLOW_CODES.isdisjoint((report.code, report.kind)) or (
        report.code == "string_above_max_length" and report.parameter.startswith(("messages", "input"))
    )
    return coded or report.status == 413 or (report.status in {400, 422, 500} and bool(_OVERFLOW.search(report.words)))


def _overflow(report: Report, caller: Caller) -> ModelError:
    words = f"the request is longer than the model takes ({report.words}). Send fewer or shorter texts"
    return ContextOverflowError(caller.says(words), request_id=report.request_id)


def _is_filtered(report: Report) -> bool:
    return report.status in {None, 400, 403} and not _FILTER_CODES.isdisjoint((report.code, report.kind))


def _filtered(report: Report, caller: Caller) -> ModelError:
    words = f"the provider's content filter did not let the request through ({report.words})"
    return ContentFilteredError(caller.says(words), request_id=report.request_id)


def _is_unknown_model(report: Report) -> bool:
    named = report.status in {400, 404} and _UNKNOWN_MODEL.search(report.words) is not None
    return report.code in _MODEL_CODES or (named and report.parameter in {"", "model"})


def _unknown_model(report: Report, caller: Caller) -> ModelError:
    words = f"there is no model {caller.model!r} ({report.words}). Check the name, and that the key may use it"
    return UnknownModelError(caller.says(words), request_id=report.request_id)


def _is_credentials(report: Report) -> bool:
    return report.status in {401, 403} or report.code == "invalid_api_key"


def _credentials(report: Report, caller: Caller) -> ModelError:
    said = "does not accept the API key" if report.status != 403 else "does not allow the API key this request"
    words = f"the provider {said} ({report.words}). Check `api_key` or the environment variable OPENAI_API_KEY"
    return CredentialsError(caller.says(words), request_id=report.request_id)


def _is_rate_limit(report: Report) -> bool:
    return report.status == 429 or "rate_limit" in report.code or "rate_limit" in report.kind


def _rate_limit(report: Report, caller: Caller) -> ModelError:
    # A single request above the limit per minute never gets through, however long one waits.
    hopeless = _TOO_LARGE.search(report.words) is not None and report.retry_after is None
    advice = "Send shorter texts" if hopeless else "Send fewer requests at once, or wait"
    return RateLimitError(
        caller.says(f"too many requests or tokens per minute ({report.words}). {advice}"),
        retryable=not hopeless,
        retry_after=report.retry_after,
        request_id=report.request_id,
    )


def _is_unavailable(report: Report) -> bool:
    if report.status is None:  # in the middle of a stream
        return report.kind != "invalid_request_error"
    return report.status in {408, 409} or report.status >= 500


def _unavailable(report: Report, caller: Caller) -> ModelError:
    status = f" with status {report.status}" if report.status else ""
    return ModelUnavailableError(
        caller.says(f"the server failed{status} ({report.words}). Try again later"),
        retryable=report.status != 501,
        retry_after=report.retry_after,
        request_id=report.request_id,
    )


def _is_misdirected(report: Report) -> bool:
    return report.status in {404, 405} or (report.status is not None and 300 <= report.status < 400)


def _misdirected(report: Report, caller: Caller) -> ModelError:
    words = f"nothing serves this request there (status {report.status}: {report.words})"
    advice = "Check `base_url`, which usually ends in /v1"
    return RequestRejectedError(caller.says(f"{words}. {advice}"), request_id=report.request_id)


def _rejected(report: Report, caller: Caller, parameter: str) -> ModelError:
    named = f" because of `{parameter}`" if parameter else ""
    words = f"the provider calls the request wrong{named} ({report.words})"
    return RequestRejectedError(caller.says(words), parameter=parameter, request_id=report.request_id)


_Maker: TypeAlias = Callable[[Report, Caller], ModelError]

_RULES: tuple[tuple[Callable[[Report], bool], _Maker], ...] = (
    (_is_quota, _quota),
    (_is_overflow, _overflow),
    (_is_filtered, _filtered),
    (_is_unknown_model, _unknown_model),
    (_is_credentials, _credentials),
    (_is_rate_limit, _rate_limit),
    (_is_unavailable, _unavailable),
    (_is_misdirected, _misdirected),
)
