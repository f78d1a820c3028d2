from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from llmopt.errors import RequestRejectedError
from llmopt.models import OpenAIChat
from llmopt.models.openai.stops import Cutter, cut_at
from llmopt.models.openai.values import as_mapping, as_sequence
from llmopt.testing.server import FakeOpenAI, Fault, RecordedRequest, Reply, Response, error_response
from llmopt.types import JsonSchema, Message, Options, ToolSpec

CHAT = ("POST", "/v1/chat/completions")
NO_TOOL = ToolSpec("now", "The time.", {"type": "object", "properties": {}, "additionalProperties": False})


class City(BaseModel):
    name: str


@pytest.mark.parametrize(
    ("parameter", "options"),
    [
        ("temperature", Options(temperature=0)),
        ("top_p", Options(top_p=0.5)),
        ("seed", Options(seed=1)),
        ("stop", Options(stop=("x",))),
        ("logprobs", Options(top_logprobs=2)),
        ("top_logprobs", Options(top_logprobs=2)),
        ("tool_choice", Options(tools=(NO_TOOL,), tool_choice="auto")),
    ],
)
def test_a_parameter_that_the_server_refuses_is_left_out_noted_and_not_sent_again(
    parameter: str, options: Options
) -> None:
    with FakeOpenAI(lambda body: "ok", faults=[Fault("unsupported_parameter", parameters=(parameter,))]) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        first, second = model.complete("hi", options), model.complete("hi", options)
        assert server.count() == 3
    assert first.text == second.text == "ok"
    assert parameter in first.notes[0]
    assert first.notes == second.notes
    assert parameter not in server.requests[-1].body


def test_a_request_without_the_refused_parameter_has_no_note() -> None:
    with FakeOpenAI(lambda body: "ok", faults=[Fault("unsupported_parameter")]) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        assert model.complete("hi", Options(temperature=0)).notes
        assert model.complete("hi").notes == ()


def test_several_refusals_in_a_row_are_all_met() -> None:
    faults = [Fault("unsupported_parameter", parameters=("temperature", "seed", "top_p"))]
    with FakeOpenAI(lambda body: "ok", faults=faults) as server:
        completion = OpenAIChat("m", base_url=server.base_url).complete("hi", Options(temperature=0, seed=1, top_p=1))
    assert len(completion.notes) == 3


def test_the_token_limit_has_an_older_name() -> None:
    fault = Fault("unsupported_parameter", parameters=("max_completion_tokens",))
    with FakeOpenAI(lambda body: "a long answer", faults=[fault]) as server:
        completion = OpenAIChat("m", base_url=server.base_url).complete("hi", Options(max_tokens=1))
    assert server.requests[-1].body["max_tokens"] == 1
    assert completion.finish == "length"
    assert "max_tokens" in completion.notes[0]


def test_a_server_that_ignores_the_token_limit_is_asked_by_the_older_name_from_then_on() -> None:
    limits: list[object] = []

    def handler(request: RecordedRequest) -> Response:
        limits.append(request.body.get("max_tokens"))
        content = (
            b'{"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}], "usage": {"completion_tokens": 9}}'
        )
        return Response(content=content)

    with FakeOpenAI(routes={CHAT: handler}) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        assert "ignored the limit" in model.complete("hi", Options(max_tokens=5)).notes[0]
        model.complete("hi", Options(max_tokens=5))
    assert limits == [None, 5]


def test_a_server_without_schemas_is_asked_in_words() -> None:
    fault = Fault(
        "unsupported_parameter",
        parameters=("response_format",),
        when=lambda body: as_mapping(body.get("response_format")).get("type") == "json_schema",
    )
    with FakeOpenAI(lambda body: '{"name": "Lyon"}', faults=[fault]) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        assert model.extract("Which city?", City) == City(name="Lyon")
        assert model.extract("Which city?", City) == City(name="Lyon")
        assert server.count() == 3
    body = server.requests[-1].body
    assert body["response_format"] == {"type": "json_object"}
    assert "JSON schema" in str(body["messages"])


def test_a_server_without_any_format_is_asked_in_words_alone() -> None:
    fault = Fault("unsupported_parameter", parameters=("response_format",))
    with FakeOpenAI(lambda body: '{"name": "Lyon"}', faults=[fault]) as server:
        assert OpenAIChat("m", base_url=server.base_url).extract("Which city?", City) == City(name="Lyon")
    body = server.requests[-1].body
    assert "response_format" not in body
    assert "JSON schema" in str(body["messages"])


def test_a_schema_that_the_provider_calls_wrong_says_nothing_about_others() -> None:
    def handler(request: RecordedRequest) -> Response:
        if "Bad" in str(request.body.get("response_format")):
            message = "Invalid schema for response_format 'Bad': 'pattern' is too long."
            return error_response(400, message, param="response_format")
        return Response(content=b'{"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]}')

    with FakeOpenAI(routes={CHAT: handler}) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        for name in ("Bad", "Good", "Bad"):
            model.complete("hi", Options(schema=JsonSchema(name, NO_TOOL.parameters)))
    forms = [as_mapping(request.body["response_format"])["type"] for request in server.requests]
    assert forms == ["json_schema", "json_object", "json_schema", "json_object"]


