"""The server as tests hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from types import TracebackType
from typing import Self

from llmopt.errors import ContractError, UsageError

from .chat import ChatCompletions
from .embeddings import Embeddings, EmbedFunction, bag_of_words
from .exchange import Handler, RecordedRequest, RequestLog
from .faults import Fault, FaultPlan
from .limits import Limit
from .loop import ServerThread
from .models import Models, ServedModel
from .replies import ReplyFunction, echo
from .routing import Router
from .service import Service
from .statistics import statistics_routes

__all__ = ["FakeOpenAI"]


@dataclass(frozen=True, eq=False)
class FakeOpenAI:
    """An OpenAI-compatible server on loopback that says what you tell it, and fails when you tell it to.

    It speaks real HTTP over a real socket, so a client meets it as it would meet the service. It serves
    `POST /v1/chat/completions` (streams, choices, tools, JSON schemas, log probabilities),
    `POST /v1/embeddings` and `GET /v1/models`, runs in a thread of its own, and stops at the end of its
    `with` block.

    Example:
        >>> from openai import OpenAI
        >>> with FakeOpenAI(lambda body: "Paris") as server:
        ...     client = OpenAI(base_url=server.base_url, api_key="any")
        ...     question = {"role": "user", "content": "Capital of France?"}
        ...     completion = client.chat.completions.create(model="any", messages=[question])
        ...     client.close()
        >>> completion.choices[0].message.content
        'Paris'

    Args:
        reply: What the model says to a request's JSON: a text, a `Reply`, or a `Fault`. It should depend
            on the request alone. By default it echoes the last user message.
        embed: The vector of a text, of as many numbers as the second argument says.
        dimensions: Of the vectors, if the request does not say.
        models: Those that are served; None: any name is.
        faults: What goes wrong with which requests.
        seed: Of the faults' draws.
        latency: Seconds before every answer; refusals of status 400 to 499 come at once.
        max_in_flight: Refuse requests above so many at once with 429.
        requests_per_minute: Refuse requests above this rate with 429; one second's worth may come at once.
        only_float: Ignore `encoding_format="base64"`, as many compatible servers do.
        shuffle_rows: Return embeddings in another order than their texts.
        check_requests: Refuse with 400 what OpenAI would refuse; False accepts anything.
        api_key: The only key that is accepted; None: any or none.
        record: Keep the requests for `requests`; False saves the memory in long benchmarks.
        routes: Further handlers by (method, path), `("GET", "/v1/files/{id}")`; they go before ours.
        port: To listen on; 0 for a free one.

    Raises:
        UsageError: If an argument is out of its range.
        ContractError: At the end of the `with` block, if `reply` or another function of yours raised;
            its client got status 500.
    """

    reply: ReplyFunction = echo
    _: KW_ONLY
    embed: EmbedFunction = bag_of_words
    dimensions: int = 64
    models: Sequence[ServedModel] | None = None
    faults: Sequence[Fault] = ()
    seed: int = 0
    latency: float = 0.0
    max_in_flight: int | None = None
    requests_per_minute: float | None = None
    only_float: bool = False
    shuffle_rows: bool = False
    check_requests: bool = True
    api_key: str | None = field(default=None, repr=False)
    record: bool = True
    routes: Mapping[tuple[str, str], Handler] = field(default_factory=dict[tuple[str, str], Handler])
    port: int = 0
    _log: RequestLog = field(init=False, repr=False)
    _service: Service = field(init=False, repr=False)
    _thread: ServerThread = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.dimensions < 1 or self.latency < 0:
            given = f"dimensions is {self.dimensions!r} and latency {self.latency!r}"
            raise UsageError(f"FakeOpenAI: {given}; give 1 or more, and 0 or more.")
        log, models = RequestLog(self.record), Models(self.models)
        service = Service(
            router=Router({**self._routes(models), **self.routes}),
            control=Router(statistics_routes(log)),
            models=models,
            log=log,
            plan=FaultPlan(self.faults, self.seed),
            limit=Limit(self.max_in_flight, self.requests_per_minute),
            latency=self.latency,
            api_key=self.api_key,
        )
        for name, part in (("_log", log), ("_service", service), ("_thread", ServerThread(service, self.port))):
            object.__setattr__(self, name, part)

    def _routes(self, models: Models) -> Mapping[tuple[str, str], Handler]:
        embeddings = Embeddings(
            self.embed,
            dimensions=self.dimensions,
            only_float=self.only_float,
            shuffle_rows=self.shuffle_rows,
            check_requests=self.check_requests,
        )
        return {
            ("POST", "/v1/chat/completions"): ChatCompletions(self.reply, self.check_requests),
            ("POST", "/v1/embeddings"): embeddings,
            ("GET", "/v1/models"): models.list,
            ("GET", "/v1/models/{model}"): models.retrieve,
        }

    def start(self) -> Self:
        """Start serving, and return the server.

        Raises:
            UsageError: If it serves already, or the port cannot be used.
        """
        self._thread.start()
        return self

    def stop(self) -> None:
        """Reset all connections and stop serving; what was recorded can still be read."""
        self._thread.stop()

    def __enter__(self) -> Self:
        """Start serving."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving, and report if a function of the test raised."""
        del error, trace
        self.stop()
        if kind is None:
            self.check()

    def check(self) -> None:
        """Return if no function given to the server has raised so far.

        Raises:
            ContractError: If one has; the error is its cause.
        """
        if self._service.failures:
            failure = self._service.failures[0]
            message = f"FakeOpenAI: a function given to it raised {failure.error!r} on request {failure.number}."
            raise ContractError(f"{message} The client got status 500.") from failure.error

    @property
    def base_url(self) -> str:
        """What clients take as their base URL; it ends in `/v1`.

        Raises:
            UsageError: If the server is not started.
        """
        return self._thread.base_url

    @property
    def requests(self) -> Sequence[RecordedRequest]:
        """The requests so far, in the order of their arrival.

        Raises:
            UsageError: If the server was made with `record=False`.
        """
        return self._log.requests

    def count(self, path: str | None = None) -> int:
        """Return how many requests came, refused ones included.

        Args:
            path: Only those to this path; `/v1/` may be left out: `"chat/completions"`.
        """
        return self._log.count(path)

    @property
    def in_flight(self) -> int:
        """How many requests are being answered now."""
        return self._log.in_flight

    @property
    def max_in_flight_seen(self) -> int:
        """How many requests were being answered at once, at most; refused ones count at their arrival."""
        return self._log.most_in_flight

    def reset_log(self) -> None:
        """Forget the requests and counts; the next request is number 1, for the faults too."""
        self._log.clear()

    def wait_for(self, *, requests: int | None = None, in_flight: int | None = None, timeout: float = 10.0) -> None:
        """Return as soon as so many requests have come, and exactly so many are in hand.

        Args:
            requests: At least so many since the start or the last `reset_log`.
            in_flight: So many now.
            timeout: Seconds.

        Raises:
            TimeoutError: If that has not happened in time.
        """

        def reached() -> bool:
            enough = requests is None or self._log.count(None) >= requests
            return enough and (in_flight is None or self._log.in_flight == in_flight)

        if not self._log.wait_until(reached, timeout):
            now = f"{self.count()} requests came and {self.in_flight} are in flight"
            message = f"FakeOpenAI: after {timeout:g} s {now}; waited for {requests} and {in_flight}."
            raise TimeoutError(message)
