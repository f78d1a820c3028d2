from __future__ import annotations

import asyncio
import copy
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt._trace import record, spend
from llmopt.errors import ContractError, ModelUnavailableError, StorageError, UsageError
from llmopt.interfaces import ChatModel, Embedder
from llmopt.models.openai.chat import OpenAIChat
from llmopt.models.wrappers.budget import Budget
from llmopt.models.wrappers.budgeted import Budgeted
from llmopt.models.wrappers.cached import Cached
from llmopt.models.wrappers.cached_embedder import CachedEmbedder
from llmopt.models.wrappers.completion_json import from_json, to_json
from llmopt.models.wrappers.limited import Limited
from llmopt.models.wrappers.request_key import chat_key, text_keys
from llmopt.models.wrappers.retrying import Retrying
from llmopt.models.wrappers.vector_bytes import Embedded, from_bytes, to_bytes
from llmopt.models.wrappers.wrapping import closing
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.types import (
    Completion,
    Delta,
    Finish,
    JsonSchema,
    Matrix,
    Message,
    Options,
    TextKind,
    TokenChance,
    ToolCall,
    ToolSpec,
    Usage,
)

BRIEF = settings(max_examples=100, deadline=None)
TEXT = st.text(max_size=5) | st.sampled_from(["", "\ud800", "é", "e\u0301", "1", "null"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2).map(lambda x: x + 0.0) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
CALLS = st.lists(st.builds(ToolCall, TEXT, TEXT, TEXT), max_size=2)
MESSAGES = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant", "tool"]), TEXT, CALLS, st.none() | TEXT),
    min_size=1,
    max_size=3,
)
OPTIONS = st.builds(
    Options,
    temperature=st.none() | st.sampled_from([0, 0.0, 1, 1.0, 0.5]),
    top_p=st.none() | st.sampled_from([1, 1.0, 0.1]),
    max_tokens=st.none() | st.integers(1, 3),
    seed=st.none() | st.integers(0, 2),
    stop=st.lists(TEXT, max_size=2).map(tuple),
    schema=st.none() | st.builds(JsonSchema, TEXT, OBJECT),
    tools=st.lists(st.builds(ToolSpec, TEXT, TEXT, OBJECT), max_size=2).map(tuple),
    tool_choice=st.sampled_from([None, "auto", "none"]),
    top_logprobs=st.none() | st.integers(0, 2),
    replicate=st.integers(0, 2),
    timeout=st.none() | st.floats(1, 5),
    extra=OBJECT,
)


@dataclass(repr=False, eq=False)
class Named(ChatModel):
    """A model with a parameter, that counts what it is asked."""

    model: str = "m"
    seconds: float = 0.0
    sent: int = field(init=False, default=0)

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        self.sent += 1
        await asyncio.sleep(self.seconds)
        return Completion(f"reply {self.sent}", Usage(10, 5, calls=1), cost=0.5, seconds=1.25, model=self.model)

    def price(self, usage: Usage) -> float | None:
        return 0.75


