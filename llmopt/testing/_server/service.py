"""From a request to its response: log, key, limit, fault, handler."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from .exchange import RecordedRequest, RequestLog
from .faults import FaultPlan
from .http import HttpRequest, Response
from .injection import inject
from .limits import Limit
from .models import Models
from .problems import Problem
from .routing import Router
from .values import decode, is_object, mapping

__all__ = ["Failure", "Service"]

_CONTROL = "/_"


@dataclass(frozen=True, slots=True)
class Failure:
    """A handler, or a function of the test in it, raised on a request."""

    number: int
    error: Exception


class Service:
    """What the connections ask for their answers.

    Args:
        router: Finds the handlers.
        control: Finds the handlers of requests that are not counted and never fail.
        models: Knows which models are served.
        log: Remembers the requests.
        plan: Says what goes wrong.
        limit: Refuses what is too much.
        latency: Seconds before every answer that is not of status 400 to 499.
        api_key: The only key that is accepted; None for any, or none.
    """

    def __init__(
        self,
        *,
        router: Router,
        control: Router,
        models: Models,
        log: RequestLog,
        plan: FaultPlan,
        limit: Limit,
        latency: float,
        api_key: str | None,
    ) -> None:
        self._router = router
        self._control = control
        self._models = models
        self._log = log
        self._plan = plan
        self._limit = limit
        self._latency = latency
        self._authorization = None if api_key is None else f"Bearer {api_key}".encode()
        self.failures: list[Failure] = []

    def respond(self, request: HttpRequest) -> Response:
        """Return the response to a request, which is in hand from now until `finished`."""
        path, _, query = request.target.partition("?")
        if path.startswith(_CONTROL):
            return self._controlled(request.method, path)
        number, path_number, in_flight = self._log.enter(path, len(request.content))
        body, problem = _parsed(request)
        try:
            record = RecordedRequest(
                number=number,
                method=request.method,
                path=path,
                query=query,
                headers=request.headers,
                content=request.content,
                body=body,
                arrival=time.monotonic(),
                in_flight=in_flight,
                fault=self._plan.select(number, path_number, path, body),
            )
            self._log.add(record)
            problem = problem or self._refusal(record)
            response = self._answer(record) if problem is None else problem.response()
        except Exception as error:  # noqa: BLE001 - a test's function may raise anything; close() reports it
            self.failures.append(Failure(number, error))
            response = Problem(status=500, message=f"{error!r}", type="server_error").response()
        refused = 400 <= response.status < 500
        headers = {"x-request-id": f"req_{number:032x}", **response.headers}
        return replace(response, headers=headers, delay=response.delay + (0.0 if refused else self._latency))

    def _controlled(self, method: str, path: str) -> Response:
        found = self._control.find(method, path)
        request = RecordedRequest(number=0, method=method, path=path)
        response = found.response() if isinstance(found, Problem) else found[0](request)
        # Only now, so that the figures do not show the request that asks for them.
        self._log.hold()
        return response

    def finished(self) -> None:
        """Put a request down."""
        self._log.leave()

    def _refusal(self, request: RecordedRequest) -> Problem | None:
        given = request.headers.get("authorization", "").encode()
        if self._authorization is not None and not hmac.compare_digest(given, self._authorization):
            message = "Incorrect API key provided." if given else "You didn't provide an API key."
            return Problem(status=401, message=message, code="invalid_api_key")
        return self._limit.refusal(request.in_flight, request.arrival) or self._models.problem(request.body)

    def _answer(self, request: RecordedRequest) -> Response:
        found = self._router.find(request.method, request.path)
        if isinstance(found, Problem):
            return found.response()
        handler, parameters = found
        if parameters:
            request = replace(request, parameters=parameters)
        if request.fault is None:
            return handler(request)
        return inject(request.fault, request.body, lambda: handler(request))


def _parsed(request: HttpRequest) -> tuple[Mapping[str, object], Problem | None]:
    """Return the JSON object of a request, or what is wrong with it."""
    if not request.headers.get("content-type", "").startswith("application/json") or not request.content:
        return {}, None
    try:
        value = decode(request.content)
    except (ValueError, RecursionError) as error:
        message = f"We could not parse the JSON body of your request. The parser said: {error}"
        return {}, Problem(message=message)
    if not is_object(value):
        return {}, Problem(message="We expected the JSON body of your request to be an object.")
    return mapping(value), None
