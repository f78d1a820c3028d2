from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping

import pytest

from llmopt.errors import ModelUnavailableError, UsageError
from llmopt.models import OpenAIChat
from llmopt.models.openai.values import as_mapping, as_sequence
from llmopt.models.pricing import Price
from llmopt.testing.server import FakeOpenAI, RecordedRequest, Reply, Response
from llmopt.types import Completion, JsonSchema, Message, Options, TokenChance, ToolCall, ToolSpec, Usage

STRICT = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
LOOSE = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = ToolSpec("weather", "The weather of a city.", STRICT)
CALL = ToolCall("call_1", "weather", '{"city": "Lyon"}')


def answering(body: Mapping[str, object]) -> dict[tuple[str, str], Callable[[RecordedRequest], Response]]:
    """Routes of a server whose chat endpoint always answers this JSON."""
    content = json.dumps(body).encode()
    return {("POST", "/v1/chat/completions"): lambda _: Response(content=content)}


def sent(options: Options = Options(), *messages: Message) -> Mapping[str, object]:
    """Return the body that arrives at a server."""
    with FakeOpenAI(lambda body: "ok") as server:
        OpenAIChat("m", base_url=server.base_url).complete(messages or "hi", options)
    return server.requests[0].body


def replied(reply: Reply | str, options: Options = Options()) -> Completion:
    """Return the completion of a server's reply."""
    with FakeOpenAI(lambda body: reply) as server:
        return OpenAIChat("m", base_url=server.base_url).complete("hi", options)


def test_a_text_goes_out_as_one_user_message_and_nothing_else() -> None:
    assert sent() == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_every_option_has_its_place_in_the_request() -> None:
    options = Options(
        temperature=0.5, top_p=0.9, max_tokens=7, seed=3, stop=("a", "b"), top_logprobs=2, replicate=4, timeout=9
    )
    body = dict(sent(options))
    del body["model"], body["messages"]
    assert body == {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_completion_tokens": 7,
        "seed": 3,
        "stop": ["a", "b"],
        "logprobs": True,
        "top_logprobs": 2,
    }


def test_parameters_of_the_provider_are_sent_as_they_are() -> None:
    body = sent(Options(extra={"reasoning_effort": "low", "chat_template_kwargs": {"thinking": False}}))
    assert (body["reasoning_effort"], body["chat_template_kwargs"]) == ("low", {"thinking": False})


@pytest.mark.parametrize("name", ["messages", "model", "n", "stream"])
def test_extra_cannot_take_over_what_the_component_does(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        OpenAIChat("m", base_url="http://127.0.0.1:9/v1").complete("hi", Options(extra={name: 1}))


def test_tool_calls_and_their_results_go_back_to_the_server() -> None:
    turns = (
        Message("user", "Weather?"),
        Message("assistant", "", tool_calls=(CALL,)),
        Message("tool", "22 degrees", tool_call_id="call_1"),
    )
    messages = sent(Options(), *turns)["messages"]
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lyon"}'}}
    assert messages == [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "22 degrees", "tool_call_id": "call_1"},
    ]


def test_a_tool_result_without_its_call_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match="tool_call_id"):
        OpenAIChat("m", base_url="http://127.0.0.1:9/v1").complete([Message("tool", "22 degrees")])


def test_a_tool_is_strict_where_its_schema_allows() -> None:
    body = sent(Options(tools=(WEATHER, ToolSpec("loose", "", LOOSE)), tool_choice="required"))
    tools = as_sequence(body["tools"])
    functions = [as_mapping(as_mapping(tool)["function"]) for tool in tools]
    assert [function.get("strict") for function in functions] == [True, None]
    assert body["tool_choice"] == "required"


@pytest.mark.parametrize(("schema", "strict"), [(STRICT, True), (LOOSE, False)])
def test_a_schema_is_held_to_strictly_where_that_is_possible(schema: Mapping[str, object], strict: bool) -> None:
    body = sent(Options(schema=JsonSchema("Place[int]", schema)))
    wanted = {"name": "Place_int_", "schema": schema, "strict": strict}
    assert body["response_format"] == {"type": "json_schema", "json_schema": wanted}


def test_a_schema_that_no_provider_takes_is_asked_for_in_words() -> None:
    body = sent(Options(schema=JsonSchema("Names", {"type": "array", "items": {"type": "string"}})))
    assert "response_format" not in body
    assert "JSON schema" in str(body["messages"])


def test_the_reply_carries_text_usage_model_and_time() -> None:
    usage = Usage(input_tokens=100, output_tokens=20, cached_tokens=64, calls=1)
    completion = replied(Reply("Paris", usage=usage, model="m-2026-01-01"))
    assert (completion.text, completion.usage, completion.model) == ("Paris", usage, "m-2026-01-01")
    assert completion.finish == "stop"
    assert completion.seconds is not None
    assert completion.seconds > 0


@pytest.mark.parametrize(
    ("reply", "finish"),
    [
        (Reply("cut", finish_reason="length"), "length"),
        (Reply("", finish_reason="content_filter"), "content_filter"),
        (Reply(None, tool_calls=(CALL,)), "tool_calls"),
        (Reply(None, tool_calls=(CALL,), finish_reason="stop"), "tool_calls"),
        (Reply("half", refusal="I cannot help with that."), "refusal"),
        (Reply("done", finish_reason="eos_token"), "stop"),
    ],
)
def test_the_reason_of_the_end_is_told(reply: Reply, finish: str) -> None:
    assert replied(reply).finish == finish