def wire(value: object) -> object:
    """Return a form that is equal exactly when the JSON that is sent is: 1, 1.0 and true differ."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value).items()
        return ("mapping", tuple(sorted(((key, wire(item)) for key, item in pairs), key=lambda pair: pair[0])))
    if isinstance(value, list | tuple):
        return ("list", tuple(wire(item) for item in cast("Sequence[object]", value)))
    if isinstance(value, ToolCall | ToolSpec | JsonSchema | Message):
        return ("fields", tuple(wire(getattr(value, item.name)) for item in fields(value)))
    return type(value).__name__, value


def request(messages: Sequence[Message], options: Options) -> object:
    asked: dict[str, Any] = {
        item.name: getattr(options, item.name) for item in fields(options) if item.name != "timeout"
    }
    for name in ("temperature", "top_p"):
        asked[name] = None if asked[name] is None else float(asked[name])
    return wire(list(messages)), wire(asked)


@BRIEF
@given(first=st.tuples(MESSAGES, OPTIONS), second=st.tuples(MESSAGES, OPTIONS))
def test_two_requests_share_a_key_exactly_when_they_are_equal(
    first: tuple[list[Message], Options], second: tuple[list[Message], Options]
) -> None:
    model = Named()
    same_key = chat_key(model, *first) == chat_key(model, *second)
    assert same_key == (request(*first) == request(*second))


@BRIEF
@given(start=st.tuples(MESSAGES, OPTIONS), other=st.tuples(MESSAGES, OPTIONS), data=st.data())
def test_a_request_with_one_field_changed_shares_the_key_only_if_the_field_is_equal(
    start: tuple[list[Message], Options], other: tuple[list[Message], Options], data: st.DataObject
) -> None:
    messages, options = start
    name = data.draw(st.sampled_from([item.name for item in fields(Options)]))
    changed = replace(options, **{name: getattr(other[1], name)})
    same_key = chat_key(Named(), messages, options) == chat_key(Named(), messages, changed)
    assert same_key == (request(messages, options) == request(messages, changed))
    part = data.draw(st.sampled_from([item.name for item in fields(Message)]))
    altered = [replace(messages[0], **{part: getattr(other[0][0], part)}), *messages[1:]]
    same_key = chat_key(Named(), messages, options) == chat_key(Named(), altered, options)
    assert same_key == (request(messages, options) == request(altered, options))


def turned(value: object) -> object:
    """Return an equal value in another guise: keys in another order, tuples for lists, read-only mappings."""
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return MappingProxyType({key: turned(item) for key, item in reversed(list(pairs))})
    if isinstance(value, list):
        return tuple(turned(item) for item in cast("list[object]", value))
    return value


@BRIEF
@given(messages=MESSAGES, options=OPTIONS)
def test_the_guise_of_a_request_and_its_timeout_do_not_count(messages: list[Message], options: Options) -> None:
    other = tuple(replace(message, tool_calls=tuple(message.tool_calls)) for message in messages)
    extra = cast("Mapping[str, object]", turned(options.extra))
    key = chat_key(Named(), messages, options)
    assert chat_key(Named(), other, replace(options, extra=extra, timeout=77.0)) == key


def test_the_model_and_its_parameters_count_and_wrappers_and_their_limits_do_not() -> None:
    messages, options = [Message("user", "hi")], Options()
    key = chat_key(Named(), messages, options)
    assert chat_key(Named("other"), messages, options) != key
    assert chat_key(FakeModel(), messages, options) != key
    wrapped = Budgeted(Retrying(Limited(Named(), concurrency=2), attempts=3), Budget(calls=7))
    assert chat_key(wrapped, messages, options) == key


def test_a_key_is_the_same_in_every_process() -> None:
    code = (
        "from llmopt.models.wrappers.request_key import chat_key; from llmopt.testing import FakeModel; "
        "from llmopt.types import Message, Options; "
        "print(chat_key(FakeModel(), [Message('user', 'hi')], Options(extra={'b': 1, 'a': 2})).hex())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == 64


@pytest.mark.parametrize("extra", [{"x": {1, 2}}, {"x": object()}, {"x": b"bytes"}, {"x": {1: "a", "b": 2}}])
def test_a_request_that_has_no_json_form_is_refused(extra: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="JSON"):
        chat_key(Named(), [Message("user", "hi")], Options(extra=extra))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.0005)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "replies.db"


def test_a_second_equal_request_is_answered_from_the_file(path: Path) -> None:
    inner = Named()
    model = Cached(inner, path)
    first, second = model.complete("hi"), model.complete("hi")
    assert not first.cached
    assert second == replace(first, cached=True)
    assert (second.cost, second.seconds, second.usage) == (0.5, 1.25, Usage(10, 5, calls=1))
    assert inner.sent == 1
    assert model.complete("hi", Options(replicate=1)).text == "reply 2"
    assert model.price(Usage()) == 0.75


def test_another_object_of_equal_parameters_finds_the_replies(path: Path) -> None:
    Cached(Named(), path).complete("hi")
    other = Named()
    assert Cached(Retrying(other), path).complete("hi").cached
    assert not Cached(Named("other"), path).complete("hi").cached


def test_in_the_trace_a_hit_costs_and_is_not_paid(path: Path) -> None:
    model = Cached(Named(), path)
    model.complete("hi")
    with record("test", "test") as recorder:
        model.complete("hi")
    assert recorder.usage == Usage(10, 5, calls=1)
    assert (recorder.cost, recorder.paid) == (0.5, 0.0)
    assert [child.name for child in recorder.children] == ["model"]
    assert recorder.children[0].children == []


CHANCES = st.builds(
    TokenChance, TEXT, st.floats(-50, 0) | st.just(float("-inf")), st.dictionaries(TEXT, st.floats(-50, 0))
)
COMPLETIONS = st.builds(
    Completion,
    TEXT,
    st.builds(Usage, *[st.integers(0, 9)] * 4),
    st.sampled_from(["stop", "length", "tool_calls"]),
    CALLS.map(tuple),
    st.lists(CHANCES, max_size=2).map(tuple),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 1),
    model=TEXT,
    notes=st.lists(TEXT, max_size=2).map(tuple),
)


@BRIEF
@given(completion=COMPLETIONS)
def test_a_reply_comes_back_from_json_as_it_was(completion: Completion) -> None:
    assert from_json(to_json(completion)) == replace(completion, cached=True)


def test_lists_and_mappings_of_any_kind_are_kept() -> None:
    chance = TokenChance("a", -1.0, MappingProxyType({"b": -2.0}))
    kept = from_json(to_json(Completion("a", logprobs=[chance], notes=["n"], tool_calls=[ToolCall("1", "f", "{}")])))
    assert kept.logprobs == (TokenChance("a", -1.0, {"b": -2.0}),)
    assert (kept.notes, kept.tool_calls) == (("n",), (ToolCall("1", "f", "{}"),))


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"text": "x", "usage": 1}', b'{"text": "x", "odd": 1}', b"\xff"])
def test_json_that_is_no_reply_is_told(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(text)


@pytest.mark.parametrize(
    ("finish", "text", "calls", "kept"),
    [
        ("stop", "text", (), True),
        ("stop", " \n", (), False),
        ("tool_calls", "", (ToolCall("1", "look", "{}"),), True),
        ("length", "half a repl", (), False),
        ("content_filter", "something", (), False),
        ("refusal", "I will not", (), False),
    ],
)
def test_only_usable_replies_are_kept(
    path: Path, finish: Finish, text: str, calls: tuple[ToolCall, ...], kept: bool
) -> None:
    model = Cached(FakeModel(Completion(text, finish=finish, tool_calls=calls)), path)
    assert [model.complete("hi").cached for _ in range(2)] == [False, kept]


def test_errors_are_not_kept(path: Path) -> None:
    model = Cached(FakeModel("ok", script=[ModelUnavailableError("down")]), path)
    with pytest.raises(ModelUnavailableError):
        model.complete("hi")
    assert not model.complete("hi").cached
    assert model.complete("hi").cached


def test_equal_requests_at_the_same_time_are_sent_once(path: Path) -> None:
    inner = Named(seconds=0.02)
    models = [Cached(inner, path), Cached(Retrying(inner), str(path))]

    async def main() -> list[Completion]:
        return await asyncio.gather(*(models[number % 2].acomplete("hi") for number in range(20)))

    replies = asyncio.run(main())
    assert inner.sent == 1
    assert [reply.cached for reply in replies].count(False) == 1
    assert {reply.text for reply in replies} == {"reply 1"}


def test_equal_requests_of_several_threads_are_sent_once(path: Path) -> None:
    inner = Named(seconds=0.05)
    model = Cached(inner, path)
    replies: list[Completion] = []

    def ask() -> None:
        replies.append(asyncio.run(model.acomplete("hi")))

    def ask_without_a_loop() -> None:
        replies.append(model.complete("hi"))

    threads = [threading.Thread(target=target) for target in (ask, ask, ask_without_a_loop, ask_without_a_loop)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert inner.sent == 1
    assert [reply.cached for reply in replies].count(False) == 1


def test_who_waits_for_a_request_that_fails_hears_of_it(path: Path) -> None:
    class Failing(ChatModel):
        async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
            await asyncio.sleep(0.01)
            raise ModelUnavailableError("down")

    model = Cached(Failing(), path)

    async def main() -> list[object]:
        return await asyncio.gather(*(model.acomplete("hi") for _ in range(3)), return_exceptions=True)

    assert [type(outcome) for outcome in asyncio.run(main())] == [ModelUnavailableError] * 3


def test_when_the_first_is_cancelled_the_next_sends(path: Path) -> None:
    inner = Named(seconds=0.15)
    model = Cached(inner, path)

    async def main() -> list[Completion]:
        first = asyncio.create_task(model.acomplete("hi"))
        await until(lambda: inner.sent == 1)
        others = [asyncio.create_task(model.acomplete("hi")) for _ in range(2)]
        await asyncio.sleep(0.002)
        first.cancel()
        return await asyncio.gather(*others)

    replies = asyncio.run(main())
    assert sorted(reply.cached for reply in replies) == [False, True]
    assert inner.sent == 2


def test_a_wait_that_is_cancelled_disturbs_nobody(path: Path) -> None:
    inner = Named(seconds=0.15)
    model = Cached(inner, path)

    async def main() -> list[Completion]:
        first = asyncio.create_task(model.acomplete("hi"))
        await until(lambda: inner.sent == 1)
        impatient, patient = [asyncio.create_task(model.acomplete("hi")) for _ in range(2)]
        await asyncio.sleep(0.002)
        impatient.cancel()
        return [await first, await patient]

    assert [reply.cached for reply in asyncio.run(main())] == [False, True]
    assert inner.sent == 1


@dataclass(repr=False, eq=False)
class Streaming(ChatModel):
    fails: bool = False
    sent: int = field(init=False, default=0)

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        raise NotImplementedError

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        self.sent += 1
        yield Delta("one ")
        await asyncio.sleep(0.001)
        if self.fails:
            raise ModelUnavailableError("broken off")
        yield Delta("two", Completion("one two", Usage(5, 2, calls=1), cost=0.5))


async def streamed(model: ChatModel) -> list[Delta]:
    return [delta async for delta in model.stream([Message("user", "hi")], Options())]


def test_a_stream_is_kept_and_comes_in_one_piece_the_next_time(path: Path) -> None:
    inner = Streaming()
    model = Cached(inner, path)
    assert [delta.text for delta in model.complete_stream("hi")] == ["one ", "two"]
    (delta,) = model.complete_stream("hi")
    assert delta == Delta("one two", Completion("one two", Usage(5, 2, calls=1), cost=0.5, cached=True))
    assert model.complete("hi").cached
    assert inner.sent == 1


def test_equal_streams_at_the_same_time_are_sent_once(path: Path) -> None:
    inner = Streaming()
    model = Cached(inner, path)

    async def main() -> list[list[Delta]]:
        return await asyncio.gather(*(streamed(model) for _ in range(3)))

    texts = sorted([delta.text for delta in deltas] for deltas in asyncio.run(main()))
    assert texts == [["one ", "two"], ["one two"], ["one two"]]
    assert inner.sent == 1


def test_a_stream_that_breaks_or_is_left_is_not_kept(path: Path) -> None:
    with pytest.raises(ModelUnavailableError):
        asyncio.run(streamed(Cached(Streaming(fails=True), path)))
    inner = Streaming()
    model = Cached(inner, path)

    async def main() -> list[Delta]:
        async with closing(model.stream([Message("user", "hi")], Options())) as deltas:
            await anext(deltas)
            waiting = asyncio.create_task(streamed(model))
            await asyncio.sleep(0)
        return await waiting

    assert [delta.text for delta in asyncio.run(main())] == ["one ", "two"]
    assert inner.sent == 2


def test_a_reply_that_cannot_be_written_is_returned_with_a_note_and_the_next_call_is_not_sent(path: Path) -> None:
    code = f"""
