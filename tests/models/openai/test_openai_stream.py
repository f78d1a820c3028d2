from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import ContextOverflowError, ModelUnavailableError, RequestRejectedError
from llmopt.models import OpenAIChat
from llmopt.models.openai.reply import StreamedReply, completion_of
from llmopt.models.openai.reports import BadReplyError
from llmopt.testing.server import FakeOpenAI, Fault, FaultKind, RecordedRequest, Reply, Response
from llmopt.types import Completion, Delta, Options, TokenChance, ToolCall, Usage

CALLS = (ToolCall("call_a", "weather", '{"city": "Lyon"}'), ToolCall("call_b", "now", "{}"))


def streamed(reply: Reply | str, options: Options = Options()) -> tuple[str, Completion]:
    """Return the pieces of a streamed reply put together, and its completion."""
    with FakeOpenAI(lambda body: reply) as server:
        deltas = list(OpenAIChat("m", base_url=server.base_url).complete_stream("hi", options))
    return joined(deltas)


def joined(deltas: Sequence[Delta]) -> tuple[str, Completion]:
    completion = deltas[-1].completion
    assert completion is not None
    assert all(delta.completion is None for delta in deltas[:-1])
    return "".join(delta.text for delta in deltas), completion


def chunked(*chunks: Mapping[str, object] | str) -> FakeOpenAI:
    """Return a server whose chat endpoint streams these chunks."""
    events = [f"data: {c if isinstance(c, str) else json.dumps(c)}\n\n".encode() for c in chunks]
    stream = Response(events=events, content_type="text/event-stream")
    return FakeOpenAI(routes={("POST", "/v1/chat/completions"): lambda _: stream})


def delta(content: str, finish: str | None = None) -> Mapping[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}


def test_the_pieces_make_the_whole() -> None:
    usage = Usage(50, 10, 8, 1)
    text, completion = streamed(Reply("The capital of France is Paris.", usage=usage, model="m-1"))
    assert text == completion.text == "The capital of France is Paris."
    assert (completion.usage, completion.model, completion.finish, completion.notes) == (usage, "m-1", "stop", ())


def test_a_streamed_reply_is_the_reply() -> None:
    chances = (TokenChance("Pa", -0.1, {"Pa": -0.1}), TokenChance("ris", -0.2, {}))
    for reply in (Reply("Paris", logprobs=chances), Reply(None, tool_calls=CALLS), Reply(None, refusal="No.")):
        with FakeOpenAI(lambda body, reply=reply: reply) as server:  # type: ignore[misc]
            model = OpenAIChat("m", base_url=server.base_url)
            whole = model.complete("hi", Options(top_logprobs=1))
            _, completion = joined(list(model.complete_stream("hi", Options(top_logprobs=1))))
        assert {**as_dict(whole), "seconds": 0} == {**as_dict(completion), "seconds": 0}


def as_dict(completion: Completion) -> dict[str, object]:
    return {name: getattr(completion, name) for name in Completion.__slots__}


def test_tool_calls_are_put_together() -> None:
    _, completion = streamed(Reply(None, tool_calls=CALLS))
    assert completion.tool_calls == CALLS
    assert completion.finish == "tool_calls"


def test_tool_calls_that_are_all_numbered_0_stay_apart() -> None:
    def piece(name: str, call: str, arguments: str) -> Mapping[str, object]:
        part = {"index": 0, "id": call, "function": {"name": name, "arguments": arguments}}
        return {"choices": [{"delta": {"tool_calls": [part]}}]}

    last = delta("", "stop")
    with chunked(piece("a", "1", "{}"), piece("b", "2", '{"x":'), piece("b", "2", " 1}"), last, "[DONE]") as server:
        _, completion = joined(list(OpenAIChat("m", base_url=server.base_url).complete_stream("hi")))
    assert completion.tool_calls == (ToolCall("1", "a", "{}"), ToolCall("2", "b", '{"x": 1}'))


def test_a_refusal_comes_as_text() -> None:
    text, completion = streamed(Reply(None, refusal="I cannot help with that."))
    assert text == completion.text == "I cannot help with that."
    assert completion.finish == "refusal"


