"""Figures of a server in another process: asked over HTTP, not counted among the requests."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from .exchange import Handler, RecordedRequest, RequestLog
from .http import Response
from .values import decode, encode, integer, mapping

__all__ = ["ServerStatistics", "server_statistics", "statistics_routes"]

_FIGURES = "/_statistics"


@dataclass(frozen=True, slots=True)
class ServerStatistics:
    """What a server has done since its start or the last reset.

    Attributes:
        requests: How many came.
        counts: How many came to each path.
        received_bytes: The bodies of all requests together.
        in_flight: How many are being answered now.
        max_in_flight: How many were being answered at once, at most.
        cpu_seconds: Processor time of the server's process since its start; a reset does not change it.
    """

    requests: int
    counts: Mapping[str, int]
    received_bytes: int
    in_flight: int
    max_in_flight: int
    cpu_seconds: float


def statistics_routes(log: RequestLog) -> Mapping[tuple[str, str], Handler]:
    """Return the routes that give and reset the figures."""

    def figures(_request: RecordedRequest) -> Response:
        statistics = ServerStatistics(
            requests=log.count(None),
            counts=log.counts(),
            received_bytes=log.received,
            in_flight=log.in_flight,
            max_in_flight=log.most_in_flight,
            cpu_seconds=time.process_time(),
        )
        return Response(content=encode(asdict(statistics)))

    def reset(request: RecordedRequest) -> Response:
        response = figures(request)
        log.clear()
        return response

    return {("GET", _FIGURES): figures, ("DELETE", _FIGURES): reset}


def server_statistics(base_url: str, *, reset: bool = False) -> ServerStatistics:
    """Return the figures of a running server.

    Args:
        base_url: What `spawn_server` gave, or `FakeOpenAI.base_url`.
        reset: Whether to start again from nothing: the next request is number 1, for the faults too.

    Raises:
        OSError: If there is no server.
    """
    connection = HTTPConnection(urlsplit(base_url).netloc, timeout=30)
    try:
        connection.request("DELETE" if reset else "GET", _FIGURES)
        figures = mapping(decode(connection.getresponse().read()))
    finally:
        connection.close()
    seconds = figures["cpu_seconds"]
    return ServerStatistics(
        requests=integer(figures["requests"], 0),
        counts={path: integer(count, 0) for path, count in mapping(figures["counts"]).items()},
        received_bytes=integer(figures["received_bytes"], 0),
        in_flight=integer(figures["in_flight"], 0),
        max_in_flight=integer(figures["max_in_flight"], 0),
        cpu_seconds=seconds if isinstance(seconds, float) else 0.0,
    )
