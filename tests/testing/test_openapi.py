"""Bodies against OpenAI's published schema: the checker, and the server's own answers."""

import json
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPConnection
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest

from llmopt.errors import UsageError
from llmopt.testing.openapi import response_errors, schema_errors
from llmopt.testing.server import FakeOpenAI, Fault, FaultKind, Reply, ServedModel
from llmopt.types import ToolCall

pytest.importorskip("jsonschema")

SPEC_FILE = Path(__file__).resolve().parents[3] / "shared" / "openai" / "openapi.json"
HELLO = {"role": "user", "content": "hello"}
CHAT = "/v1/chat/completions"
SMALL: Mapping[str, object] = {
    "paths": {
        "/things/{id}": {
            "post": {
                "requestBody": {"$ref": "#/components/requestBodies/Thing"},
                "responses": {"200": {"content": {"application/json": {"schema": {"type": "array"}}}}},
            },
            "get": {"responses": {}},
        },
        "/things/special": {
            "post": {"requestBody": {"content": {"application/json": {"schema": {"required": ["special"]}}}}}
        },
        "/files": {"post": {"requestBody": {"content": {"multipart/form-data": {"schema": {}}}}}},
    },
    "components": {
        "requestBodies": {"Thing": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/T"}}}}},
        "schemas": {"T": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}}},
    },
}


@lru_cache
def spec() -> Mapping[str, object]:
    if not SPEC_FILE.is_file():
        pytest.skip("OpenAI's API schema is not there: ../shared/openai/openapi.json")
    return cast("Mapping[str, object]", json.loads(SPEC_FILE.read_bytes()))


def call(server: FakeOpenAI, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, bytes]:
    """Return the status and the body of a plain HTTP exchange."""
    connection = HTTPConnection(urlsplit(server.base_url).netloc)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def chat(**changes: object) -> Mapping[str, object]:
    return {"model": "m", "messages": [HELLO], **changes}


def test_a_body_that_fits_has_no_errors() -> None:
    assert schema_errors(SMALL, "/v1/things/1", "POST", {"size": 2}) == []


def test_an_error_says_where_and_what() -> None:
    assert schema_errors(SMALL, "/things/1", "POST", {"size": 0}) == ["$.size: 0 is less than the minimum of 1"]
    assert schema_errors(SMALL, "/things/1", "post", {"size": "x"}) == ["$.size: 'x' is not of type 'integer'"]


def test_a_path_of_its_own_goes_before_a_pattern() -> None:
    assert schema_errors(SMALL, "/things/special", "POST", {}) == ["$: 'special' is a required property"]


def test_a_changed_document_is_not_taken_for_the_old_one() -> None:
    strict = json.loads(json.dumps(SMALL))
    strict["components"]["schemas"]["T"]["required"] = ["size"]
    assert schema_errors(SMALL, "/things/1", "POST", {}) == []
    assert schema_errors(strict, "/things/1", "POST", {}) == ["$: 'size' is a required property"]


@pytest.mark.parametrize(
    ("path", "method", "message"),
    [
        ("/nothing", "POST", "has no POST /nothing"),
        ("/things/1", "DELETE", "has no DELETE /things/1"),
        ("/files", "POST", "takes no JSON, but multipart/form-data"),
        ("/things/1", "GET", "takes no JSON, but no body"),
    ],
)
def test_a_request_that_the_document_does_not_have_is_an_error(path: str, method: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        schema_errors(SMALL, path, method, {})


def test_a_response_that_the_document_does_not_have_is_an_error() -> None:
    with pytest.raises(UsageError, match="status 201"):
        response_errors(SMALL, "/things/1", "POST", {}, status=201)
    assert response_errors(SMALL, "/things/1", "POST", {}) == ["$: {} is not of type 'array'"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (chat(temperature=3), "$.temperature"),
        (chat(response_format={"type": "json_schema"}), "$.response_format"),
        (chat(messages=[{"role": "user", "content": 3}]), "$.messages[0]"),
        (chat(tools=[{"type": "function"}]), "$.tools[0]"),
        ({"messages": [HELLO]}, "$"),
    ],
)
def test_openai_would_not_take_these(body: Mapping[str, object], place: str) -> None:
    errors = schema_errors(spec(), CHAT, "POST", body)
    assert len(errors) == 1
    assert errors[0].startswith(f"{place}")