@pytest.mark.parametrize(
    ("words", "param", "sent", "instead"),
    [
        ("Unsupported value: 'messages[0].role' does not support 'system'", "messages[0].role", "system", "user"),
        ("System role not supported", None, "system", "user"),
        ("Unexpected role 'developer'", None, "developer", "system"),
    ],
)
def test_a_role_that_the_server_does_not_know_is_sent_as_another(
    words: str, param: str | None, sent: str, instead: str
) -> None:
    def handler(request: RecordedRequest) -> Response:
        roles = [as_mapping(message)["role"] for message in as_sequence(request.body["messages"])]
        if sent in roles:
            return error_response(400, words, param=param)
        return Response(content=b'{"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}')

    turns = [Message("developer" if sent == "developer" else "system", "Be brief."), Message("user", "hi")]
    with FakeOpenAI(routes={CHAT: handler}) as server:
        completion = OpenAIChat("m", base_url=server.base_url).complete(turns)
    assert instead in completion.notes[0]
    assert server.count() == 2


@pytest.mark.parametrize(
    "words",
    [
        "Unrecognized request argument supplied: seed",
        'Invalid JSON payload received. Unknown name "seed": Cannot find field.',
        "property 'seed' is unsupported",
        "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs are not permitted'}]",
        "seed is not currently supported by this model",
    ],
)
def test_refusals_in_the_words_of_other_servers_are_understood(words: str) -> None:
    def handler(request: RecordedRequest) -> Response:
        if "seed" in request.body:
            return error_response(400, words)
        return Response(content=b'{"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}')

    with FakeOpenAI(routes={CHAT: handler}) as server:
        assert OpenAIChat("m", base_url=server.base_url).complete("hi", Options(seed=1)).text == "ok"


def test_a_value_out_of_range_is_the_callers_mistake_and_is_not_dropped() -> None:
    with FakeOpenAI() as server, pytest.raises(RequestRejectedError, match="temperature") as caught:
        OpenAIChat("m", base_url=server.base_url).complete("hi", Options(temperature=3))
    assert caught.value.parameter == "temperature"
    assert server.count() == 1


def test_what_the_user_set_as_extra_is_never_dropped() -> None:
    faults = [Fault("unsupported_parameter", parameters=("reasoning_effort",))]
    with FakeOpenAI(faults=faults) as server, pytest.raises(RequestRejectedError) as caught:
        OpenAIChat("m", base_url=server.base_url).complete("hi", Options(extra={"reasoning_effort": "low"}))
    assert caught.value.parameter == "reasoning_effort"


def test_tools_are_never_dropped() -> None:
    def handler(_: RecordedRequest) -> Response:
        words = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
        return error_response(400, words)

    with FakeOpenAI(routes={CHAT: handler}) as server, pytest.raises(RequestRejectedError) as caught:
        OpenAIChat("m", base_url=server.base_url).complete("hi", Options(tools=(NO_TOOL,)))
    assert caught.value.parameter == "tools"
    assert server.count() == 1


def test_a_refusal_that_goes_on_is_raised_and_nothing_is_learnt() -> None:
    def handler(_: RecordedRequest) -> Response:
        return error_response(400, "Unsupported parameter: 'seed'", param="seed", code="unsupported_parameter")

    with FakeOpenAI(routes={CHAT: handler}) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        for _ in range(2):
            with pytest.raises(RequestRejectedError):
                model.complete("hi", Options(seed=1))
    assert ["seed" in request.body for request in server.requests] == [True, False, True, False]


def test_a_reply_is_cut_here_where_the_server_does_not_know_stop_texts() -> None:
    faults = [Fault("unsupported_parameter", parameters=("stop",))]
    with FakeOpenAI(lambda body: Reply("one STOP two"), faults=faults) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        whole = model.complete("hi", Options(stop=("STOP",)))
        pieces = list(model.complete_stream("hi", Options(stop=("STOP",))))
    assert whole.text == "one "
    assert "".join(piece.text for piece in pieces) == "one "
    assert pieces[-1].completion is not None
    assert pieces[-1].completion.text == "one "


@given(st.lists(st.text("abS"), max_size=12), st.lists(st.text("abS", min_size=1, max_size=4), max_size=3))
@example(["ab"], ["abS", "b"])
@example(["a", "b", "S"], ["abS", "b"])
def test_cutting_in_pieces_is_cutting_the_whole(pieces: list[str], stops: list[str]) -> None:
    cutter = Cutter(stops)
    passed = "".join(cutter.take(piece) for piece in pieces) + cutter.rest()
    assert passed == cut_at("".join(pieces), stops)