def test_a_refusal_says_its_words() -> None:
    assert replied(Reply(None, refusal="I cannot help with that.")).text == "I cannot help with that."


def test_tool_calls_come_back() -> None:
    assert replied(Reply(None, tool_calls=(CALL,))).tool_calls == (CALL,)


def test_log_probabilities_come_back_with_their_alternatives() -> None:
    chances = (TokenChance("Pa", -0.1, {"Pa": -0.1, "Ly": -2.0}), TokenChance("ris", -0.2, {}))
    assert replied(Reply("Paris", logprobs=chances), Options(top_logprobs=2)).logprobs == chances


def test_a_given_price_makes_the_cost() -> None:
    usage = Usage(input_tokens=1000, output_tokens=100, calls=1)
    with FakeOpenAI(lambda body: Reply("ok", usage=usage)) as server:
        model = OpenAIChat("m", base_url=server.base_url, prices=Price(1.0, 10.0))
        assert model.complete("hi").cost == pytest.approx(0.002)
        assert model.price(usage) == pytest.approx(0.002)


def test_the_price_of_a_server_that_is_not_openai_is_not_guessed() -> None:
    usage = Usage(input_tokens=1000, calls=1)
    assert OpenAIChat("gpt-6-luna", base_url="http://localhost:8000/v1").price(usage) is None
    assert OpenAIChat("gpt-6-luna").price(usage) is not None
    assert OpenAIChat("no-such-model").price(usage) is None


def test_tokens_that_the_server_does_not_count_have_no_price() -> None:
    routes = answering({"choices": [{"message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]})
    with FakeOpenAI(routes=routes) as server:
        completion = OpenAIChat("m", base_url=server.base_url, prices=Price(1.0, 1.0)).complete("hi")
    assert completion.cost is None
    assert "did not count" in completion.notes[0]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": []},
        {"choices": None, "object": "chat.completion"},
        {"choices": [{"message": {"content": "half"}, "finish_reason": "error"}]},
        ["not", "an", "object"],
    ],
)
def test_a_reply_that_is_none_is_an_error_and_never_an_empty_answer(body: Mapping[str, object]) -> None:
    with (
        FakeOpenAI(routes=answering(body)) as server,
        pytest.raises(ModelUnavailableError, match="cannot be read") as caught,
    ):
        OpenAIChat("m", base_url=server.base_url).complete("hi")
    assert caught.value.retryable


def test_what_compatible_servers_write_otherwise_is_understood() -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Par"}, {"type": "text", "text": "is"}]
    call = {"function": {"name": "weather", "arguments": {"city": "Lyon"}}}
    message = {"content": parts, "tool_calls": [call]}
    routes = answering({"choices": [{"message": message}], "usage": {"prompt_tokens": 3, "completion_tokens": 2.0}})
    with FakeOpenAI(routes=routes) as server:
        completion = OpenAIChat("m", base_url=server.base_url).complete("hi")
    assert completion.text == "Paris"
    assert completion.tool_calls == (ToolCall("call_0", "weather", '{"city": "Lyon"}'),)
    assert completion.usage == Usage(3, 2, 0, 1)


def test_json_that_is_not_called_json_is_read_all_the_same() -> None:
    content = json.dumps({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}).encode()

    def handler(_: RecordedRequest) -> Response:
        return Response(content=content, content_type="text/plain")

    with FakeOpenAI(routes={("POST", "/v1/chat/completions"): handler}) as server:
        assert OpenAIChat("m", base_url=server.base_url).complete("hi").text == "ok"


@pytest.mark.parametrize("options", [Options(temperature=math.nan), Options(extra={"x": object()})])
def test_what_has_no_json_form_is_a_mistake_of_the_caller(options: Options) -> None:
    with FakeOpenAI() as server, pytest.raises(UsageError, match="JSON"):
        OpenAIChat("m", base_url=server.base_url).complete("hi", options)


def test_half_a_surrogate_pair_is_a_mistake_of_the_caller() -> None:
    with FakeOpenAI() as server, pytest.raises(UsageError, match="surrogates"):
        OpenAIChat("m", base_url=server.base_url).complete("\ud83d")


def test_any_text_arrives_as_it_was_written() -> None:
    text = "多维 \u0000 \u2028 🐍 {braces} \r\n"
    with FakeOpenAI() as server:
        assert OpenAIChat("m", base_url=server.base_url).complete(text).text == text


def test_the_model_works_inside_a_running_loop_and_outside() -> None:
    with FakeOpenAI(lambda body: "Paris") as server:
        model = OpenAIChat("m", base_url=server.base_url)
        assert asyncio.run(model.acomplete("hi")).text == model.complete("hi").text == "Paris"


def test_a_saved_model_comes_back_without_its_key(tmp_path: object) -> None:
    model = OpenAIChat("m", base_url="http://localhost:1/v1", api_key="sk-secret", prices=Price(1.0, 2.0, 0.5))
    model.save(f"{tmp_path}/model")
    again = OpenAIChat.load(f"{tmp_path}/model")
    assert again.params() == {**model.params(), "api_key": None}
    assert again.fingerprint() == model.fingerprint()


def test_tokens_of_reasoning_count_as_written_where_only_the_total_has_them() -> None:
    choice = {"message": {"content": "ok"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 112}
    with FakeOpenAI(routes=answering({"choices": [choice], "usage": usage})) as server:
        assert OpenAIChat("m", base_url=server.base_url).complete("hi").usage == Usage(10, 102, 0, 1)
