"""What the fake server answers, as a user of the openai package sees it."""

import asyncio
import doctest
import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionChunk

from llmopt.errors import ContractError, UsageError
from llmopt.testing._server import application, faults, http, models, replies
from llmopt.testing.server import (
    FakeOpenAI,
    Fault,
    RecordedRequest,
    Reply,
    Response,
    ServedModel,
    bag_of_words,
    error_response,
    server_statistics,
)
from llmopt.types import TokenChance, ToolCall, Usage

WEATHER = ToolCall("", "weather", '{"city": "Paris"}')


def connect(server: FakeOpenAI, *, timeout: float = 10.0) -> OpenAI:
    return OpenAI(base_url=server.base_url, api_key="any", max_retries=0, timeout=timeout)


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    return math.fsum(one * other for one, other in zip(first, second, strict=True))


def stream(client: OpenAI, *, text: str = "hello world", n: int = 1) -> list[ChatCompletionChunk]:
    return list(
        client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": text}],
            n=n,
            stream=True,
            stream_options={"include_usage": True},
        )
    )


@pytest.fixture
def echoing() -> Iterator[tuple[FakeOpenAI, OpenAI]]:
    with FakeOpenAI() as server, connect(server) as client:
        yield server, client


def test_echoes_the_last_user_message_by_default(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    completion = echoing[1].chat.completions.create(
        model="some-model",
        messages=[
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "answer"},
            {"role": "user", "content": [{"type": "text", "text": "sec"}, {"type": "text", "text": "ond"}]},
        ],
    )
    assert completion.choices[0].message.content == "second"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == "some-model"


def test_every_response_has_an_id_of_its_own(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    ids = [echoing[1].models.with_raw_response.list().headers["x-request-id"] for _ in range(2)]
    assert ids == [f"req_{1:032x}", f"req_{2:032x}"]


def test_gives_the_text_that_the_function_says() -> None:
    def reply(body: Mapping[str, object]) -> str:
        return f"asked {body['model']}"

    with FakeOpenAI(reply) as server, connect(server) as client:
        completion = client.chat.completions.create(model="m1", messages=[{"role": "user", "content": "x"}])
    assert completion.choices[0].message.content == "asked m1"


def test_counts_tokens_as_four_characters_unless_told_otherwise() -> None:
    answers = iter([Reply("12345"), Reply("x", usage=Usage(100, 20, 60))])
    with FakeOpenAI(lambda _: next(answers)) as server, connect(server) as client:
        usages = [
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "abcdefgh"}]).usage
            for _ in range(2)
        ]
    assert usages[0] is not None
    assert usages[1] is not None
    assert (usages[0].prompt_tokens, usages[0].completion_tokens, usages[0].total_tokens) == (5, 2, 7)
    assert (usages[1].prompt_tokens, usages[1].completion_tokens) == (100, 20)
    assert usages[1].prompt_tokens_details is not None
    assert usages[1].prompt_tokens_details.cached_tokens == 60


def test_gives_as_many_choices_as_asked_for_and_goes_round_the_alternatives() -> None:
    answer = Reply("a", alternatives=["b", Reply("c", finish_reason="length")])
    with FakeOpenAI(lambda _: answer) as server, connect(server) as client:
        completion = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], n=4)
        chunks = stream(client, n=4)
    assert [choice.message.content for choice in completion.choices] == ["a", "b", "c", "a"]
    assert [choice.index for choice in completion.choices] == [0, 1, 2, 3]
    assert completion.choices[2].finish_reason == "length"
    streamed = ["", "", "", ""]
    for chunk in chunks:
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == ["a", "b", "c", "a"]


