"""Examples: every shape is read, what is written is read back, faults name their line."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import SampleError, StorageError, UsageError
from llmopt.finetuning import example_record, read_examples, shape_of, write_examples
from llmopt.finetuning.shapes import example_of
from llmopt.types import Example, Message, ToolCall, ToolSpec

CHAT = Example((Message("user", "hi"), Message("assistant", "hello")))
PAIR = Example(CHAT.messages, rejected=Message("assistant", "go away"))
SHAPES: Mapping[str, Mapping[str, object]] = {
    "chat": {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]},
    "prompt_completion": {"prompt": "hi", "completion": " hello\n"},
    "question_answer": {"question": "hi", "answer": "hello"},
    "alpaca": {"instruction": "hi", "input": "", "output": "hello"},
    "sharegpt": {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]},
    "pairs": {"conversation": [{"human": "hi", "assistant": "hello"}]},
    "gemini": {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": "hello"}]}]
    },
}
PAIRS: Mapping[str, Mapping[str, object]] = {
    "preference": {
        "input": {"messages": [{"role": "user", "content": "hi"}]},
        "preferred_output": [{"role": "assistant", "content": "hello"}],
        "non_preferred_output": [{"role": "assistant", "content": "go away"}],
    },
    "chosen_rejected": {"prompt": "hi", "chosen": "hello", "rejected": "go away"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_chat_of_any_shape_becomes_the_same_example(shape: str) -> None:
    assert shape_of(SHAPES[shape]) == shape
    assert example_of(SHAPES[shape]) == CHAT


@pytest.mark.parametrize("shape", PAIRS)
def test_a_preference_pair_of_any_shape_becomes_the_same_example(shape: str) -> None:
    assert shape_of(PAIRS[shape]) == shape
    assert example_of(PAIRS[shape]) == PAIR


def test_sharegpt_calls_and_results_are_joined_by_an_id() -> None:
    turns = [("human", "2 + 2?"), ("function_call", '{"name": "add", "arguments": {"a": 2, "b": 2}}')]
    turns += [("observation", "4"), ("gpt", "four")]
    record = {"conversations": [{"from": speaker, "value": value} for speaker, value in turns]}
    messages = example_of(record).messages
    assert messages[1].tool_calls[0].name == "add"
    assert json.loads(messages[1].tool_calls[0].arguments) == {"a": 2, "b": 2}
    assert messages[2].tool_call_id == messages[1].tool_calls[0].id


def test_an_alpaca_input_stands_below_its_instruction_and_the_history_before() -> None:
    record = {"instruction": "Add", "input": "2 2", "output": "4", "system": "Be short", "history": [["hi", "hello"]]}
    texts = [(message.role, message.content) for message in example_of(record).messages]
    assert texts == [
        ("system", "Be short"),
        ("user", "hi"),
        ("assistant", "hello"),
        ("user", "Add\n\n2 2"),
        ("assistant", "4"),
    ]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


LINE = json.dumps(SHAPES["chat"])


@pytest.mark.parametrize(
    "text",
    [
        f"{LINE}\n{LINE}\n",
        f"{LINE}\r\n\r\n{LINE}\r\n",
        f"\ufeff{LINE}\n{LINE}",
        f"[{LINE}, {LINE}]",
        json.dumps([SHAPES["chat"]] * 2, indent=2),
        "\n".join([json.dumps(SHAPES["chat"], indent=2)] * 2),
        f"{LINE}\n{LINE}\n".encode("utf-16"),
    ],
    ids=["jsonl", "crlf and blank", "bom", "array", "indented array", "indented objects", "utf-16"],
)
def test_files_in_other_forms_than_jsonl_are_read(tmp_path: Path, text: str | bytes) -> None:
    assert read_examples(write(tmp_path / "data.jsonl", text)) == [CHAT, CHAT]


@pytest.mark.parametrize(
    "bad",
    ['{"messages": [}', '{"text": "only text"}', '{"messages": [{"role": "user", "content": "hi"}]}', "3 3"],
    ids=["broken", "unknown shape", "no answer", "not an object"],
)
def test_a_fault_names_its_line(tmp_path: Path, bad: str) -> None:
    path = write(tmp_path / "data.jsonl", f"{LINE}\n" * 36 + bad + "\n" + LINE)
    with pytest.raises(SampleError, match="line 37"):
        read_examples(path)


def test_an_empty_file_and_a_missing_one_are_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="empty"):
        read_examples(write(tmp_path / "empty.jsonl", "\n"))
    with pytest.raises(StorageError, match="cannot read"):
        read_examples(tmp_path / "absent.jsonl")


def test_a_record_larger_than_a_chunk_is_read(tmp_path: Path) -> None:
    long = {"prompt": "x" * 3_000_000, "completion": "y"}
    path = write(tmp_path / "data.jsonl", f"{json.dumps(long)}\n{LINE}\n")
    assert [len(example.messages[0].content) for example in read_examples(path)] == [3_000_000, 2]


def test_chats_and_pairs_do_not_mix_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="mixes"):
        write_examples(tmp_path / "data.jsonl", [CHAT, PAIR])
    assert list(tmp_path.iterdir()) == []


def test_an_example_without_an_answer_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="last turn"):
        example_record(Example((Message("user", "hi"),)))


def test_a_file_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        write_examples(tmp_path / "no folder" / "data.jsonl", [CHAT])


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
tools = st.builds(ToolSpec, texts, st.text("ab"), st.just({"type": "object", "properties": {}}))
calls = st.builds(ToolCall, texts, texts, st.just("{}"))
questions = st.builds(Message, st.sampled_from(["system", "developer", "user"]), texts)
answers = st.builds(Message, st.just("assistant"), texts, st.lists(calls, max_size=2).map(tuple))
results = st.builds(Message, st.just("tool"), texts, st.just(()), texts)
chats = st.tuples(st.lists(questions | answers | results, max_size=3), answers).map(lambda parts: (*parts[0], parts[1]))


@given(st.lists(st.builds(Example, chats, st.none() | answers, st.lists(tools, max_size=2).map(tuple)), max_size=1))
def test_what_is_written_is_read_back(examples: list[Example]) -> None:
    assert [example_of(json.loads(json.dumps(example_record(example)))) for example in examples] == examples
