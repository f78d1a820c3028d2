"""Requests that OpenAI refuses are refused here too, so that a wrong adapter fails its tests."""

import re
from collections.abc import Mapping

import openai
import pytest
from openai import OpenAI

from llmopt.testing.server import FakeOpenAI

HELLO = {"role": "user", "content": "hello"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "42"}
STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def post(path: str, body: Mapping[str, object], *, check_requests: bool = True) -> openai.APIStatusError | None:
    """Return the refusal, if there is one."""
    with (
        FakeOpenAI(check_requests=check_requests) as server,
        OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client,
    ):
        try:
            client.post(path, body=body, cast_to=object)
        except openai.APIStatusError as error:
            return error
    return None


def chat(**changes: object) -> Mapping[str, object]:
    return {"model": "m", "messages": [HELLO], **changes}


def form(schema: object, name: str = "answer", strict: bool = True) -> Mapping[str, object]:
    return {"type": "json_schema", "json_schema": {"name": name, "strict": strict, "schema": schema}}


def tool(**function: object) -> Mapping[str, object]:
    return {"type": "function", "function": {"name": "f", **function}}


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"messages": [HELLO]}, None, "must provide a model"),
        ({"model": "m"}, "messages", "Missing required parameter"),
        (chat(messages=[]), "messages", "empty array"),
        (chat(messages=[{"role": "robot", "content": "x"}]), "messages[0].role", "'robot'"),
        (chat(messages=[{"role": "user", "content": None}]), "messages[0].content", "got null"),
        (chat(messages=[HELLO, RESULT]), "messages[1].role", "must be a response"),
        (chat(messages=[HELLO, CALLING, RESULT, RESULT]), "messages[3].role", "must be a response"),
        (chat(messages=[HELLO, CALLING, HELLO]), "messages[2]", "did not have response messages: call_1"),
        (chat(messages=[HELLO, CALLING]), "messages", "did not have response messages: call_1"),
        (chat(temperature=2.1), "temperature", "above maximum"),
        (chat(n=0), "n", "below minimum"),
        (chat(n="2"), "n", "Invalid type"),
        (chat(max_completion_tokens=0), "max_completion_tokens", "below minimum"),
        (chat(max_tokens=1, max_completion_tokens=1), None, "at the same time"),
        (chat(stream_options={"include_usage": True}), "stream_options", "only allowed when 'stream'"),
        (chat(top_logprobs=3), "top_logprobs", "'logprobs' must be set"),
        (chat(stop=["a", "b", "c", "d", "e"]), "stop", "array too long"),
        (chat(response_format={"type": "json_object"}), "messages", "the word 'json'"),
        (chat(response_format=form(STRICT, name="my answer")), "response_format.json_schema.name", "my answer"),
        (chat(response_format=form(None)), "response_format.json_schema.schema", "Missing"),
        (
            chat(response_format=form({**STRICT, "additionalProperties": True})),
            "response_format.json_schema.schema",
            "'additionalProperties' is required",
        ),
        (chat(response_format=form({**STRICT, "required": []})), "response_format.json_schema.schema", "Missing 'a'"),
        (
            chat(response_format=form({"type": "array", "items": STRICT})),
            "response_format.json_schema.schema",
            "object",
        ),
        (
            chat(response_format=form({**STRICT, "properties": {"a": {"type": "array", "items": {"type": "object"}}}})),
            "response_format.json_schema.schema",
            r"In context=\('properties', 'a', 'items'\)",
        ),
        (chat(tools=[tool(name="no spaces")]), "tools[0].function.name", "does not match"),
        (chat(tools=[tool(strict=True, parameters={"type": "object"})]), "tools[0].function.parameters", "f"),
        (chat(tools=[tool()] * 129), "tools", "at most 128"),
    ],
)
def test_a_wrong_chat_request_is_refused(body: Mapping[str, object], param: str | None, message: str) -> None:
    refused = post("/chat/completions", body)
    assert isinstance(refused, openai.BadRequestError)
    assert refused.param == param
    assert re.search(message, refused.message)


@pytest.mark.parametrize(
    "body",
    [
        chat(messages=[HELLO, CALLING, RESULT, HELLO]),
        chat(messages=[HELLO, {"role": "assistant", "content": None, "refusal": "no"}, HELLO]),
        chat(temperature=None, n=None, stop=None, response_format={"type": "text"}),
        chat(response_format=form(STRICT)),
        chat(response_format=form({"type": "object"}, strict=False)),
        chat(messages=[{"role": "user", "content": "as JSON"}], response_format={"type": "json_object"}),
        chat(tools=[tool(), tool(name="g", strict=True, parameters=STRICT)]),
    ],
)
def test_a_right_chat_request_is_answered(body: Mapping[str, object]) -> None:
    assert post("/chat/completions", body) is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, None),
        ({"model": "e"}, "input"),
        ({"model": "e", "input": ""}, "input"),
        ({"model": "e", "input": []}, "input"),
        ({"model": "e", "input": ["x", ""]}, "input"),
        ({"model": "e", "input": [list[int]()]}, "input"),
        ({"model": "e", "input": ["x"] * 2049}, "input"),
        ({"model": "e", "input": "x", "dimensions": 0}, "dimensions"),
    ],
)
def test_a_wrong_embeddings_request_is_refused(body: Mapping[str, object], param: str | None) -> None:
    refused = post("/embeddings", body)
    assert isinstance(refused, openai.BadRequestError)
    assert refused.param == param


def test_as_many_inputs_as_openai_takes_are_taken() -> None:
    assert post("/embeddings", {"model": "e", "input": ["x"] * 2048}) is None


def test_a_lenient_server_takes_anything() -> None:
    assert post("/chat/completions", chat(temperature=9, top_logprobs=2), check_requests=False) is None
    assert post("/embeddings", {"model": "e", "input": ""}, check_requests=False) is None