def test_streams_pieces_that_add_up_and_ends_with_the_usage(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    text = "Grüße, 世界! " * 20
    chunks = stream(echoing[1], text=text)
    *content, last = chunks
    assert "".join(chunk.choices[0].delta.content or "" for chunk in content) == text
    assert len(content) > 20
    assert content[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in content[-2:]] == [None, "stop"]
    assert all(chunk.usage is None for chunk in content)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == math.ceil(len(text) / 4)


def test_streams_no_usage_unless_asked(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    chunks = list(
        echoing[1].chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}], stream=True)
    )
    assert all(chunk.usage is None for chunk in chunks)
    assert all(len(chunk.choices) == 1 for chunk in chunks)


def test_streams_chunk_by_chunk_when_told_to_take_time() -> None:
    with FakeOpenAI(lambda _: Reply("hello world", chunk_delay=0.005)) as server, connect(server) as client:
        chunks = stream(client)
        server.wait_for(in_flight=0)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "hello world"


def test_a_client_that_leaves_a_stream_is_no_longer_in_flight() -> None:
    with FakeOpenAI(lambda _: Reply("long " * 50, chunk_delay=0.05)) as server, connect(server) as client:
        with client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True
        ) as response:
            next(iter(response))
            assert server.in_flight == 1
        server.wait_for(in_flight=0)
    assert server.count() == 1


def test_calls_tools_with_ids_of_their_own() -> None:
    answer = Reply(tool_calls=[WEATHER, ToolCall("mine", "time", "{}")])
    with FakeOpenAI(lambda _: answer) as server, connect(server) as client:
        choice = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}]).choices[0]
        chunks = stream(client)
    calls = choice.message.tool_calls
    assert calls is not None
    assert [call.id for call in calls] == ["call_1_0_0", "mine"]
    assert calls[0].type == "function"
    assert (calls[0].function.name, calls[0].function.arguments) == ("weather", '{"city": "Paris"}')
    assert choice.message.content is None
    assert choice.finish_reason == "tool_calls"
    arguments = {0: "", 1: ""}
    for chunk in chunks[:-1]:
        for delta in chunk.choices[0].delta.tool_calls or []:
            arguments[delta.index] += (delta.function.arguments or "") if delta.function else ""
    assert arguments == {0: '{"city": "Paris"}', 1: "{}"}
    assert chunks[-2].choices[0].finish_reason == "tool_calls"


def test_calls_the_tool_that_the_request_forces(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    completion = echoing[1].chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "Paris"}],
        tool_choice="required",
        tools=[
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "strict": True,
                    "parameters": {
                        "type": "object",
                        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
                        "required": ["city", "days"],
                        "additionalProperties": False,
                    },
                },
            }
        ],
    )
    calls = completion.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert json.loads(calls[0].function.arguments) == {"city": "Paris", "days": 1}


def test_fits_the_json_schema_that_is_asked_for(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    further = {"anyOf": [{"$ref": "#/$defs/part"}, {"type": "null"}]}
    part = {
        "type": "object",
        "properties": {"verdict": {"enum": ["yes", "no"]}, "next": further},
        "required": ["verdict", "next"],
        "additionalProperties": False,
    }
    completion = echoing[1].chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "why"}],
        response_format={
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "strict": True,
                "schema": {
                    "type": "object",
                    "properties": {
                        "reason": {"type": "string"},
                        "score": {"type": "number"},
                        "sure": {"type": "boolean"},
                        "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}, "minItems": 1},
                    },
                    "required": ["reason", "score", "sure", "parts"],
                    "additionalProperties": False,
                    "$defs": {"part": part},
                },
            },
        },
    )
    answer = json.loads(completion.choices[0].message.content or "")
    assert {**answer, "parts": len(answer["parts"])} == {"reason": "why", "score": 0, "sure": True, "parts": 1}
    assert answer["parts"][0]["verdict"] == "yes"


