"""What goes wrong when it is told to, as a user of the openai package sees it."""

import asyncio
import json

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI, OpenAI

from llmopt.errors import UsageError
from llmopt.testing._server.faults import FaultPlan
from llmopt.testing.server import FakeOpenAI, Fault, Reply, server_statistics, spawn_server

CHAT = "/v1/chat/completions"


def connect(base_url: str, *, timeout: float = 10.0, retries: int = 0) -> OpenAI:
    return OpenAI(base_url=base_url, api_key="any", max_retries=retries, timeout=timeout)


def ask(server: FakeOpenAI, *, timeout: float = 10.0, temperature: float = 0.0) -> str | None:
    """Return the content of one reply."""
    with connect(server.base_url, timeout=timeout) as client:
        completion = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "a question"}], temperature=temperature
        )
    return completion.choices[0].message.content


@pytest.mark.parametrize(
    ("fault", "error", "status", "code", "param"),
    [
        (Fault("rate_limit"), openai.RateLimitError, 429, "rate_limit_exceeded", None),
        (Fault("insufficient_quota"), openai.RateLimitError, 429, "insufficient_quota", None),
        (Fault("server_error"), openai.InternalServerError, 500, None, None),
        (Fault("server_error", status=503), openai.InternalServerError, 503, None, None),
        (Fault("gateway"), openai.InternalServerError, 502, None, None),
        (Fault("bad_key"), openai.AuthenticationError, 401, "invalid_api_key", None),
        (Fault("unknown_model"), openai.NotFoundError, 404, "model_not_found", None),
        (Fault("context_overflow"), openai.BadRequestError, 400, "context_length_exceeded", "messages"),
        (Fault("unsupported_parameter"), openai.BadRequestError, 400, "unsupported_parameter", "temperature"),
    ],
)
def test_a_refusal_has_the_status_code_and_parameter_of_openai(
    fault: Fault, error: type[openai.APIStatusError], status: int, code: str | None, param: str | None
) -> None:
    with FakeOpenAI(faults=[fault]) as server, pytest.raises(error) as caught:
        ask(server)
    assert (caught.value.status_code, caught.value.code, caught.value.param) == (status, code, param)
    assert caught.value.request_id == f"req_{1:032x}"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("rate_limit"), (None, None)),
        (Fault("rate_limit", retry_after=20), ("20", None)),
        (Fault("rate_limit", retry_after=0.05), ("0.05", None)),
        (Fault("rate_limit", retry_after="Sun, 22 Nov 2026 10:00:00 GMT"), ("Sun, 22 Nov 2026 10:00:00 GMT", None)),
        (Fault("rate_limit", retry_after_ms=150), (None, "150")),
        (Fault("server_error", retry_after=1, retry_after_ms=20), ("1", "20")),
    ],
)
def test_retry_headers_are_sent_as_told(fault: Fault, expected: tuple[str | None, str | None]) -> None:
    with FakeOpenAI(faults=[fault]) as server, pytest.raises(openai.APIStatusError) as caught:
        ask(server)
    headers = caught.value.response.headers
    assert (headers.get("retry-after"), headers.get("retry-after-ms")) == expected


def test_the_client_of_openai_comes_back_when_told() -> None:
    with (
        FakeOpenAI(faults=[Fault("rate_limit", at=(1,), retry_after_ms=1)]) as server,
        connect(server.base_url, retries=1) as client,
    ):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    assert server.count("chat/completions") == 2
    assert [request.fault is None for request in server.requests] == [False, True]


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("kind", ["reset", "truncated"])
def test_a_broken_connection_is_a_connection_error(kind: str, share: float) -> None:
    fault = Fault("reset" if kind == "reset" else "truncated", share=share)
    with FakeOpenAI(faults=[fault]) as server, pytest.raises(openai.APIConnectionError):
        ask(server)


def test_a_reset_is_a_reset_and_not_a_close() -> None:
    async def read(base_url: str) -> bytes:
        host, _, port = base_url.removeprefix("http://").removesuffix("/v1").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /v1/models HTTP/1.1\r\n\r\n")
        try:
            return await reader.read()
        finally:
            writer.close()

    with FakeOpenAI(faults=[Fault("reset", share=0)]) as server, pytest.raises(ConnectionResetError):
        asyncio.run(read(server.base_url))
    with FakeOpenAI(faults=[Fault("truncated", share=0)]) as server:
        assert asyncio.run(read(server.base_url)) == b""
    with FakeOpenAI(faults=[Fault("truncated", share=0.5)]) as server:
        head, _, body = asyncio.run(read(server.base_url)).partition(b"\r\n\r\n")
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert len(body) == length // 2


