"""Token counts: the recipe's check vector, the model table, the estimate, and no network ever."""

from __future__ import annotations

import hashlib
import itertools
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._tokens import (
    TokenCount,
    count_messages,
    count_tokens,
    encoding_name,
    estimate_tokens,
    safe_blocks,
    vocabulary,
)
from llmopt.types import Message, ToolCall

VOCABULARIES = Path(__file__).parents[2] / "shared" / "tiktoken"
O200K_FILE = "fb374d419588a4632f3f557e76b4b70aebbca790"
PIECES = [
    "it's",
    "word",
    "WORD",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "12345",
    ".",
    "!?",
    "。",
    "中文字",
    "，",
    "_",
    "é",
    "é",
    "don't",
    "'",
    "😀",
    "\u3000",
    "/",
    "\r\n",
    "x=1;",
    "“",
    "’s",
]
COOKBOOK: list[dict[str, object]] = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates corporate jargon "
        "into plain English.",
    },
    {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
    {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth to touch base on opportunities "
        "for increased leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    },
]


@pytest.fixture
def with_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    if not VOCABULARIES.is_dir():
        pytest.skip("../shared/tiktoken is not here")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(VOCABULARIES))


@pytest.fixture
def without_vocabulary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))


@pytest.mark.usefixtures("with_vocabulary")
@pytest.mark.parametrize(("model", "count"), [("gpt-4", 129), ("gpt-4o", 124), (None, 124)])
def test_the_published_sample_of_the_counting_recipe_comes_out(model: str | None, count: int) -> None:
    assert count_messages(COOKBOOK, model) == TokenCount(count, exact=True)


@pytest.mark.usefixtures("with_vocabulary")
def test_our_messages_count_like_dictionaries() -> None:
    ours = [Message("system", "Be brief."), Message("user", "你好")]
    theirs = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "你好"}]
    assert count_messages(ours) == count_messages(theirs)


@pytest.mark.usefixtures("with_vocabulary")
def test_tool_calls_count_by_their_text_and_are_not_exact() -> None:
    plain = count_messages([Message("assistant", "")])
    called = count_messages([Message("assistant", "", (ToolCall("call_1", "search", '{"query": "cats"}'),))])
    assert called.count == plain.count + count_tokens("search").count + count_tokens('{"query": "cats"}').count
    assert plain.exact
    assert not called.exact


@pytest.mark.usefixtures("with_vocabulary")
def test_an_image_in_a_message_does_not_count_as_text() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}}
    parts = [{"type": "text", "text": "What is it?"}, image]
    assert count_messages([{"role": "user", "content": parts}]).count < 20


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o-mini", ("o200k_base", True)),
        ("ft:gpt-4.1-mini-2025-04-14:acme::Ab1", ("o200k_base", True)),
        ("ft:gpt-3.5-turbo:acme", ("cl100k_base", True)),
        ("gpt-4.5-preview", ("o200k_base", True)),
        ("gpt-5.2", ("o200k_base", True)),
        ("gpt-6-luna", ("o200k_base", True)),
        ("openai/gpt-6-luna", ("o200k_base", True)),
        ("chatgpt-4o-latest", ("o200k_base", True)),
        ("gpt-oss-20b", ("o200k_base", True)),
        ("o3-mini", ("o200k_base", True)),
        ("gpt-4", ("cl100k_base", True)),
        ("gpt-4-0613", ("cl100k_base", True)),
        ("gpt-4-turbo", ("cl100k_base", True)),
        ("gpt-35-turbo", ("cl100k_base", True)),
        ("text-embedding-3-small", ("cl100k_base", True)),
        ("llama-3.3-70b", ("o200k_base", False)),
        ("olmo-2", ("o200k_base", False)),
        ("", ("o200k_base", False)),
        (None, ("o200k_base", True)),
    ],
)
def test_every_model_has_a_vocabulary(model: str | None, expected: tuple[str, bool]) -> None:
    assert encoding_name(model) == expected