def test_gives_made_up_or_given_log_probabilities() -> None:
    answers = iter([Reply("abcdefg"), Reply("Yes", logprobs=[TokenChance("Yes", -0.5, {"Yes": -0.5, "No": -1})])])
    with FakeOpenAI(lambda _: next(answers)) as server, connect(server) as client:
        tokens = [
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "x"}], logprobs=True, top_logprobs=2
            )
            .choices[0]
            .logprobs
            for _ in range(2)
        ]
    assert tokens[0] is not None
    assert tokens[0].content is not None
    assert [token.token for token in tokens[0].content] == ["abcd", "efg"]
    assert all(len(token.top_logprobs) == 2 for token in tokens[0].content)
    assert tokens[1] is not None
    assert tokens[1].content is not None
    assert [(top.token, top.logprob) for top in tokens[1].content[0].top_logprobs] == [("Yes", -0.5), ("No", -1)]


def test_streams_log_probabilities_with_their_tokens() -> None:
    answer = Reply("Yes!", logprobs=[TokenChance("Yes", -0.5), TokenChance("!", -0.1)])
    with FakeOpenAI(lambda _: answer) as server, connect(server) as client:
        chunks = list(
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "x"}], logprobs=True, stream=True
            )
        )
    seen = [
        (chunk.choices[0].delta.content, chunk.choices[0].logprobs.content[0].logprob)
        for chunk in chunks
        if chunk.choices[0].logprobs is not None and chunk.choices[0].logprobs.content
    ]
    assert seen == [("Yes", -0.5), ("!", -0.1)]


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_cuts_at_the_token_limit(echoing: tuple[FakeOpenAI, OpenAI], limit: str) -> None:
    choice = (
        echoing[1]
        .chat.completions.create(model="m", messages=[{"role": "user", "content": "123456789"}], extra_body={limit: 2})
        .choices[0]
    )
    assert choice.message.content == "12345678"
    assert choice.finish_reason == "length"


def test_ends_at_the_first_stop_text(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    choice = (
        echoing[1]
        .chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "Thought: a\nObservation: b"}],
            stop=["END", "\nObservation:"],
        )
        .choices[0]
    )
    assert choice.message.content == "Thought: a"
    assert choice.finish_reason == "stop"


def test_passes_on_a_given_finish_reason_and_a_refusal() -> None:
    answers = iter([Reply("half an ans", finish_reason="content_filter"), Reply(refusal="I cannot help.")])
    with FakeOpenAI(lambda _: next(answers)) as server, connect(server) as client:
        filtered, refused = (
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}]).choices[0]
            for _ in range(2)
        )
    assert filtered.finish_reason == "content_filter"
    assert (refused.message.content, refused.message.refusal) == (None, "I cannot help.")


def test_answers_with_the_status_and_headers_of_the_reply() -> None:
    answer = Reply("teapot", status=418, headers={"x-extra": "1"})
    with (
        FakeOpenAI(lambda _: answer) as server,
        connect(server) as client,
        pytest.raises(openai.APIStatusError, match="teapot") as caught,
    ):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    assert caught.value.status_code == 418
    assert caught.value.response.headers["x-extra"] == "1"


def test_the_reply_may_be_a_fault() -> None:
    def reply(body: Mapping[str, object]) -> Fault | str:
        return Fault("rate_limit", retry_after=7) if body["model"] == "busy" else "fine"

    with FakeOpenAI(reply) as server, connect(server) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="busy", messages=[{"role": "user", "content": "x"}])
        client.chat.completions.create(model="idle", messages=[{"role": "user", "content": "x"}])
    assert caught.value.response.headers["retry-after"] == "7"


def test_a_reply_function_that_raises_is_reported_at_the_end() -> None:
    def reply(_body: Mapping[str, object]) -> str:
        raise KeyError("oops")

    server = FakeOpenAI(reply).start()
    with connect(server) as client, pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    server.stop()
    with pytest.raises(ContractError, match=r"KeyError\('oops'\) on request 1") as caught:
        server.check()
    assert isinstance(caught.value.__cause__, KeyError)


def test_half_a_surrogate_pair_comes_through() -> None:
    with FakeOpenAI(lambda _: "a\ud800b") as server, connect(server) as client:
        completion = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    assert completion.choices[0].message.content == "a\ud800b"


