from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._tokens import estimate_tokens
from llmopt._trace import record
from llmopt.errors import ContextOverflowError, ModelOutputError, ModelUnavailableError, RateLimitError, UsageError
from llmopt.models import OpenAIEmbedder
from llmopt.models.openai.rows import batches
from llmopt.models.pricing import Price
from llmopt.testing.server import FakeOpenAI, Fault, RecordedRequest, Response, bag_of_words, error_response
from llmopt.types import Usage

PATH = ("POST", "/v1/embeddings")
TEXTS = ["a cat", "two dogs", "rain", "多维"]


def expected(texts: Sequence[str], dimensions: int = 64) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array([bag_of_words(text, dimensions) for text in texts], np.float32)


def answering(*data: object) -> dict[tuple[str, str], Callable[[RecordedRequest], Response]]:
    """Routes of a server that always answers these rows."""
    content = json.dumps({"data": data}).encode()
    return {PATH: lambda _: Response(content=content)}


@pytest.mark.parametrize("encoding", ["base64", "float", None])
@pytest.mark.parametrize("only_float", [False, True])
def test_rows_come_whatever_the_encoding(encoding: str | None, only_float: bool) -> None:
    with FakeOpenAI(only_float=only_float) as server:
        embedder = OpenAIEmbedder("m", base_url=server.base_url, encoding_format=encoding)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        rows = embedder.encode(TEXTS, kind="document")
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected(TEXTS), atol=1e-6)


def test_rows_are_sorted_by_their_index() -> None:
    with FakeOpenAI(shuffle_rows=True) as server:
        rows = OpenAIEmbedder("m", base_url=server.base_url).encode(TEXTS, kind="document")
    np.testing.assert_allclose(rows, expected(TEXTS), atol=1e-6)


def test_servers_other_than_openai_are_asked_for_floats() -> None:
    with FakeOpenAI() as server:
        OpenAIEmbedder("m", base_url=server.base_url).encode(["a"], kind="query")
    assert server.requests[0].body == {"model": "m", "input": ["a"], "encoding_format": "float"}


def test_a_server_that_refuses_the_encoding_is_asked_without_from_then_on() -> None:
    def handler(request: RecordedRequest) -> Response:
        if "encoding_format" in request.body:
            return error_response(400, "Unrecognized request argument supplied: encoding_format")
        return Response(content=b'{"data": [{"index": 0, "embedding": [0.6, 0.8]}]}')

    with FakeOpenAI(routes={PATH: handler}) as server:
        embedder = OpenAIEmbedder("m", base_url=server.base_url)
        for _ in range(2):
            np.testing.assert_allclose(embedder.encode(["a"], kind="query"), [[0.6, 0.8]])
        assert server.count() == 3


def test_dimensions_are_asked_for() -> None:
    with FakeOpenAI() as server:
        rows = OpenAIEmbedder("m", dimensions=16, base_url=server.base_url).encode(TEXTS, kind="document")
    assert rows.shape == (4, 16)


def test_a_server_that_ignores_the_dimensions_is_found_out() -> None:
    routes = answering({"index": 0, "embedding": [1.0, 0.0, 0.0]})
    with FakeOpenAI(routes=routes) as server, pytest.raises(ModelOutputError, match="dimensions"):
        OpenAIEmbedder("m", dimensions=2, base_url=server.base_url).encode(["a"], kind="document")


def test_empty_texts_are_not_sent_and_have_zero_rows() -> None:
    with FakeOpenAI() as server:
        rows = OpenAIEmbedder("m", base_url=server.base_url).encode(["", "a", "", "b"], kind="document")
    assert server.requests[0].body["input"] == ["a", "b"]
    assert np.flatnonzero(~rows.any(axis=1)).tolist() == [0, 2]
    np.testing.assert_allclose(rows[[1, 3]], expected(["a", "b"]), atol=1e-6)


def test_nothing_but_empty_texts_still_have_rows_of_the_models_length() -> None:
    with FakeOpenAI(dimensions=24) as server:
        embedder = OpenAIEmbedder("m", base_url=server.base_url)
        for _ in range(2):
            assert embedder.encode(["", ""], kind="document").shape == (2, 24)
        assert server.count() == 1
        assert OpenAIEmbedder("m", dimensions=9, base_url=server.base_url).encode([""], kind="query").shape == (1, 9)
        assert server.count() == 1


def test_no_texts_are_no_request() -> None:
    with FakeOpenAI() as server:
        assert OpenAIEmbedder("m", base_url=server.base_url).encode([], kind="document").shape == (0, 0)
        assert server.count() == 0


