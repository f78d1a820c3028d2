"""The wire: HTTP/1.1 as clients send it, in whatever pieces it comes."""

import asyncio
import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.testing._server.http import HttpRequest, RequestReader
from llmopt.testing.server import FakeOpenAI

BODY = '{"model": "m", "messages": [{"role": "user", "content": "Grüße"}]}'.encode()
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
PLAIN = POST + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
CHUNKED = (
    POST
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"%x;note=1\r\n%b\r\n" % (10, BODY[:10])
    + b"%x\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (len(BODY) - 10, BODY[10:])
)
EMPTY = b"GET /v1/models HTTP/1.1\r\n\r\n"
WIRE = PLAIN + EMPTY + CHUNKED + PLAIN


def read_all(pieces: Sequence[bytes]) -> list[HttpRequest]:
    reader = RequestReader()
    found: list[HttpRequest] = []
    for piece in pieces:
        reader.feed(piece)
        while (request := reader.next()) is not None:
            found.append(request)
    return found


def talk(server: FakeOpenAI, sent: Sequence[bytes], *, wait_for: bytes = b"") -> bytes:
    """Return all that the server says until it closes the connection.

    Args:
        server: To talk to.
        sent: The pieces to send.
        wait_for: What has to come after the first piece, before the others are sent; left out of the result.
    """

    async def exchange() -> bytes:
        host, _, port = server.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for piece in sent:
            writer.write(piece)
            await writer.drain()
            if piece is sent[0] and wait_for:
                assert await asyncio.wait_for(reader.readexactly(len(wait_for)), 10) == wait_for
        try:
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()

    return asyncio.run(exchange())


@given(st.lists(st.integers(0, len(WIRE)), max_size=12))
def test_requests_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(WIRE)]
    pieces = [WIRE[start:end] for start, end in pairwise(places)]
    found = read_all(pieces)
    assert [request.method for request in found] == ["POST", "GET", "POST", "POST"]
    assert [request.content for request in found] == [BODY, b"", BODY, BODY]
    assert found[0].headers["content-type"] == "application/json"


@given(st.binary(max_size=300))
def test_any_bytes_are_requests_or_an_error_or_wait_for_more(noise: bytes) -> None:
    try:
        found = read_all([noise])
    except ValueError:
        return
    assert all(request.target for request in found)


@pytest.mark.parametrize(
    ("first", "lines", "keep_alive"),
    [
        ("HTTP/1.1", b"", True),
        ("HTTP/1.1", b"Connection: close\r\n", False),
        ("HTTP/1.0", b"", False),
        ("HTTP/1.0", b"Connection: Keep-Alive\r\n", True),
    ],
)
def test_connections_stay_open_as_the_version_and_header_say(first: str, lines: bytes, keep_alive: bool) -> None:
    (request,) = read_all([f"GET / {first}\r\n".encode() + lines + b"\r\n"])
    assert request.keep_alive is keep_alive


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"GET /\r\n\r\n", "request line"),
        (b"GET / HTTP/2\r\n\r\n", "request line"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "not a header"),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "Content-Length"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunk"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", "chunk"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, "longer than"),
    ],
)
def test_what_is_not_http_gets_status_400_and_a_close(sent: bytes, message: str) -> None:
    with FakeOpenAI() as server:
        answer = talk(server, [sent])
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert message.encode() in answer
    assert server.count() == 0


def test_several_requests_in_one_piece_are_answered_in_their_order() -> None:
    closing = EMPTY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with FakeOpenAI() as server:
        answer = talk(server, [PLAIN + CHUNKED + EMPTY + closing])
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 4
    assert [request.path.rpartition("/")[2] for request in server.requests] == [
        "completions",
        "completions",
        "models",
        "models",
    ]
    assert server.max_in_flight_seen == 1


def test_a_client_that_waits_for_100_continue_gets_it_once() -> None:
    head = POST + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    with FakeOpenAI() as server:
        assert talk(server, [head, BODY[:5], BODY[5:]], wait_for=b"HTTP/1.1 100 Continue\r\n\r\n").startswith(
            b"HTTP/1.1 200 OK\r\n"
        )


def test_a_body_of_many_megabytes_arrives_whole() -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "ab" * 4_000_000}]}).encode()
    head = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    with FakeOpenAI(lambda body: "fine") as server:
        answer = talk(server, [head, body])
    assert b'"fine"' in answer
    assert server.requests[0].content == body


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff", b"3", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    head = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    with FakeOpenAI() as server:
        answer = talk(server, [head, body])
    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["type"] == "invalid_request_error"


def test_listens_on_loopback_only() -> None:
    with FakeOpenAI() as server:
        assert server.base_url.startswith("http://127.0.0.1:")
        assert server.base_url.endswith("/v1")