def test_embeds_the_same_whatever_the_encoding(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    server, client = echoing
    packed = client.embeddings.create(model="e", input=["red wine", "fast car"])
    plain = client.embeddings.create(model="e", input=["red wine", "fast car"], encoding_format="float")
    assert server.requests[0].body["encoding_format"] == "base64"
    assert [row.embedding for row in packed.data] == [row.embedding for row in plain.data]
    assert packed.usage.prompt_tokens == 4


def test_embeds_in_as_many_dimensions_as_asked() -> None:
    with FakeOpenAI(dimensions=10) as server, connect(server) as client:
        own = client.embeddings.create(model="e", input="a").data[0].embedding
        asked = client.embeddings.create(model="e", input="a", dimensions=3).data[0].embedding
    assert (len(own), len(asked)) == (10, 3)


def test_a_compatible_server_may_know_floats_only() -> None:
    with FakeOpenAI(only_float=True) as server, connect(server) as client:
        rows = client.embeddings.create(model="e", input="a", encoding_format="base64").data
    assert list(rows[0].embedding) == pytest.approx(list(bag_of_words("a", 64)))


def test_rows_may_come_in_another_order() -> None:
    texts = [f"text {number}" for number in range(5)]
    with FakeOpenAI(shuffle_rows=True) as server, connect(server) as client:
        rows = client.embeddings.create(model="e", input=texts, encoding_format="float").data
    assert [row.index for row in rows] != sorted(row.index for row in rows)
    for row in rows:
        assert row.embedding == pytest.approx(list(bag_of_words(texts[row.index], 64)))


def test_embeds_with_the_function_given() -> None:
    with (
        FakeOpenAI(embed=lambda text, dimensions: [float(len(text))] * dimensions) as server,
        connect(server) as client,
    ):
        rows = client.embeddings.create(model="e", input=["a", "abc"], dimensions=2).data
    assert [list(row.embedding) for row in rows] == [[1, 1], [3, 3]]


def test_embeds_tokens_too(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    one = echoing[1].embeddings.create(model="e", input=[5, 6]).data
    two = echoing[1].embeddings.create(model="e", input=[[5, 6], [7]]).data
    assert [len(one), len(two)] == [1, 2]
    assert one[0].embedding == two[0].embedding


@given(st.text(), st.integers(1, 80))
def test_bag_of_words_is_a_unit_vector_that_words_alone_decide(text: str, dimensions: int) -> None:
    vector = bag_of_words(text, dimensions)
    assert len(vector) == dimensions
    assert math.fsum(value * value for value in vector) == pytest.approx(1)
    assert bag_of_words(text, dimensions) == vector


def test_texts_that_share_words_are_closer() -> None:
    first, near, far = (
        bag_of_words(text, 64)
        for text in ("The red wine of Bordeaux", "red wine from Bordeaux", "a fast new electric car")
    )
    assert cosine(first, near) > 0.5 > cosine(first, far)


def test_chinese_texts_share_characters() -> None:
    first, near, far = (bag_of_words(text, 64) for text in ("北京的天气", "北京天气", "苹果很好吃"))
    assert cosine(first, near) > 0.6 > cosine(first, far)


def test_lists_models_with_their_last_day() -> None:
    served = [ServedModel("new"), ServedModel("old/model:x", shutdown_date="2027-01-14")]
    with FakeOpenAI(models=served) as server, connect(server) as client:
        assert [model.id for model in client.models.list()] == ["new", "old/model:x"]
        assert client.models.retrieve("old/model:x").shutdown_date == "2027-01-14"
        assert client.models.retrieve("new").shutdown_date is None
        with pytest.raises(openai.NotFoundError, match="`none` does not exist"):
            client.models.retrieve("none")
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="none", messages=[{"role": "user", "content": "x"}])
    assert caught.value.code == "model_not_found"


def test_any_model_is_served_unless_some_are_named(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    assert echoing[1].models.retrieve("whatever").id == "whatever"


def test_further_routes_answer_before_ours() -> None:
    def file(request: RecordedRequest) -> Response:
        return Response(content=json.dumps({"id": request.parameters["file"], "object": "file"}).encode())

    def gone(_request: RecordedRequest) -> Response:
        return error_response(410, "gone", code="gone")

    routes = {("GET", "/v1/files/{file}"): file, ("GET", "/v1/models"): gone}
    with FakeOpenAI(routes=routes) as server, connect(server) as client:
        assert client.files.retrieve("file 1/2").id == "file 1/2"
        with pytest.raises(openai.APIStatusError, match="gone"):
            client.models.list()
        assert client.models.retrieve("m").id == "m"


def test_unknown_paths_and_methods_are_refused(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    with pytest.raises(openai.NotFoundError, match=r"Invalid URL \(GET /v1/files\)"):
        echoing[1].files.list()
    with pytest.raises(openai.APIStatusError, match="Not allowed to DELETE") as caught:
        echoing[1].models.delete("m")
    assert caught.value.status_code == 405


def test_accepts_only_its_key_if_it_has_one() -> None:
    with FakeOpenAI(api_key="right") as server:
        with connect(server) as client, pytest.raises(openai.AuthenticationError) as caught:
            client.models.list()
        with OpenAI(base_url=server.base_url, api_key="right", max_retries=0) as client:
            client.models.list()
    assert caught.value.code == "invalid_api_key"
    assert "right" not in repr(server)


def test_records_what_came(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    server, client = echoing
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], temperature=0.5)
    client.models.list(extra_query={"after": "a"})
    chat, models = server.requests
    assert (chat.number, chat.method, chat.path, chat.in_flight) == (1, "POST", "/v1/chat/completions", 1)
    assert chat.headers["authorization"] == "Bearer any"
    assert chat.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "x"}],
        "temperature": 0.5,
    }
    assert json.loads(chat.content) == chat.body
    assert (models.path, models.query, models.body) == ("/v1/models", "after=a", {})
    assert chat.arrival <= models.arrival
    assert (server.count(), server.count("chat/completions"), server.count("/v1/models")) == (2, 1, 1)