@pytest.mark.usefixtures("with_vocabulary")
def test_a_count_for_an_unknown_model_is_flagged() -> None:
    assert count_tokens("one two three", "llama-3.3-70b") == TokenCount(3, exact=False)


@pytest.mark.usefixtures("with_vocabulary")
def test_text_that_looks_like_a_special_token_is_counted_as_text() -> None:
    assert count_tokens("<|endoftext|>").count > 1


@pytest.mark.usefixtures("with_vocabulary")
def test_a_million_spaces_do_not_crash() -> None:
    assert 5_000 < count_tokens(" " * 1_000_000).count < 12_000


@pytest.mark.usefixtures("with_vocabulary")
@given(
    words=st.lists(st.sampled_from(PIECES), min_size=20, max_size=60),
    model=st.sampled_from(["gpt-4", "gpt-4o"]),
)
def test_safe_places_do_not_change_the_tokens(words: list[str], model: str) -> None:
    from llmopt._tokens import _SAFE  # pyright: ignore[reportPrivateUsage]

    text = "".join(words)
    encoding = vocabulary(model)
    assert encoding is not None
    places = [0, *(match.end() for match in _SAFE.finditer(text)), len(text)]
    parts = [encoding.encode_ordinary(text[a:b]) for a, b in itertools.pairwise(places)]
    assert [token for part in parts for token in part] == encoding.encode_ordinary(text)


@given(st.text(alphabet="ab \n中。", max_size=50), st.integers(1, 8_000))
def test_blocks_make_up_the_text(unit: str, repeats: int) -> None:
    text = unit * repeats
    blocks = list(safe_blocks(text))
    assert "".join(text[start:end] for start, end in blocks) == text
    assert all(end - start <= 1 << 20 for start, end in blocks)


@pytest.mark.usefixtures("without_vocabulary")
def test_without_the_vocabulary_the_count_is_an_estimate_and_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = dict(os.environ)
    assert count_tokens("Where is the cat?") == TokenCount(estimate_tokens("Where is the cat?"), exact=False)
    assert os.environ == before


def test_a_damaged_vocabulary_is_left_alone_and_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / O200K_FILE).write_bytes(b"IQ== 0\n")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert vocabulary() is None
    assert (tmp_path / O200K_FILE).read_bytes() == b"IQ== 0\n"


def test_a_disabled_cache_means_no_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert vocabulary() is None


def test_the_file_names_are_those_of_tiktoken() -> None:
    from llmopt._tokens import _FILES  # pyright: ignore[reportPrivateUsage]

    for name, (file, _) in _FILES.items():
        url = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
        assert hashlib.sha1(url.encode()).hexdigest() == file


@given(st.text(st.characters(), max_size=200), st.text(st.characters(), max_size=200))
def test_the_estimate_grows_with_the_text_by_its_parts(first: str, second: str) -> None:
    whole = estimate_tokens(first + second)
    assert max(estimate_tokens(first), estimate_tokens(second)) <= whole
    assert whole <= estimate_tokens(first) + estimate_tokens(second)


@pytest.mark.usefixtures("with_vocabulary")
@pytest.mark.parametrize(
    "text",
    [
        "A retriever finds the passages that answer a question, and the model reads them before it answers. " * 5,
        "检索器找到能够回答问题的段落，模型在回答之前先阅读这些段落。如果没有找到，就应当说不知道。" * 5,
        "def count(words: list[str]) -> dict[str, int]:\n    return {word: words.count(word) for word in words}\n" * 5,
    ],
    ids=["english", "chinese", "code"],
)
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4"])
def test_the_estimate_is_near_the_count(text: str, model: str) -> None:
    count = count_tokens(text, model).count
    assert 0.75 * count <= estimate_tokens(text, encoding_name(model)[0]) <= 1.4 * count


@pytest.mark.parametrize("model", [None, "gpt-4"])
def test_no_text_is_no_tokens(model: str | None) -> None:
    assert count_tokens("", model).count == 0


def test_a_lone_surrogate_is_counted() -> None:
    assert count_tokens("a\ud800b").count >= 1