def test_openai_would_take_these() -> None:
    schema: Mapping[str, object] = {"type": "object", "properties": {}, "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}}]
    assert schema_errors(spec(), CHAT, "POST", chat(response_format=form, tools=tools, n=2, logprobs=True)) == []
    assert schema_errors(spec(), "/v1/embeddings", "POST", {"model": "e", "input": ["a"]}) == []
    assert schema_errors(spec(), "/v1/embeddings", "POST", {"model": "e", "input": "a", "k": 1}) != []


@pytest.mark.parametrize(
    ("reply", "request_changes"),
    [
        (Reply("hello"), {}),
        (Reply("a", alternatives=["b"]), {"n": 3}),
        (Reply("hello"), {"logprobs": True, "top_logprobs": 3}),
        (Reply("long text", finish_reason="length"), {}),
        (Reply(None, finish_reason="content_filter"), {}),
        (Reply(refusal="no"), {"logprobs": True}),
        (Reply(tool_calls=[ToolCall("", "f", "{}")]), {}),
    ],
)
def test_completions_and_their_chunks_fit_the_schema(reply: Reply, request_changes: Mapping[str, object]) -> None:
    with FakeOpenAI(lambda _: reply) as server:
        _, whole = call(server, "POST", CHAT, chat(**request_changes))
        streaming = {"stream": True, "stream_options": {"include_usage": True}, **request_changes}
        _, stream = call(server, "POST", CHAT, chat(**streaming))
    assert response_errors(spec(), CHAT, "POST", json.loads(whole)) == []
    *events, done, end = stream.split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    assert len(events) >= 3
    for event in events:
        assert response_errors(spec(), CHAT, "POST", json.loads(event.removeprefix(b"data: "))) == []


def test_embeddings_and_models_fit_the_schema() -> None:
    with FakeOpenAI(models=[ServedModel("a", shutdown_date="2027-01-14"), ServedModel("b")]) as server:
        _, vectors = call(server, "POST", "/v1/embeddings", {"model": "a", "input": ["x", "y"]})
        _, models = call(server, "GET", "/v1/models")
        _, model = call(server, "GET", "/v1/models/a")
    assert response_errors(spec(), "/v1/embeddings", "POST", json.loads(vectors)) == []
    assert response_errors(spec(), "/v1/models", "GET", json.loads(models)) == []
    assert response_errors(spec(), "/v1/models/a", "GET", json.loads(model)) == []


def test_vectors_are_floats_unless_base64_is_asked_for() -> None:
    with FakeOpenAI() as server:
        _, plain = call(server, "POST", "/v1/embeddings", {"model": "a", "input": "x"})
        _, packed = call(server, "POST", "/v1/embeddings", {"model": "a", "input": "x", "encoding_format": "base64"})
    assert isinstance(json.loads(plain)["data"][0]["embedding"], list)
    assert isinstance(json.loads(packed)["data"][0]["embedding"], str)


@pytest.mark.parametrize(
    "kind",
    [
        "rate_limit",
        "insufficient_quota",
        "server_error",
        "bad_key",
        "context_overflow",
        "unknown_model",
        "unsupported_parameter",
    ],
)
def test_errors_fit_the_schema(kind: FaultKind) -> None:
    with FakeOpenAI(faults=[Fault(kind)]) as server:
        status, body = call(server, "POST", CHAT, chat(temperature=1))
    assert status >= 400
    assert response_errors(spec(), CHAT, "POST", json.loads(body), status=status) == []


@pytest.mark.parametrize(("method", "path"), [("POST", CHAT), ("GET", "/v1/nothing"), ("DELETE", CHAT)])
def test_refusals_fit_the_schema(method: str, path: str) -> None:
    with FakeOpenAI() as server:
        status, body = call(server, method, path, {})
    assert status >= 400
    assert response_errors(spec(), CHAT, "POST", json.loads(body), status=status) == []