def test_forgets_on_reset_and_numbers_from_one_again(echoing: tuple[FakeOpenAI, OpenAI]) -> None:
    server, client = echoing
    client.models.list()
    server.reset_log()
    assert (server.count(), server.max_in_flight_seen, list(server.requests)) == (0, 0, [])
    client.models.list()
    assert [request.number for request in server.requests] == [1]


def test_keeps_counts_but_no_requests_when_told() -> None:
    with FakeOpenAI(record=False) as server, connect(server) as client:
        client.models.list()
    assert server.count("models") == 1
    with pytest.raises(UsageError, match="record=False"):
        _ = server.requests


def test_sees_how_many_requests_are_in_flight() -> None:
    async def ask(server: FakeOpenAI) -> None:
        async with AsyncOpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
            asked = [
                asyncio.ensure_future(
                    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
                )
                for _ in range(5)
            ]
            await asyncio.to_thread(server.wait_for, in_flight=5)
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            await asyncio.to_thread(server.wait_for, in_flight=0)

    with FakeOpenAI(faults=[Fault("stuck")]) as server:
        asyncio.run(ask(server))
    assert server.max_in_flight_seen == 5
    assert sorted(request.in_flight for request in server.requests) == [1, 2, 3, 4, 5]


def test_waiting_for_what_does_not_come_ends() -> None:
    with FakeOpenAI() as server, pytest.raises(TimeoutError, match="0 requests came"):
        server.wait_for(requests=1, timeout=0.01)


def test_answers_late_by_the_latency_but_refuses_at_once() -> None:
    with FakeOpenAI(latency=60) as server:
        with connect(server) as client, pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="m", messages=[])
        with connect(server, timeout=0.2) as client, pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])


