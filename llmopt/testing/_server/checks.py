"""What OpenAI refuses in a request with status 400, in its words where they are known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .instances import strict_problem
from .problems import Problem
from .replies import content_text
from .values import integer, is_array, is_object, mapping, sequence, text

__all__ = ["chat_problem", "embeddings_problem"]

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "n": (1, 128),
    "max_tokens": (1, 10**9),
    "max_completion_tokens": (1, 10**9),
    "top_logprobs": (0, 20),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
_MOST_INPUTS = 2048


def chat_problem(body: Mapping[str, object]) -> Problem | None:
    """Return what is wrong with the body of a chat request, or None."""
    return (
        _model_problem(body)
        or _messages_problem(body.get("messages"))
        or _range_problem(body)
        or _combination_problem(body)
        or _format_problem(body)
        or _tools_problem(sequence(body.get("tools")))
    )


def embeddings_problem(body: Mapping[str, object]) -> Problem | None:
    """Return what is wrong with the body of an embeddings request, or None."""
    given = body.get("input")
    inputs = sequence(given) if is_array(given) else [given]
    problem = _model_problem(body)
    if problem is None and (given is None or not inputs or "" in inputs or [] in inputs):
        problem = Problem(message="'$.input' is invalid: it is missing or has an empty text.", param="input")
    if problem is None and len(inputs) > _MOST_INPUTS and not isinstance(inputs[0], int):
        message = f"'$.input' is invalid: an array with at most {_MOST_INPUTS} items is expected."
        problem = Problem(message=message, param="input")
    if problem is None and "dimensions" in body and integer(body["dimensions"], 0) < 1:
        problem = Problem(message="'$.dimensions' is invalid: a minimum of 1 is expected.", param="dimensions")
    return problem


def _model_problem(body: Mapping[str, object]) -> Problem | None:
    if text(body.get("model")):
        return None
    return Problem(message="you must provide a model parameter")


def _messages_problem(given: object) -> Problem | None:
    if not is_array(given):
        code = "missing_required_parameter"
        return Problem(message="Missing required parameter: 'messages'.", param="messages", code=code)
    messages = [mapping(message) for message in sequence(given)]
    if not messages:
        message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array."
        return Problem(message=message, param="messages", code="empty_array")
    waiting: set[str] = set()
    for index, turn in enumerate(messages):
        role, place = turn.get("role"), f"messages[{index}]"
        if role not in _ROLES:
            found = f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'tool' ..."
            return Problem(message=found, param=f"{place}.role", code="invalid_value")
        problem = _turn_problem(turn, place, waiting)
        if problem is not None:
            return problem
    return _unanswered_problem(waiting, "messages") if waiting else None


def _turn_problem(message: Mapping[str, object], place: str, waiting: set[str]) -> Problem | None:
    """Check one turn against the tool calls that wait for their results, and keep account of those."""
    calls = [mapping(call) for call in sequence(message.get("tool_calls"))]
    if message.get("role") == "tool":
        name = text(message.get("tool_call_id"))
        if name in waiting:
            waiting.remove(name)
            return None
        found = (
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
        )
        return Problem(message=found, param=f"{place}.role")
    if waiting:
        return _unanswered_problem(waiting, place)
    if message.get("content") is None and not calls and message.get("refusal") is None:
        found = f"Invalid value for 'content': expected a string, got null ({place})."
        return Problem(message=found, param=f"{place}.content")
    waiting.update(text(call.get("id")) for call in calls)
    return None


def _unanswered_problem(waiting: set[str], place: str) -> Problem:
    message = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
        f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(sorted(waiting))}"
    )
    return Problem(message=message, param=place)


def _range_problem(body: Mapping[str, object]) -> Problem | None:
    for name, (low, high) in _RANGES.items():
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            message = f"Invalid type for '{name}': expected a number, but got {value!r} instead."
            return Problem(message=message, param=name, code="invalid_type")
        if not low <= value <= high:
            side, limit = ("below minimum", low) if value < low else ("above maximum", high)
            message = f"Invalid '{name}': {side} value. Expected a value within {limit}, but got {value} instead."
            code = "integer_below_min_value" if value < low else "integer_above_max_value"
            return Problem(message=message, param=name, code=code)
    return None


def _combination_problem(body: Mapping[str, object]) -> Problem | None:
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        return Problem(message=message, code="invalid_parameter_combination")
    if body.get("stream_options") is not None and body.get("stream") is not True:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return Problem(message=message, param="stream_options")
    if body.get("top_logprobs") is not None and body.get("logprobs") is not True:
        message = "'logprobs' must be set to true if 'top_logprobs' is used."
        return Problem(message=message, param="top_logprobs")
    if len(sequence(body.get("stop"))) > 4:
        message = "Invalid 'stop': array too long. Expected an array with maximum length 4."
        return Problem(message=message, param="stop", code="array_above_max_length")
    return None


def _format_problem(body: Mapping[str, object]) -> Problem | None:
    form = mapping(body.get("response_format"))
    if form.get("type") == "json_object":
        messages = (mapping(message) for message in sequence(body.get("messages")))
        if any("json" in content_text(message.get("content")).lower() for message in messages):
            return None
        found = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        return Problem(message=found, param="messages")
    if form.get("type") != "json_schema":
        return None
    wanted = mapping(form.get("json_schema"))
    return _named_schema_problem(wanted, "response_format", "json_schema", wanted.get("schema"))


def _tools_problem(tools: Sequence[object]) -> Problem | None:
    if len(tools) > 128:
        message = f"Invalid 'tools': array too long. Expected at most 128 items, but got {len(tools)}."
        return Problem(message=message, param="tools", code="array_above_max_length")
    for index, tool in enumerate(tools):
        if mapping(tool).get("type") == "function":
            function = mapping(mapping(tool).get("function"))
            schema = function.get("parameters", {"type": "object", "properties": {}, "additionalProperties": False})
            problem = _named_schema_problem(function, f"tools[{index}]", "function", schema)
            if problem is not None:
                return problem
    return None


def _named_schema_problem(owner: Mapping[str, object], place: str, kind: str, schema: object) -> Problem | None:
    name = text(owner.get("name"))
    if not _NAME.fullmatch(name):
        message = f"Invalid '{place}.{kind}.name': {name!r} does not match pattern '^[a-zA-Z0-9_-]{{1,64}}$'."
        return Problem(message=message, param=f"{place}.{kind}.name", code="invalid_value")
    param = f"{place}.{kind}.{'parameters' if kind == 'function' else 'schema'}"
    if not is_object(schema):
        message = f"Missing required parameter: '{param}'."
        return Problem(message=message, param=param, code="missing_required_parameter")
    found = strict_problem(mapping(schema)) if owner.get("strict") is True else None
    if found is None:
        return None
    message = f"Invalid schema for {kind} '{name}': {found}"
    code = "invalid_function_parameters" if kind == "function" else "invalid_json_schema"
    return Problem(message=message, param=param, code=code)
