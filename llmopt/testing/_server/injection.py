"""Faults turned into responses: refusals in OpenAI's words, and good responses spoilt."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from .faults import Fault
from .http import Response
from .problems import Problem
from .values import encode, text

__all__ = ["inject", "rate_limited"]

_HTML = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>502 Bad Gateway</body>\r\n</html>\r\n"
_HALF_JSON = b'{"id":"chatcmpl-half","object":"chat.completion.chunk","choices":[{"index":0,"del'


def inject(fault: Fault, body: Mapping[str, object], answer: Callable[[], Response]) -> Response:
    """Return the response that the fault makes of a request.

    Args:
        fault: What goes wrong.
        body: The request's JSON.
        answer: Makes the good response; asked only for faults that spoil one.
    """
    refusal = _REFUSALS.get(fault.kind)
    if refusal is not None:
        return refusal(fault, body)
    damage = _DAMAGES.get(fault.kind)
    return answer() if damage is None else damage(fault, answer())


def rate_limited(message: str, kind: str, seconds: float) -> Problem:
    """Return a 429 that asks for a wait, in both headers that OpenAI's client reads.

    Args:
        message: For people.
        kind: What there was too much of: `requests` or `tokens`.
        seconds: How long to wait; Retry-After says it in whole seconds, rounded up.
    """
    headers = {
        "retry-after": str(max(1, math.ceil(seconds))),
        "retry-after-ms": str(math.ceil(seconds * 1000)),
    }
    return Problem(status=429, message=message, type=kind, code="rate_limit_exceeded", headers=headers)


def _retry_headers(fault: Fault) -> dict[str, str]:
    after, milliseconds = fault.retry_after, fault.retry_after_ms
    headers: dict[str, str] = {}
    if after is not None:
        headers["retry-after"] = after if isinstance(after, str) else f"{after:.15g}"
    if milliseconds is not None:
        headers["retry-after-ms"] = f"{milliseconds:.15g}"
    return headers


def _rate_limit(fault: Fault, body: Mapping[str, object]) -> Response:
    message = f"Rate limit reached for {text(body.get('model'))} on requests per min (RPM): Limit 500, Used 500."
    return Problem(
        status=429,
        message=message,
        type="requests",
        code="rate_limit_exceeded",
        headers=_retry_headers(fault),
    ).response()


def _insufficient_quota(_fault: Fault, _body: Mapping[str, object]) -> Response:
    message = (
        "You exceeded your current quota, please check your plan and billing details. For more information "
        "on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
    )
    kind = "insufficient_quota"
    return Problem(status=429, message=message, type=kind, code=kind).response()


def _server_error(fault: Fault, _body: Mapping[str, object]) -> Response:
    message = "The server had an error while processing your request. Sorry about that!"
    if fault.status == 503:
        message = "The engine is currently overloaded, please try again later."
    headers = _retry_headers(fault)
    return Problem(status=fault.status, message=message, type="server_error", headers=headers).response()


def _gateway(_fault: Fault, _body: Mapping[str, object]) -> Response:
    return Response(status=502, content=_HTML, content_type="text/html")


def _bad_key(_fault: Fault, _body: Mapping[str, object]) -> Response:
    message = (
        "Incorrect API key provided: sk-fake****************. "
        "You can find your API key at https://platform.openai.com/account/api-keys."
    )
    return Problem(status=401, message=message, code="invalid_api_key").response()


def _unknown_model(_fault: Fault, body: Mapping[str, object]) -> Response:
    message = f"The model `{text(body.get('model'))}` does not exist or you do not have access to it."
    return Problem(status=404, message=message, code="model_not_found").response()


def _context_overflow(_fault: Fault, _body: Mapping[str, object]) -> Response:
    message = (
        "This model's maximum context length is 128000 tokens. However, your messages resulted in "
        "128001 tokens. Please reduce the length of the messages."
    )
    return Problem(message=message, param="messages", code="context_length_exceeded").response()


def _unsupported_parameter(fault: Fault, body: Mapping[str, object]) -> Response:
    name = next((name for name in fault.parameters if name in body), fault.parameters[0])
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    return Problem(message=message, param=name, code="unsupported_parameter").response()


def _stuck(_fault: Fault, _body: Mapping[str, object]) -> Response:
    return Response(ending="never")


def _slow(fault: Fault, response: Response) -> Response:
    return replace(response, delay=response.delay + fault.seconds)


def _reset(fault: Fault, response: Response) -> Response:
    return replace(response, ending="reset", share=fault.share)


def _truncated(fault: Fault, response: Response) -> Response:
    return replace(response, ending="close", share=fault.share)


def _malformed(fault: Fault, response: Response) -> Response:
    if response.events:
        return _stream_malformed(fault, response)
    return replace(response, content=response.content[: max(1, len(response.content) // 2)])


def _stream_malformed(fault: Fault, response: Response) -> Response:
    return _with_event(fault, response, b"data: " + _HALF_JSON + b"\n\n")


def _stream_error(fault: Fault, response: Response) -> Response:
    message = "The server had an error while processing your request. Sorry about that!"
    error = {"message": message, "type": "server_error", "param": None, "code": None}
    return _with_event(fault, response, b"data: " + encode({"error": error}) + b"\n\n")


def _with_event(fault: Fault, response: Response, event: bytes) -> Response:
    place = int(len(response.events) * fault.share)
    return replace(response, events=(*response.events[:place], event, *response.events[place:]))


_REFUSALS: Mapping[str, Callable[[Fault, Mapping[str, object]], Response]] = {
    "rate_limit": _rate_limit,
    "insufficient_quota": _insufficient_quota,
    "server_error": _server_error,
    "gateway": _gateway,
    "bad_key": _bad_key,
    "unknown_model": _unknown_model,
    "context_overflow": _context_overflow,
    "unsupported_parameter": _unsupported_parameter,
    "stuck": _stuck,
}
_DAMAGES: Mapping[str, Callable[[Fault, Response], Response]] = {
    "slow": _slow,
    "reset": _reset,
    "truncated": _truncated,
    "malformed": _malformed,
    "stream_reset": _reset,
    "stream_malformed": _stream_malformed,
    "stream_error": _stream_error,
}