def test_refuses_what_is_too_much_at_once_and_says_when_to_return() -> None:
    async def ask(server: FakeOpenAI) -> openai.RateLimitError:
        async with AsyncOpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
            held = [asyncio.ensure_future(client.embeddings.create(model="m", input="x")) for _ in range(3)]
            await asyncio.to_thread(server.wait_for, in_flight=3)
            with pytest.raises(openai.RateLimitError) as caught:
                await client.embeddings.create(model="m", input="one more")
            held[0].cancel()
            await asyncio.to_thread(server.wait_for, in_flight=2)
            await client.embeddings.create(model="m", input="now there is room")
            for task in held:
                task.cancel()
            await asyncio.gather(*held, return_exceptions=True)
            return caught.value

    with FakeOpenAI(max_in_flight=3, faults=[Fault("stuck", at=(1, 2, 3))]) as server:
        refused = asyncio.run(ask(server))
    assert refused.code == "rate_limit_exceeded"
    assert refused.response.headers["retry-after"] == "1"
    assert refused.response.headers["retry-after-ms"] == "100"


def test_refuses_requests_above_the_rate() -> None:
    with FakeOpenAI(requests_per_minute=1) as server, connect(server) as client:
        client.models.list()
        with pytest.raises(openai.RateLimitError) as caught:
            client.models.list()
    assert 1 <= float(caught.value.response.headers["retry-after"]) <= 60


def test_stopping_ends_what_hangs() -> None:
    server = FakeOpenAI(faults=[Fault("stuck")]).start()

    def stop_when_asked() -> None:
        server.wait_for(in_flight=1)
        server.stop()

    stopper = threading.Thread(target=stop_when_asked)
    stopper.start()
    with connect(server) as client, pytest.raises(openai.APIConnectionError):
        client.models.list()
    stopper.join()
    assert server.count() == 1


def test_can_be_stopped_twice_and_started_again() -> None:
    server = FakeOpenAI()
    server.stop()
    for _ in range(2):
        with server, connect(server) as client:
            client.models.list()
        server.stop()
    assert server.count() == 2
    with pytest.raises(UsageError, match="does not serve"):
        _ = server.base_url


def test_a_server_that_serves_is_not_started_again() -> None:
    with FakeOpenAI() as server, pytest.raises(UsageError, match="serves already"):
        server.start()


def test_a_port_in_use_is_an_error_that_says_so() -> None:
    with FakeOpenAI() as server:
        port = int(server.base_url.split(":")[2].split("/")[0])
        with pytest.raises(UsageError, match=f"cannot listen on port {port}"):
            FakeOpenAI(port=port).start()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dimensions": 0}, "dimensions is 0"),
        ({"latency": -1.0}, "latency -1.0"),
        ({"max_in_flight": 0}, "max_in_flight is 0"),
        ({"requests_per_minute": 0}, "requests_per_minute is 0"),
        ({"routes": {("GET", "v1/x"): print}}, "must start with a slash"),
        ({"faults": [Fault("empty", rate=0.6), Fault("slow", rate=0.6)]}, "add up to 1.2"),
    ],
)
def test_wrong_arguments_are_refused_when_it_is_made(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FakeOpenAI(**arguments)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"delay": -1.0}, "delay -1.0"), ({"chunk_delay": -1.0}, "chunk_delay -1.0"), ({"status": 302}, "status is 302")],
)
def test_a_wrong_reply_is_refused_when_it_is_made(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Reply(**arguments)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_tells_its_figures_over_http_without_counting_the_question() -> None:
    with FakeOpenAI() as server, connect(server) as client:
        client.models.list()
        figures = [server_statistics(server.base_url, reset=True), server_statistics(server.base_url)]
    assert [one.requests for one in figures] == [1, 0]
    assert figures[0].counts == {"/v1/models": 1}
    assert [one.in_flight for one in figures] == [0, 0]
    assert server.count() == 0


@pytest.mark.parametrize("module", [application, faults, http, models, replies])
def test_the_examples_in_the_docstrings_run(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted > 0