import resource
from llmopt.errors import StorageError
from llmopt.models.wrappers.cached import Cached
from llmopt.testing import FakeModel
inner = FakeModel("word " * 40_000)
model = Cached(inner, {str(path)!r})
model.complete("before")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
paid = model.complete("a")
assert "not kept in the cache" in paid.notes[0], paid.notes
try:
    model.complete("b")
except StorageError:
    assert len(inner.requests) == 2
else:
    raise SystemExit("sent although nothing can be kept")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert model.complete("a").cached
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_file_that_holds_something_else_is_told(path: Path) -> None:
    model = Cached(Named(), path)
    messages = [Message("user", "hi")]

    async def main() -> None:
        store = await model._store.get(path)  # pyright: ignore[reportPrivateUsage]
        await store.write({chat_key(model, messages, Options()): json.dumps(["no reply"]).encode()})

    asyncio.run(main())
    with pytest.raises(StorageError, match="delete it"):
        model.complete(messages)


def test_wrapping_twice_around_one_file_does_not_wait_for_itself(path: Path) -> None:
    inner, rows = Named(), Rows()
    model = Cached(Retrying(Cached(inner, str(path))), path)
    embedder = CachedEmbedder(CachedEmbedder(rows, path), path)
    streams = Cached(Cached(Streaming(), path), path)

    async def main() -> list[bool]:
        await embedder.aencode(["a"], kind="query")
        assert len(await streamed(streams)) == 2
        return [(await model.acomplete("hi")).cached for _ in range(2)]

    assert asyncio.run(asyncio.wait_for(main(), 10)) == [False, True]
    assert Cached(Cached(inner, path), path.with_name("other.db")).complete("hi").cached


