"""What a server has been found not to take, and what is sent instead: no table of models' names.

A refusal that names a parameter as unsupported makes a quirk, a short text; `adapt` knows what each means
for a request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...types import JsonSchema, Options
from .reports import Report
from .schema import asked_in_words, schema_name
from .values import as_mapping, as_sequence, as_text

__all__ = ["OLD_LIMIT", "adapt", "named_parameter", "quirk_of"]

OLD_LIMIT = "max_tokens"
"""The quirk of servers that know the token limit by its old name only."""

_NO_SCHEMA = "json_schema"
_NO_FORMAT = "response_format"
_ROLES: Mapping[str, str] = {"developer": "system", "system": "user"}
_DROPPED = (
    "temperature",
    "top_p",
    "seed",
    "stop",
    "logprobs",
    "top_logprobs",
    "stream_options",
    "tool_choice",
    "encoding_format",
)
_CODES = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"})
_UNSUPPORTED = re.compile(
    r"unsupported|(?:not|n't)\s+(?:\w+\s+)?support|unrecogni[sz]ed|unavailable|extra[ _](?:input|field|forbidden)|"
    r"(?:unknown|unexpected|additional)\s+(?:name|parameter|field|argument|key|propert|role)|"
    r"not\s+(?:\w+\s+)?(?:permitted|allowed|available|implemented)",
    re.IGNORECASE,
)
_ROLE_PLACE = re.compile(r"messages\[(\d+)\]\.role")
_NEVER_NAMED = frozenset({"messages", "model", "stream", "input"})


def adapt(body: dict[str, object], options: Options, quirks: frozenset[str]) -> tuple[str, ...]:
    """Change a request's body to what the server takes, and return what was changed."""
    notes = [_renamed_limit(body)] if OLD_LIMIT in quirks else []
    notes += [_dropped(body, name) for name in _DROPPED if name in quirks]
    notes += [_renamed_role(body, role, other) for role, other in _ROLES.items() if f"role {role}" in quirks]
    notes.append(_loosened(body, options, quirks))
    return tuple(note for note in notes if note)


def _renamed_limit(body: dict[str, object]) -> str:
    if "max_completion_tokens" not in body:
        return ""
    body["max_tokens"] = body.pop("max_completion_tokens")
    return "sent the token limit as max_tokens, its older name"


def _dropped(body: dict[str, object], name: str) -> str:
    if name not in body:
        return ""
    del body[name]
    if name == "logprobs":
        body.pop("top_logprobs", None)
    instead = "; the reply is cut at the stop texts here" if name == "stop" else ""
    return f"dropped {name}, which the server does not support{instead}"


def _renamed_role(body: dict[str, object], role: str, other: str) -> str:
    turns = [as_mapping(turn) for turn in as_sequence(body["messages"])]
    if not any(turn.get("role") == role for turn in turns):
        return ""
    body["messages"] = [{**turn, "role": other} if turn.get("role") == role else turn for turn in turns]
    return f"sent the messages of role {role} as {other}"


def _loosened(body: dict[str, object], options: Options, quirks: frozenset[str]) -> str:
    if options.schema is None or "response_format" not in body:
        return ""
    bare = _NO_FORMAT in quirks
    if not bare and quirks.isdisjoint((_NO_SCHEMA, f"{_NO_SCHEMA} {schema_name(options.schema)}")):
        return ""
    body["messages"] = asked_in_words(as_sequence(body["messages"]), options.schema)
    if bare:
        del body["response_format"]
    else:
        body["response_format"] = {"type": "json_object"}
    return "asked for the JSON schema in words, because the server does not take it"


def named_parameter(report: Report, body: Mapping[str, object]) -> str:
    """Return which parameter of the body a refusal is about, or an empty text.

    The provider's own field counts first; else the one that its words name first.
    """
    root = re.split(r"[.\[]", report.parameter)[0]
    if root in body:
        return root
    found: list[tuple[int, str]] = []
    for name in body.keys() - _NEVER_NAMED:
        pattern = re.escape(name.removesuffix("s")).replace("_", "[_ ]")
        match = re.search(rf"\b{pattern}s?\b", report.words, re.IGNORECASE)
        if match is not None:
            found.append((match.start(), name))
    return min(found, default=(0, ""))[1]


def quirk_of(report: Report, body: Mapping[str, object], options: Options) -> str:
    """Return the quirk that a refusal shows, or an empty text if the request itself was wrong.

    Args:
        report: The refusal.
        body: The request's JSON.
        options: The request's options; what the user set as `extra` is not touched.
    """
    if not _is_about_the_request(report):
        return ""
    unsupported = report.code in _CODES or _UNSUPPORTED.search(report.words) is not None
    role = _refused_role(report, body) if unsupported else ""
    if role:
        return f"role {role}"
    name = named_parameter(report, body)
    if name in options.extra:
        return ""
    if name == "response_format" and options.schema is not None:
        return _format_quirk(body, options.schema, unsupported)
    if name == "max_completion_tokens" and unsupported:
        return OLD_LIMIT
    return name if unsupported and name in _DROPPED else ""


def _is_about_the_request(report: Report) -> bool:
    if report.trouble != "refused" or report.status is None:
        return False
    # Some servers call it an internal error; others have internal errors in words that happen to fit.
    return report.status in {400, 422} or (report.status in {500, 501} and "support" in report.words.lower())


def _format_quirk(body: Mapping[str, object], schema: JsonSchema, unsupported: bool) -> str:
    if as_mapping(body["response_format"]).get("type") != "json_schema":
        return _NO_FORMAT
    # A schema that the provider calls wrong says nothing about others.
    return _NO_SCHEMA if unsupported else f"{_NO_SCHEMA} {schema_name(schema)}"


def _refused_role(report: Report, body: Mapping[str, object]) -> str:
    """Return the role that the server does not take, where the refusal is about one."""
    turns = [as_mapping(turn) for turn in as_sequence(body.get("messages"))]
    place = _ROLE_PLACE.fullmatch(report.parameter)
    if place is not None and int(place.group(1)) < len(turns):
        role = as_text(turns[int(place.group(1))].get("role"))
        return role if role in _ROLES else ""
    used = {turn.get("role") for turn in turns}
    words = report.words.lower()
    return next((role for role in _ROLES if role in used and role in words and "role" in words), "")
