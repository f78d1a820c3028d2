"""What can go wrong, when, and how it looks to the client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, TypeAlias, get_args

from llmopt.errors import UsageError

__all__ = ["Fault", "FaultKind", "FaultPlan"]

FaultKind: TypeAlias = Literal[
    "bad_key",
    "context_overflow",
    "empty",
    "gateway",
    "insufficient_quota",
    "malformed",
    "malformed_content",
    "rate_limit",
    "reset",
    "server_error",
    "slow",
    "stream_error",
    "stream_malformed",
    "stream_reset",
    "stuck",
    "truncated",
    "unknown_model",
    "unsupported_parameter",
]

_CHAT_ONLY = frozenset({"context_overflow", "empty", "malformed_content", "unsupported_parameter"})
_CHAT_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong with some of the requests.

    Which ones: those whose number is in `at`, and a share `rate` of the others, drawn from the server's
    seed and the number; with neither, all. At most one fault hits a request, the first in the list, and
    the rates of a list are exclusive: 0.1 and 0.05 hit 15 % together.

    | kind | what the client gets |
    |---|---|
    | `rate_limit` | 429 `rate_limit_exceeded` |
    | `insufficient_quota` | 429 `insufficient_quota` |
    | `server_error` | `status` (500), an error of type `server_error` |
    | `gateway` | 502 with a page of HTML, as proxies send it |
    | `bad_key` | 401 `invalid_api_key` |
    | `unknown_model` | 404 `model_not_found` |
    | `context_overflow` | 400 `context_length_exceeded` |
    | `unsupported_parameter` | 400 `unsupported_parameter`, if one of `parameters` was sent |
    | `reset` | a TCP reset after `share` of the body |
    | `truncated` | an orderly close after `share` of the body |
    | `malformed` | 200 and half a JSON text |
    | `malformed_content` | a good reply whose content is broken JSON |
    | `empty` | a good reply whose content is null |
    | `slow` | the right reply, `seconds` late |
    | `stuck` | nothing, ever |
    | `stream_reset` | a TCP reset in the middle of a stream |
    | `stream_malformed` | half a JSON text in the middle of a stream |
    | `stream_error` | an `error` event in the middle of a stream |

    The last three hit streamed requests only; `context_overflow`, `unsupported_parameter`,
    `malformed_content` and `empty` hit chat completions only.

    Example:
        The second request and about a tenth of the others are told to come back in two seconds.

        >>> from llmopt.testing.server import FakeOpenAI
        >>> busy = Fault("rate_limit", rate=0.1, at=(2,), retry_after=2)
        >>> with FakeOpenAI(faults=[busy, Fault("stuck", path="/v1/embeddings", at=(1,))]) as server:
        ...     print(server.base_url.startswith("http://127.0.0.1:"))
        True

    Attributes:
        kind: See the table.
        rate: Share of the requests, 0 to 1.
        at: Numbers of the requests, the first is 1.
        path: Only requests to this path, `"/v1/embeddings"` for example; `at` then counts only these.
        when: Only requests whose JSON body passes this test.
        retry_after: Of `rate_limit`, `server_error`: the header Retry-After: seconds, or any text
            (an HTTP date).
        retry_after_ms: The same for the header retry-after-ms, which wins in OpenAI's client.
        seconds: Of `slow`.
        share: Of `reset`, `truncated` and `stream_...`: how much is sent before; at 0 no byte at all.
        status: Of `server_error`.
        parameters: Of `unsupported_parameter`: the names.

    Raises:
        UsageError: If a value is out of its range.
    """

    kind: FaultKind
    rate: float | None = None
    at: Sequence[int] = ()
    path: str | None = None
    when: Callable[[Mapping[str, object]], bool] | None = None
    retry_after: float | str | None = None
    retry_after_ms: float | None = None
    seconds: float = 1.0
    share: float = 0.5
    status: int = 500
    parameters: Sequence[str] = ("temperature",)

    def __post_init__(self) -> None:
        kinds = get_args(FaultKind)
        if self.kind not in kinds:
            raise UsageError(f"Fault: kind {self.kind!r} is not known; it is one of {', '.join(kinds)}.")
        for name, share in (("rate", self.rate), ("share", self.share)):
            if share is not None and not 0 <= share <= 1:
                raise UsageError(f"Fault: {name} is {share!r}; give a number from 0 to 1.")
        if any(number < 1 for number in self.at):
            raise UsageError(f"Fault: at is {list(self.at)}; requests are counted from 1.")
        if self.seconds < 0:
            raise UsageError(f"Fault: seconds is {self.seconds!r}; give 0 or more.")
        if not 500 <= self.status <= 599:
            raise UsageError(f"Fault: status is {self.status!r}; a server_error has 500 to 599.")
        if isinstance(self.parameters, str) or not self.parameters:
            given = f"the text {self.parameters!r}" if self.parameters else "no names"
            raise UsageError(f"Fault: parameters is {given}; give a sequence of names.")

    @property
    def always(self) -> bool:
        """Whether it hits every request that it fits."""
        return self.rate is None and not self.at

    def fits(self, path: str, body: Mapping[str, object]) -> bool:
        """Return whether this kind of fault can happen to this request at all."""
        if self.path is not None and self.path != path:
            return False
        if self.kind in _CHAT_ONLY and path != _CHAT_PATH:
            return False
        if self.kind.startswith("stream_") and body.get("stream") is not True:
            return False
        if self.kind == "unsupported_parameter" and not any(name in body for name in self.parameters):
            return False
        return self.when is None or self.when(body)


class FaultPlan:
    """Which request gets which fault; the same for the same seed, faults and numbers.

    Args:
        faults: In the order of their precedence.
        seed: Of the draws.

    Raises:
        UsageError: If the rates of the faults of one path add up to more than 1.
    """

    def __init__(self, faults: Sequence[Fault], seed: int) -> None:
        self._faults = tuple(faults)
        self._seed = seed
        self._bands: list[tuple[float, float]] = []
        ends: dict[str | None, float] = {}
        for fault in self._faults:
            start = ends.get(fault.path, 0.0)
            ends[fault.path] = start + (fault.rate or 0.0)
            self._bands.append((start, ends[fault.path]))
        if any(end > 1 + 1e-9 for end in ends.values()):
            raise UsageError(f"faults: their rates add up to {max(ends.values()):g}; at most 1 is possible.")

    def select(self, number: int, path_number: int, path: str, body: Mapping[str, object]) -> Fault | None:
        """Return the fault of a request, if it gets one.

        Args:
            number: The request's number among all.
            path_number: Its number among those to its path.
            path: Of the request.
            body: Its JSON.
        """
        for fault, (start, end) in zip(self._faults, self._bands, strict=True):
            own = number if fault.path is None else path_number
            drawn = start < end and start <= self._draw(fault.path, own) < end
            if not (drawn or fault.always or own in fault.at):
                continue
            if fault.fits(path, body):
                return fault
        return None

    def _draw(self, path: str | None, number: int) -> float:
        key = f"{self._seed}:{path or ''}:{number}".encode()
        return int.from_bytes(blake2b(key, digest_size=8).digest(), "big") / 2**64