@pytest.mark.parametrize("kind", ["stream_reset", "stream_malformed", "stream_error", "reset"])
def test_a_stream_that_breaks_off_is_an_error(kind: FaultKind) -> None:
    pieces: list[str] = []

    def read(model: OpenAIChat) -> None:
        for piece in model.complete_stream("a text of several pieces"):
            pieces.append(piece.text)  # noqa: PERF401 - what came before the error counts

    with FakeOpenAI(faults=[Fault(kind)]) as server, pytest.raises(ModelUnavailableError) as caught:
        read(OpenAIChat("m", base_url=server.base_url))
    assert pieces
    assert caught.value.retryable


def test_a_stream_that_ends_in_the_middle_is_no_reply() -> None:
    with (
        chunked(delta("half an ")) as server,
        pytest.raises(ModelUnavailableError, match="before the reply was finished"),
    ):
        list(OpenAIChat("m", base_url=server.base_url).complete_stream("hi"))


def test_a_chunk_that_is_no_object_is_no_reply() -> None:
    with chunked(delta("a"), "[1]") as server, pytest.raises(ModelUnavailableError, match="not a JSON object"):
        list(OpenAIChat("m", base_url=server.base_url).complete_stream("hi"))


def test_an_error_in_the_middle_of_a_stream_keeps_its_meaning() -> None:
    overflow = {"error": {"message": "too long", "code": "context_length_exceeded"}}
    wrong = {"error": {"message": "no", "type": "invalid_request_error"}}
    for chunk, expected in ((overflow, ContextOverflowError), (wrong, RequestRejectedError)):
        with chunked(delta("a"), chunk) as server, pytest.raises(expected):
            list(OpenAIChat("m", base_url=server.base_url).complete_stream("hi"))


def test_a_server_without_usage_in_streams_is_not_asked_for_it_again() -> None:
    with FakeOpenAI(
        lambda body: "ok", faults=[Fault("unsupported_parameter", parameters=("stream_options",))]
    ) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        for _ in range(2):
            _, completion = joined(list(model.complete_stream("hi")))
            assert (completion.text, completion.cost) == ("ok", None)
            assert any("did not count" in note for note in completion.notes)
        assert server.count() == 3


def test_a_stream_that_stalls_is_left_after_the_timeout() -> None:
    def handler(_: RecordedRequest) -> Response:
        return Response(events=[b"data: {}\n\n"] * 2, event_delay=5, content_type="text/event-stream")

    routes = {("POST", "/v1/chat/completions"): handler}
    with FakeOpenAI(routes=routes) as server, pytest.raises(ModelUnavailableError, match="within"):
        list(OpenAIChat("m", base_url=server.base_url, timeout=0.3).complete_stream("hi"))


def test_a_stream_that_is_left_early_gives_its_connection_back() -> None:
    async def first(model: OpenAIChat) -> str:
        stream = model.stream([], Options())
        async for piece in stream:
            await stream.aclose()  # type: ignore[attr-defined]
            return piece.text
        return ""

    async def leave(server: FakeOpenAI) -> list[str]:
        model = OpenAIChat("m", base_url=server.base_url)
        return [await first(model) for _ in range(5)]

    reply = Reply("a text of several pieces", chunk_delay=0.01)
    with FakeOpenAI(lambda body: reply, check_requests=False) as server:
        assert asyncio.run(leave(server)) == ["a te"] * 5
        server.wait_for(in_flight=0)


@given(st.text(), st.lists(st.integers(0, 20), max_size=6))
def test_however_a_reply_is_cut_it_is_the_same(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    reply = StreamedReply()
    pieces = [reply.take(delta(text[a:b])) for a, b in pairwise(places)]
    reply.take(delta("", "length"))
    whole = completion_of({"choices": [{"message": {"content": text}, "finish_reason": "length"}]})
    assert "".join(pieces) == text
    assert reply.completion() == whole


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "content", "tool_calls", "usage", "function", "index", "logprobs"])
            | st.text(),
            inner,
            max_size=4,
        )
    ),
)


@given(st.lists(JSON, max_size=4), JSON)
def test_no_json_at_all_breaks_the_reading_of_replies(chunks: list[object], whole: object) -> None:
    reply = StreamedReply()
    actions: list[Callable[[], object]] = [partial(reply.take, chunk) for chunk in chunks]
    actions += [reply.completion, partial(completion_of, whole)]
    for action in actions:
        try:
            action()
        except BadReplyError:
            continue