def test_prefixes_tell_queries_from_documents() -> None:
    with FakeOpenAI() as server:
        embedder = OpenAIEmbedder("m", base_url=server.base_url, query_prefix="query: ", document_prefix="passage: ")
        embedder.encode(["a"], kind="query")
        embedder.encode(["a", ""], kind="document")
    assert [request.body["input"] for request in server.requests] == [["query: a"], ["passage: a"]]


def test_many_texts_go_in_batches_side_by_side() -> None:
    texts = [f"text {number}" for number in range(5000)]
    with FakeOpenAI(latency=0.1, dimensions=8) as server:
        rows = OpenAIEmbedder("m", base_url=server.base_url).encode(texts, kind="document")
        assert server.count() == 3
        assert server.max_in_flight_seen == 3
    np.testing.assert_allclose(rows, expected(texts, 8), atol=1e-6)


def test_no_more_batches_are_in_flight_than_allowed() -> None:
    with FakeOpenAI(latency=0.02, dimensions=8) as server:
        embedder = OpenAIEmbedder("m", base_url=server.base_url, concurrency=2)
        embedder.encode(["word " * 20_000] * 30, kind="document")
        assert server.max_in_flight_seen == 2


@given(st.lists(st.integers(0, 3000), max_size=40), st.sampled_from(["", "query: "]))
def test_batches_hold_every_text_that_is_not_empty_once_and_in_order(lengths: list[int], prefix: str) -> None:
    texts = ["word " * length for length in lengths]
    made = list(batches(texts, prefix))
    assert [place for batch in made for place in batch.places] == [i for i, text in enumerate(texts) if text]
    assert [text for batch in made for text in batch.texts] == [prefix + text for text in texts if text]
    assert all(len(batch.texts) == 1 or sum(map(estimate_tokens, batch.texts)) <= 150_000 for batch in made)


def test_a_batch_has_at_most_2048_texts() -> None:
    assert [len(batch.texts) for batch in batches(["a"] * 5000, "")] == [2048, 2048, 904]


def test_what_it_costs_is_in_the_trace() -> None:
    with FakeOpenAI() as server, record("test", "test") as recorder:
        OpenAIEmbedder("m", base_url=server.base_url, prices=Price(1.0, 0.0)).encode(["12345678"] * 3, kind="document")
    assert recorder.usage == Usage(6, 0, 0, 1)
    assert recorder.cost == pytest.approx(6e-6)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([{"index": 0, "embedding": [1.0]}], "2 vectors were asked for, 1 came"),
        ([{"index": 0, "embedding": [1.0]}] * 2, "taken"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 2, "embedding": [1.0]}], "not from 0 to 1"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}], "different lengths"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [float("nan")]}], "vector 1 holds NaN"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": "!"}], "cannot be read|not a list"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": None}], "not a list of numbers"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": ["x"]}], "cannot be read"),
    ],
)
def test_rows_that_are_wrong_are_an_error(data: list[object], words: str) -> None:
    with FakeOpenAI(routes=answering(*data)) as server, pytest.raises(ModelOutputError, match=words):
        OpenAIEmbedder("m", base_url=server.base_url).encode(["a", "b"], kind="document")


def test_a_reply_without_rows_may_be_better_the_next_time() -> None:
    with FakeOpenAI(routes=answering()) as server, pytest.raises(ModelUnavailableError) as caught:
        OpenAIEmbedder("m", base_url=server.base_url).encode(["a"], kind="document")
    assert caught.value.retryable


def test_failures_have_the_errors_of_chat_models() -> None:
    with FakeOpenAI(faults=[Fault("rate_limit", retry_after=3)]) as server, pytest.raises(RateLimitError) as caught:
        OpenAIEmbedder("m", base_url=server.base_url).encode(["a"], kind="document")
    assert caught.value.retry_after == 3
    assert "OpenAIEmbedder('m')" in str(caught.value)
    words = "This model's maximum context length is 8192 tokens, however you requested 9000 tokens."
    with (
        FakeOpenAI(routes={PATH: lambda _: error_response(400, words)}) as server,
        pytest.raises(ContextOverflowError),
    ):
        OpenAIEmbedder("m", base_url=server.base_url).encode(["a"], kind="document")


def test_half_a_surrogate_pair_is_a_mistake_of_the_caller() -> None:
    with FakeOpenAI() as server, pytest.raises(UsageError, match="surrogates"):
        OpenAIEmbedder("m", base_url=server.base_url).encode(["\ud83d"], kind="document")