def test_a_malformed_body_does_not_parse() -> None:
    with FakeOpenAI(faults=[Fault("malformed")]) as server, pytest.raises(json.JSONDecodeError):
        ask(server)


@pytest.mark.parametrize("said", ['{"verdicts": [1, 2, 3]}', "plain words"])
def test_malformed_content_is_broken_json_in_a_good_reply(said: str) -> None:
    with FakeOpenAI(lambda _: said, faults=[Fault("malformed_content")]) as server:
        content = ask(server)
    assert content is not None
    assert content.startswith("{")
    with pytest.raises(json.JSONDecodeError):
        json.loads(content)


def test_an_empty_reply_has_no_content() -> None:
    with FakeOpenAI(faults=[Fault("empty")]) as server:
        assert ask(server) is None


def test_a_slow_reply_comes_when_its_seconds_have_passed() -> None:
    with FakeOpenAI(faults=[Fault("slow", seconds=60, at=(1,)), Fault("slow", seconds=0.001)]) as server:
        with pytest.raises(openai.APITimeoutError):
            ask(server, timeout=0.2)
        assert ask(server) == "a question"


def test_a_stuck_request_times_out_and_the_next_one_is_served() -> None:
    with FakeOpenAI(faults=[Fault("stuck", at=(1,))]) as server:
        with pytest.raises(openai.APITimeoutError):
            ask(server, timeout=0.2)
        assert ask(server) == "a question"
        server.wait_for(in_flight=0)


def test_a_parameter_is_unsupported_only_if_it_is_sent() -> None:
    fault = Fault("unsupported_parameter", parameters=("seed", "top_p"))
    with FakeOpenAI(faults=[fault]) as server:
        assert ask(server) == "a question"
        with connect(server.base_url) as client, pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], top_p=0.5)
    assert caught.value.param == "top_p"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("stream_reset"), openai.APIConnectionError),
        (Fault("reset"), openai.APIConnectionError),
        (Fault("truncated"), openai.APIConnectionError),
        (Fault("stream_error"), openai.APIError),
        (Fault("stream_malformed"), json.JSONDecodeError),
        (Fault("malformed"), json.JSONDecodeError),
    ],
)
def test_a_stream_breaks_in_the_middle(fault: Fault, error: type[Exception]) -> None:
    with FakeOpenAI(faults=[fault]) as server, connect(server.base_url) as client:
        chunks = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "sixteen letters!"}], stream=True
        )
        seen: list[str] = []
        with pytest.raises(error):
            seen.extend(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_what_was_streamed_before_the_break_has_come() -> None:
    with FakeOpenAI(faults=[Fault("stream_error")]) as server, connect(server.base_url) as client:
        chunks = iter(
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "sixteen letters!"}], stream=True
            )
        )
        assert [next(chunks).choices[0].delta.content for _ in range(3)] == ["", "sixt", "een "]
        with pytest.raises(openai.APIError, match="had an error"):
            next(chunks)


def test_faults_of_streams_leave_other_requests_alone() -> None:
    faults = [Fault("stream_reset"), Fault("stream_error"), Fault("stream_malformed")]
    with FakeOpenAI(faults=faults) as server:
        assert ask(server) == "a question"


def test_faults_of_content_leave_embeddings_alone() -> None:
    with FakeOpenAI(faults=[Fault("empty"), Fault("context_overflow")]) as server, connect(server.base_url) as client:
        assert len(client.embeddings.create(model="e", input="x").data) == 1


def test_a_fault_may_hit_only_one_path_and_counts_only_there() -> None:
    with (
        FakeOpenAI(faults=[Fault("server_error", path="/v1/embeddings", at=(2,))]) as server,
        connect(server.base_url) as client,
    ):
        client.embeddings.create(model="e", input="x")
        assert ask(server) == "a question"
        with pytest.raises(openai.InternalServerError):
            client.embeddings.create(model="e", input="x")


def test_a_fault_may_depend_on_the_request() -> None:
    with FakeOpenAI(faults=[Fault("context_overflow", when=lambda body: body["temperature"] == 1)]) as server:
        assert ask(server, temperature=0) == "a question"
        with pytest.raises(openai.BadRequestError):
            ask(server, temperature=1)


