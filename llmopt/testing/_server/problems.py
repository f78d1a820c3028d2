"""The error bodies that OpenAI sends, word for word where they are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .http import Response
from .values import encode

__all__ = ["Problem", "error_response"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request is not answered.

    Attributes:
        status: The HTTP status.
        message: For people.
        type: OpenAI's broad class of the error.
        param: The parameter that is wrong, if one is.
        code: For programs.
        headers: Further headers.
    """

    status: int = 400
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def response(self) -> Response:
        """Return the problem as OpenAI would send it."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return Response(status=self.status, content=encode({"error": error}), headers=self.headers)


def error_response(
    status: int,
    message: str,
    *,
    type: str = "invalid_request_error",
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error in OpenAI's shape, for handlers of further routes.

    Args:
        status: The HTTP status, 400 to 599.
        message: For people.
        type: OpenAI's broad class of the error.
        param: The parameter that is wrong, if one is.
        code: For programs.
        headers: Further headers.
    """
    problem = Problem(status=status, message=message, type=type, param=param, code=code, headers=headers or {})
    return problem.response()