def test_copies_pickles_and_parameters(path: Path) -> None:
    model = Cached(Named(), path)
    model.complete("hi")
    assert model.params() == {"inner": model.inner, "path": path}
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), replace(model)):
        assert twin.fingerprint() == model.fingerprint()
        assert twin.complete("hi").cached


@dataclass(repr=False, eq=False)
class Rows(Embedder):
    """Counts what it is asked and notes what it took."""

    size: int = 3
    seconds: float = 0.0
    requests: list[list[str]] = field(init=False, default_factory=list[list[str]])
    failures: list[Exception] = field(init=False, default_factory=list[Exception])

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        self.requests.append(list(texts))
        await asyncio.sleep(self.seconds)
        if self.failures:
            raise self.failures.pop()
        spend(Usage(input_tokens=10 * len(texts), calls=1), 0.5 * len(texts))
        return np.array([[len(text), ord(text[0]) if text else 0, 1][: self.size] for text in texts], np.float32)

    def price(self, usage: Usage) -> float | None:
        return 0.75


def test_only_new_texts_are_embedded_each_once_in_one_batch(path: Path) -> None:
    inner = Rows()
    embedder = CachedEmbedder(inner, path)
    first = embedder.encode(["a", "bb", "a"], kind="document")
    second = embedder.encode(["bb", "ccc", "d", "ccc", "a"], kind="document")
    assert inner.requests == [["a", "bb"], ["ccc", "d"]]
    assert np.array_equal(second[[4, 0]], first[:2])
    assert np.array_equal(second, Rows().encode(["bb", "ccc", "d", "ccc", "a"], kind="document"))
    embedder.encode(["a"], kind="query")
    assert inner.requests[2:] == [["a"]]
    assert embedder.price(Usage()) == 0.75


