"""Every body that the adapters can send fits OpenAI's published schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import cast

import pytest

from llmopt.models import OpenAIChat, OpenAIEmbedder
from llmopt.models.openai.quirks import OLD_LIMIT
from llmopt.models.openai.request import chat_request
from llmopt.models.openai.schema import is_strict
from llmopt.testing.openapi import schema_errors
from llmopt.testing.server import FakeOpenAI
from llmopt.types import JsonSchema, Message, Options, ToolCall, ToolSpec

SPEC = Path(__file__).parents[3] / "shared" / "openai" / "openapi.json"
STRICT: Mapping[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
LOOSE: Mapping[str, object] = {"type": "object", "properties": {"city": {"type": "string", "default": "Lyon"}}}
CALL = ToolCall("call_1", "weather", '{"city": "Lyon"}')
CHATS: Mapping[str, Sequence[Message]] = {
    "user": [Message("user", "hi")],
    "system": [Message("system", "Be brief."), Message("user", "hi")],
    "developer": [Message("developer", "Be brief."), Message("user", ""), Message("assistant", "ok")],
    "tools": [
        Message("user", "Weather?"),
        Message("assistant", "", tool_calls=(CALL, ToolCall("call_2", "now", "{}"))),
        Message("tool", "22 degrees", tool_call_id="call_1"),
        Message("tool", "", tool_call_id="call_2"),
    ],
    "text_and_tools": [
        Message("user", "Weather?"),
        Message("assistant", "Let me see.", tool_calls=(CALL,)),
        Message("tool", "22 degrees", tool_call_id="call_1"),
    ],
}
SAMPLINGS: Mapping[str, Options] = {
    "default": Options(),
    "lowest": Options(temperature=0, top_p=0, max_tokens=1, seed=0, top_logprobs=0, stop=("a",), replicate=3),
    "highest": Options(temperature=2, top_p=1, max_tokens=4096, seed=2**31, top_logprobs=20, stop=tuple("abcd")),
    "extra": Options(extra={"reasoning_effort": "low", "store": True, "metadata": {"a": "b"}}),
    "strict": Options(schema=JsonSchema("City", STRICT)),
    "loose": Options(schema=JsonSchema("City[int]", LOOSE)),
    "list": Options(schema=JsonSchema("Cities", {"type": "array", "items": {"type": "string"}})),
    "tools": Options(tools=(ToolSpec("weather", "The weather.", STRICT), ToolSpec("now", "", LOOSE))),
    "required": Options(tools=(ToolSpec("weather", "", STRICT),), tool_choice="required"),
    "none": Options(tools=(ToolSpec("weather", "", STRICT),), tool_choice="none"),
}
QUIRKS: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "dropped": frozenset({"temperature", "top_p", "seed", "stop", "logprobs", "stream_options", "tool_choice"}),
    "translated": frozenset({OLD_LIMIT, "json_schema", "role developer", "top_logprobs"}),
    "plain": frozenset({"response_format", "role system", "role developer"}),
}


@pytest.fixture(scope="module")
def spec() -> Mapping[str, object]:
    if not SPEC.exists():
        pytest.skip("OpenAI's published schema is not at ../shared/openai/openapi.json")
    return cast("dict[str, object]", json.loads(SPEC.read_text("utf-8")))


@pytest.mark.parametrize(
    ("chat", "sampling", "quirks", "streamed"), list(product(CHATS, SAMPLINGS, QUIRKS, [False, True]))
)
def test_a_chat_request_fits_openais_schema(
    spec: Mapping[str, object], chat: str, sampling: str, quirks: str, streamed: bool
) -> None:
    request = chat_request("gpt-6-luna", CHATS[chat], SAMPLINGS[sampling], QUIRKS[quirks], streamed=streamed)
    assert schema_errors(spec, "/v1/chat/completions", "POST", request.body) == []


def test_the_schema_would_notice_a_wrong_request(spec: Mapping[str, object]) -> None:
    request = chat_request("m", CHATS["user"], Options(temperature=3), frozenset(), streamed=False)
    assert schema_errors(spec, "/v1/chat/completions", "POST", request.body)


def test_what_arrives_at_the_server_is_what_was_built() -> None:
    chat, sampling = CHATS["tools"], SAMPLINGS["required"]
    with FakeOpenAI(lambda body: "ok") as server:
        OpenAIChat("m", base_url=server.base_url).complete(chat, sampling)
    assert server.requests[0].body == chat_request("m", chat, sampling, frozenset(), streamed=False).body


@pytest.mark.parametrize("dimensions", [None, 16])
@pytest.mark.parametrize("encoding", [None, "base64", "float"])
def test_an_embedding_request_fits_openais_schema(
    spec: Mapping[str, object], dimensions: int | None, encoding: str | None
) -> None:
    with FakeOpenAI() as server:
        embedder = OpenAIEmbedder("m", base_url=server.base_url, dimensions=dimensions, encoding_format=encoding)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        embedder.encode(["a", "", "多维"], kind="document")
    assert schema_errors(spec, "/v1/embeddings", "POST", server.requests[0].body) == []


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (STRICT, True),
        ({"type": "object", "properties": {}, "additionalProperties": False}, True),
        (LOOSE, False),
        ({"type": "array", "items": {"type": "string"}}, False),
        ({**STRICT, "required": []}, False),
        ({**STRICT, "additionalProperties": {"type": "string"}}, False),
        ({**STRICT, "properties": {"city": {"allOf": [{"type": "string"}]}}}, False),
        ({**STRICT, "properties": {"city": LOOSE}}, False),
        ({**STRICT, "properties": {"city": {"anyOf": [STRICT, {"type": "null"}]}}}, True),
        ({**STRICT, "properties": {"city": {"anyOf": [LOOSE, {"type": "null"}]}}}, False),
        ({**STRICT, "properties": {"city": {"$ref": "#/$defs/Loose"}}, "$defs": {"Loose": LOOSE}}, False),
        ({**STRICT, "properties": {"city": {"type": "array", "items": LOOSE}}}, False),
    ],
)
def test_strict_is_asked_for_only_where_the_provider_can_hold_to_it(schema: Mapping[str, object], strict: bool) -> None:
    assert is_strict(schema) is strict
