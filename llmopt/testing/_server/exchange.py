"""What the server remembers of the requests, for tests to ask from their own thread."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from llmopt.errors import UsageError

from .faults import Fault
from .http import Response

__all__ = ["Handler", "RecordedRequest", "RequestLog", "full_path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """A request as the server got it.

    Attributes:
        number: 1 for the first one since the start or the last `reset_log`.
        method: `GET`, `POST` ...
        path: Without the query, `/v1/chat/completions` for example.
        query: What came after the question mark.
        headers: Names in lower case.
        content: The body as it came.
        body: The body's JSON object; empty if it is none.
        arrival: Seconds on the clock of `time.monotonic`.
        in_flight: How many requests were in hand when it came, itself included.
        fault: What the server's plan did to it.
        parameters: What stood in the place of the `{names}` of its route.
    """

    number: int
    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content: bytes = b""
    body: Mapping[str, object] = field(default_factory=dict[str, object])
    arrival: float = 0.0
    in_flight: int = 1
    fault: Fault | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


Handler: TypeAlias = Callable[[RecordedRequest], Response]


class RequestLog:
    """Counts requests and, unless told not to, keeps them. Safe to use from several threads.

    Args:
        keep: Whether requests are kept.
    """

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._changed = threading.Condition()
        self._requests: list[RecordedRequest] = []
        self._counts: Counter[str] = Counter()
        self._total = 0
        self._received = 0
        self._in_flight = 0
        self._most_in_flight = 0

    def enter(self, path: str, size: int) -> tuple[int, int, int]:
        """Take a request up; return its number, its number on this path, and how many are in hand."""
        with self._changed:
            self._total += 1
            self._received += size
            self._counts[path] += 1
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)
            return self._total, self._counts[path], self._in_flight

    def hold(self) -> None:
        """Take up something that is not counted among the requests."""
        with self._changed:
            self._in_flight += 1

    def add(self, request: RecordedRequest) -> None:
        """Keep a request that was taken up."""
        with self._changed:
            if self._keep:
                self._requests.append(request)
            self._changed.notify_all()

    def leave(self) -> None:
        """Put a request down."""
        with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The requests, in the order of their arrival."""
        if not self._keep:
            raise UsageError("FakeOpenAI: requests are not recorded; leave out record=False to read them.")
        with self._changed:
            return tuple(self._requests)

    @property
    def received(self) -> int:
        """Bytes of all bodies."""
        with self._changed:
            return self._received

    @property
    def in_flight(self) -> int:
        """How many are in hand now."""
        with self._changed:
            return self._in_flight

    @property
    def most_in_flight(self) -> int:
        """How many were in hand at most."""
        with self._changed:
            return self._most_in_flight

    def count(self, path: str | None) -> int:
        """Return how many came, in all or to one path."""
        with self._changed:
            return self._total if path is None else self._counts[full_path(path)]

    def counts(self) -> dict[str, int]:
        """Return how many came to each path."""
        with self._changed:
            return dict(self._counts)

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition on the log holds; return whether it came true in time."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def clear(self) -> None:
        """Forget all; the next request is number 1. Those in hand stay in hand."""
        with self._changed:
            self._requests.clear()
            self._counts.clear()
            self._total = self._received = 0
            self._most_in_flight = self._in_flight


def full_path(path: str) -> str:
    """Return the path with the `/v1` that may be left out: `embeddings` is `/v1/embeddings`."""
    if path.startswith("/"):
        return path
    return f"/v1/{path}"