@settings(max_examples=30, deadline=None)
@given(batches=st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), max_size=6))
def test_concurrent_batches_get_the_right_rows_and_send_every_text_once(batches: list[list[str]]) -> None:
    import tempfile

    inner = Rows(seconds=0.001)
    with tempfile.TemporaryDirectory() as folder:
        embedder = CachedEmbedder(inner, Path(folder) / "vectors.db")

        async def main() -> list[Matrix]:
            return await asyncio.gather(*(embedder.aencode(batch, kind="query") for batch in batches))

        for batch, rows in zip(batches, asyncio.run(main()), strict=True):
            assert np.array_equal(rows, Rows().encode(batch, kind="query"))
    sent = [text for request in inner.requests for text in request]
    assert sorted(sent) == sorted({text for batch in batches for text in batch})


def test_a_batch_that_waits_for_one_that_fails_hears_of_it_and_the_next_one_sends(path: Path) -> None:
    inner = Rows(seconds=0.01)
    inner.failures.append(ModelUnavailableError("down"))
    embedder = CachedEmbedder(inner, path)

    async def main() -> list[object]:
        calls = (embedder.aencode(batch, kind="query") for batch in (["a", "b"], ["b"]))
        return await asyncio.gather(*calls, return_exceptions=True)

    assert [type(outcome) for outcome in asyncio.run(main())] == [ModelUnavailableError] * 2
    assert embedder.encode(["b"], kind="query").shape == (1, 3)


