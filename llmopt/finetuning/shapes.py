"""The shapes in which chats are written, told apart and turned into examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias, cast

from ..errors import SampleError
from ..types import Example, Message
from .raw import Record, as_list, as_record, as_text, content_text
from .sharegpt import sharegpt_messages, turns_of_pairs
from .turns import message_of, messages_of, tools_of

__all__ = ["Shape", "example_of", "shape_of"]

Shape: TypeAlias = Literal[
    "chat", "preference", "chosen_rejected", "prompt_completion", "alpaca", "question_answer", "sharegpt", "gemini",
    "pairs", "unknown",
]  # fmt: skip

_ANSWERS: Mapping[str, Shape] = {
    "completion": "prompt_completion",
    "response": "prompt_completion",
    "answer": "question_answer",
    "output": "alpaca",
}
_BY_KEYS: Sequence[tuple[Callable[[Record], bool], Shape]] = (
    (lambda record: "preferred_output" in record and isinstance(record.get("input"), dict), "preference"),
    (lambda record: "messages" in record, "chat"),
    (lambda record: ("chosen" in record and "rejected" in record) or "chosen_messages" in record, "chosen_rejected"),
    (lambda record: isinstance(record.get("contents"), list), "gemini"),
    (lambda record: isinstance(record.get("conversations"), list), "sharegpt"),
    (lambda record: isinstance(record.get("conversation"), list), "pairs"),
)
_QUESTIONS = ("prompt", "instruction", "question", "query", "input")


def shape_of(record: Record) -> Shape:
    """Return the shape that a record has, by its keys; `unknown` for one that none of the readers knows."""
    for is_it, shape in _BY_KEYS:
        if is_it(record):
            return shape
    if any(isinstance(record.get(key), str) for key in _QUESTIONS):
        for key, shape in _ANSWERS.items():
            if isinstance(record.get(key), str):
                return shape
    return "unknown"


def example_of(record: Record) -> Example:
    """Return the example that a record of any known shape holds.

    Raises:
        SampleError: When its shape is not known, a turn cannot be read, or the chat has no answer.
    """
    shape = shape_of(record)
    reader = _READERS.get(shape)
    if reader is None:
        keys = ", ".join(sorted(map(str, record))) or "none"
        raise SampleError(
            f"this record has none of the known shapes (chat, preference, prompt and completion, Alpaca, ShareGPT, "
            f'Gemini); its keys are: {keys}. Make it {{"messages": [...]}}'
        )
    example = reader(record)
    if not example.messages or example.messages[-1].role != "assistant":
        last = example.messages[-1].role if example.messages else "nothing"
        raise SampleError(f"the chat ends with {last} and not with an assistant turn, so there is no answer to learn")
    return example


def _group(record: Record) -> str:
    group = record.get("group")
    return str(group) if isinstance(group, str | int) else ""


def _chat(record: Record) -> Example:
    messages = messages_of(record["messages"])
    system = as_text(record.get("system"))
    if system and not any(message.role in {"system", "developer"} for message in messages):
        messages.insert(0, Message("system", system))  # Anthropic's shape
    return Example(tuple(messages), tools=tools_of(record.get("tools")), group=_group(record))


def _preference(record: Record) -> Example:
    given = as_record(record["input"])
    preferred = messages_of(record.get("preferred_output"))
    rejected = messages_of(record.get("non_preferred_output"))
    if len(preferred) != 1 or len(rejected) != 1:
        raise SampleError(f"a preference pair has one turn on each side, got {len(preferred)} and {len(rejected)}")
    messages = (*messages_of(given.get("messages")), preferred[0])
    return Example(messages, rejected[0], tools_of(given.get("tools")), _group(record))


def _chosen_rejected(record: Record) -> Example:
    chosen = _side(record.get("chosen", record.get("chosen_messages")))
    rejected = _side(record.get("rejected", record.get("rejected_messages")))
    if not chosen or not rejected:
        raise SampleError("a preference pair needs a turn in `chosen` and one in `rejected`")
    before = chosen[:-1]
    if not before and "conversations" in record:
        before = sharegpt_messages(record)
    elif not before and record.get("prompt"):
        prompt = record["prompt"]
        before = [Message("user", prompt)] if isinstance(prompt, str) else messages_of(prompt)
    return Example((*before, chosen[-1]), rejected[-1], tools_of(record.get("tools")), _group(record))


def _side(value: object) -> list[Message]:
    if isinstance(value, list):
        return messages_of(as_list(cast(object, value)))
    if isinstance(value, dict):
        return [message_of(as_record(cast(object, value)))]
    return [Message("assistant", value)] if isinstance(value, str) and value else []


def _question_and_answer(record: Record) -> Example:
    question = next(as_text(record[key]) for key in _QUESTIONS if isinstance(record.get(key), str))
    answer = next(as_text(record[key]) for key in _ANSWERS if isinstance(record.get(key), str))
    if shape_of(record) == "alpaca" and "instruction" in record and as_text(record.get("input")).strip():
        question = f"{question}\n\n{as_text(record['input'])}"
    messages = [Message("user", question.strip()), Message("assistant", answer.strip())]
    for pair in reversed(as_list(record.get("history"))):
        earlier = [as_text(text) for text in as_list(pair)]
        if len(earlier) == 2:
            messages[:0] = [Message("user", earlier[0]), Message("assistant", earlier[1])]
    if system := as_text(record.get("system")):
        messages.insert(0, Message("system", system))
    return Example(tuple(messages), group=_group(record))


def _sharegpt(record: Record) -> Example:
    return Example(tuple(sharegpt_messages(record)), tools=tools_of(record.get("tools")), group=_group(record))


def _pairs(record: Record) -> Example:
    return Example(tuple(turns_of_pairs(record)), group=_group(record))


def _gemini(record: Record) -> Example:
    messages: list[Message] = []
    system = record.get("systemInstruction", record.get("system_instruction"))
    if text := _gemini_text(as_record(system)) or as_text(system):
        messages.append(Message("system", text))
    for turn in map(as_record, as_list(record["contents"])):
        role = as_text(turn.get("role")) or "user"
        if role not in {"user", "model"}:
            raise SampleError(f"a Gemini turn is of `user` or `model`, got the role {role!r}")
        messages.append(Message("assistant" if role == "model" else "user", _gemini_text(turn)))
    return Example(tuple(messages), group=_group(record))


def _gemini_text(turn: Record) -> str:
    parts = [as_record(part) for part in as_list(turn.get("parts"))]
    if any(not isinstance(part.get("text"), str) for part in parts):
        raise SampleError("a Gemini turn holds something other than text (a file, a function call): convert it first")
    return content_text(turn.get("parts"))


_READERS: Mapping[Shape, Callable[[Record], Example]] = {
    "chat": _chat,
    "preference": _preference,
    "chosen_rejected": _chosen_rejected,
    "prompt_completion": _question_and_answer,
    "question_answer": _question_and_answer,
    "alpaca": _question_and_answer,
    "sharegpt": _sharegpt,
    "pairs": _pairs,
    "gemini": _gemini,
}