def test_the_fault_of_a_reply_may_spoil_its_content() -> None:
    with FakeOpenAI(lambda _: Fault("malformed_content")) as server:
        assert ask(server) == '{"answer": "cut off in the mid'


def test_a_reply_in_time_is_not_hurt_by_a_delay_of_its_own() -> None:
    with FakeOpenAI(lambda _: Reply("late", delay=0.01)) as server:
        assert ask(server) == "late"


def test_the_rates_of_several_faults_add_up() -> None:
    plan = FaultPlan([Fault("rate_limit", rate=0.1), Fault("server_error", rate=0.05)], seed=3)
    drawn = [plan.select(number, number, CHAT, {}) for number in range(1, 20_001)]
    kinds = [fault.kind for fault in drawn if fault is not None]
    assert abs(kinds.count("rate_limit") / 20_000 - 0.1) < 0.01
    assert abs(kinds.count("server_error") / 20_000 - 0.05) < 0.01


@given(st.integers(0, 2**32), st.integers(1, 10**6))
def test_the_same_seed_and_number_have_the_same_fault(seed: int, number: int) -> None:
    faults = [Fault("reset", rate=0.3), Fault("slow", rate=0.3), Fault("empty", path=CHAT, rate=0.5)]
    first = FaultPlan(faults, seed).select(number, number, CHAT, {})
    assert FaultPlan(faults, seed).select(number, number, CHAT, {}) is first


def test_another_seed_hits_other_requests() -> None:
    hits = [
        [number for number in range(1, 100) if FaultPlan([Fault("reset", rate=0.3)], seed).select(number, 1, CHAT, {})]
        for seed in (1, 2)
    ]
    assert hits[0] != hits[1]


@given(st.sets(st.integers(1, 50)))
def test_explicit_numbers_are_hit_exactly(numbers: set[int]) -> None:
    plan = FaultPlan([Fault("reset", at=sorted(numbers), rate=0.0)], seed=0)
    assert {number for number in range(1, 51) if plan.select(number, number, CHAT, {})} == numbers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "earthquake"}, "kind 'earthquake' is not known; it is one of bad_key,"),
        ({"kind": "reset", "rate": 1.5}, "rate is 1.5"),
        ({"kind": "reset", "share": -0.1}, "share is -0.1"),
        ({"kind": "reset", "at": (0, 1)}, r"at is \[0, 1\]"),
        ({"kind": "slow", "seconds": -1}, "seconds is -1"),
        ({"kind": "server_error", "status": 404}, "status is 404"),
        ({"kind": "unsupported_parameter", "parameters": "seed"}, "the text 'seed'"),
        ({"kind": "unsupported_parameter", "parameters": ()}, "no names"),
    ],
)
def test_a_wrong_fault_is_refused_when_it_is_made(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Fault(**arguments)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_every_tenth_of_many_concurrent_requests_fails_and_the_others_do_not() -> None:
    async def ask_many(base_url: str) -> list[object]:
        async with AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
            asked = [client.embeddings.create(model="e", input=f"text {number}") for number in range(100)]
            return list(await asyncio.gather(*asked, return_exceptions=True))

    with FakeOpenAI(faults=[Fault("reset", at=range(10, 101, 10))]) as server:
        results = asyncio.run(ask_many(server.base_url))
    assert sum(isinstance(result, openai.APIConnectionError) for result in results) == 10
    assert sum(isinstance(result, Exception) for result in results) == 10


def test_a_server_process_takes_faults_and_tells_its_figures() -> None:
    with spawn_server(faults=[Fault("rate_limit", at=(1,), retry_after=3)], dimensions=8) as base_url:
        with connect(base_url) as client:
            with pytest.raises(openai.RateLimitError) as caught:
                client.embeddings.create(model="e", input="x")
            assert len(client.embeddings.create(model="e", input="x").data[0].embedding) == 8
        figures = server_statistics(base_url, reset=True)
        after = server_statistics(base_url)
    assert caught.value.response.headers["retry-after"] == "3"
    assert (figures.requests, figures.counts, figures.max_in_flight) == (2, {"/v1/embeddings": 2}, 1)
    assert figures.received_bytes > 40
    assert figures.cpu_seconds > 0
    assert (after.requests, after.in_flight, after.received_bytes) == (0, 0, 0)