def test_when_the_first_batch_is_cancelled_the_next_sends(path: Path) -> None:
    inner = Rows(seconds=0.15)
    embedder = CachedEmbedder(inner, path)

    async def main() -> Matrix:
        first = asyncio.create_task(embedder.aencode(["a", "b"], kind="query"))
        await until(lambda: len(inner.requests) == 1)
        second = asyncio.create_task(embedder.aencode(["b", "c"], kind="query"))
        await until(lambda: len(inner.requests) == 2)
        first.cancel()
        return await second

    assert asyncio.run(main()).shape == (2, 3)
    assert inner.requests == [["a", "b"], ["c"], ["b"]]


def test_in_the_trace_kept_vectors_count_with_their_share_as_cached(path: Path) -> None:
    embedder = CachedEmbedder(Rows(), path)
    with record("test", "test") as first:
        embedder.encode(["aaa", "b"], kind="document")
    with record("test", "test") as second:
        embedder.encode(["aaa", "b"], kind="document")
    assert (first.usage.input_tokens, first.cost, first.paid) == (20, 1.0, 1.0)
    assert second.cost == pytest.approx(1.0)
    assert (second.usage.input_tokens, second.paid) == (20, 0.0)


class Learner(FakeEmbedder):
    def write_state(self, folder: Path) -> None:
        (folder / "vocabulary").write_text("learnt")


def test_an_embedder_that_has_learnt_something_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="Learner learns from a corpus"):
        CachedEmbedder(Learner(), path).encode(["a"], kind="query")


@dataclass(repr=False, eq=False)
class Wrong(Embedder):
    rows: Matrix

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        return self.rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.ones((3, 2), np.float32), "must return 2 rows"),
        (np.ones(2, np.float32), "must return 2 rows"),
        (np.array([[1], [np.nan]], np.float32), "NaN"),
    ],
)
def test_wrong_rows_are_told_and_not_kept(path: Path, rows: Matrix, words: str) -> None:
    embedder = CachedEmbedder(Wrong(rows), path)
    for _ in range(2):
        with pytest.raises(ContractError, match=words):
            embedder.encode(["a", "b"], kind="query")


def test_vectors_of_two_sizes_under_one_name_are_told(path: Path) -> None:
    class Shrinking(Rows):
        async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
            return (await super().embed(texts, kind))[:, : 4 - len(self.requests)]

    embedder = CachedEmbedder(Shrinking(), path)
    embedder.encode(["a"], kind="query")
    with pytest.raises(ContractError, match=r"vectors of \[2, 3\] numbers"):
        embedder.encode(["a", "b"], kind="query")


def test_no_texts_have_no_rows(path: Path) -> None:
    assert CachedEmbedder(Rows(), path).encode([], kind="query").shape[0] == 0


@BRIEF
@given(
    numbers=st.lists(st.floats(width=32, allow_nan=False), max_size=20),
    tokens=st.floats(0, 1e6),
    cost=st.none() | st.floats(0, 10),
)
def test_a_vector_comes_back_from_bytes_as_it_was(numbers: list[float], tokens: float, cost: float | None) -> None:
    vector = np.array(numbers, np.float32)
    back = from_bytes(to_bytes(Embedded(vector, tokens, cost)))
    assert np.array_equal(back.vector, vector)
    assert (back.tokens, back.cost) == (tokens, cost)


@pytest.mark.parametrize("data", [b"", b"short", bytes(16 + 3)])
def test_bytes_that_are_no_vector_are_told(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_bytes(data)


def test_texts_have_keys_of_their_own_per_kind_and_embedder() -> None:
    keys = {
        *text_keys(FakeEmbedder(8), ["a", "b"], "query"),
        *text_keys(FakeEmbedder(8), ["a", "b"], "document"),
        *text_keys(FakeEmbedder(9), ["a", "b"], "query"),
    }
    assert len(keys) == 6


def test_a_chat_model_and_an_embedder_may_share_a_file(path: Path) -> None:
    model, embedder = Cached(Named(), path), CachedEmbedder(Rows(), path)
    model.complete("hi")
    embedder.encode(["hi"], kind="query")
    assert model.complete("hi").cached
    assert embedder.encode(["hi"], kind="query").shape == (1, 3)


def test_two_servers_that_the_environment_names_in_turn_do_not_share_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    model = OpenAIChat("any")
    plain = model.fingerprint()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    first = model.fingerprint()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:2/v1")
    assert len({plain, first, model.fingerprint()}) == 3
    assert model.fingerprint() == OpenAIChat("any", base_url="http://127.0.0.1:2/v1").fingerprint()
