"""Examples from files of any usual shape, and to the files that providers take."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from ..errors import SampleError, StorageError, UsageError
from ..types import Example
from .lines import stream_records
from .raw import as_record
from .shapes import example_of
from .turns import message_record, tool_record

__all__ = ["example_record", "iterate_examples", "read_examples", "write_examples"]


def iterate_examples(path: str | Path) -> Iterator[Example]:
    r"""Yield the examples of a file one by one, in bounded memory.

    Args:
        path: JSONL, a JSON array, or objects over several lines, of chats (`messages`), preference pairs,
            prompt and completion, Alpaca, ShareGPT or Gemini records; shapes may be mixed.

    Raises:
        SampleError: When a record is no example; the message names the line.
        StorageError: When the file cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "data.jsonl"
        >>> _ = path.write_text('{"instruction": "Say hi", "input": "", "output": "hi"}\n')
        >>> [[message.content for message in example.messages] for example in iterate_examples(path)]
        [['Say hi', 'hi']]
    """
    path = Path(path)
    for line, value in stream_records(path):
        if not isinstance(value, dict):
            raise SampleError(f"{path} line {line}: an example is a JSON object, got {type(value).__name__}")
        try:
            yield example_of(as_record(cast(object, value)))
        except SampleError as error:
            raise SampleError(f"{path} line {line}: {error}") from error


def read_examples(path: str | Path) -> list[Example]:
    """Return the examples of a file; see `iterate_examples` for the shapes and the errors.

    Raises:
        SampleError: When a record is no example, or the file holds none.
        StorageError: When the file cannot be read.
    """
    examples = list(iterate_examples(path))
    if not examples:
        raise SampleError(f"{path} holds no example: the file is empty")
    return examples


def example_record(example: Example) -> dict[str, object]:
    """Return an example as a line of a fine-tuning file: OpenAI's chat form, or its preference (DPO) form.

    Raises:
        UsageError: When the last turn is not the assistant's.
    """
    if not example.messages or example.messages[-1].role != "assistant":
        raise UsageError("the last turn of an example must be the assistant's: it is what the model learns")
    turns = [message_record(message) for message in example.messages]
    if example.rejected is None:
        chat: dict[str, object] = {"messages": turns}
        if example.tools:
            chat["tools"] = tool_record(example.tools)
        return chat
    given: dict[str, object] = {"messages": turns[:-1]}
    if example.tools:
        given["tools"] = tool_record(example.tools)
    rejected = message_record(example.rejected)
    return {"input": given, "preferred_output": turns[-1:], "non_preferred_output": [rejected]}


def write_examples(path: str | Path, examples: Iterable[Example]) -> int:
    """Write a fine-tuning file, whole or not at all, and return how many examples it has.

    Chats become OpenAI's chat JSONL, preference pairs its DPO JSONL; the two do not mix.

    Raises:
        UsageError: When chats and pairs are mixed, or an example does not end with the assistant's turn.
        StorageError: When the file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex}.tmp")
    try:
        try:
            count = _write_lines(temporary, examples)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, UnicodeEncodeError) as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    return count


def _write_lines(path: Path, examples: Iterable[Example]) -> int:
    count = 0
    pairs: bool | None = None
    with path.open("x", encoding="utf-8", newline="\n") as file:
        for count, example in enumerate(examples, start=1):
            if pairs is not None and pairs != (example.rejected is not None):
                raise UsageError(f"example {count} mixes chats with preference pairs: write two files")
            pairs = example.rejected is not None
            file.write(json.dumps(example_record(example), ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return count
