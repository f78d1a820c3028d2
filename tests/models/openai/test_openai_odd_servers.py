"""Servers that speak HTTP in ways of their own, and what a program sees of the connections behind its back."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socketserver
import threading
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress

import pytest

from llmopt.errors import CredentialsError, ModelUnavailableError, RequestRejectedError, UsageError
from llmopt.models import OpenAIChat
from llmopt.testing.server import FakeOpenAI

REPLY = json.dumps({"choices": [{"message": {"content": "hi, 猫"}}]}, ensure_ascii=False)
KEY = "sk-proj-" + "abcdefghij" * 15


def written(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
        + body
    )


@contextmanager
def saying(reply: bytes, *, idle: float = 60.0) -> Generator[str]:
    """Yield the address of a server that gives every request this reply, and hangs up after idle seconds."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = idle

        def handle(self) -> None:
            with suppress(OSError):
                length = 0
                while line := self.rfile.readline().lower():
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                    elif line == b"\r\n":
                        self.rfile.read(length)
                        self.wfile.write(reply)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_is_read_in_any_encoding_that_it_may_have(encoding: str) -> None:
    with saying(written(REPLY.encode(encoding))) as url:
        assert OpenAIChat("m", base_url=url).complete("hi").text == "hi, 猫"


def test_json_too_deep_to_be_read_is_a_reply_that_cannot_be_read() -> None:
    with saying(written(b"[" * 100_000)) as url, pytest.raises(ModelUnavailableError, match="cannot be read"):
        OpenAIChat("m", base_url=url).complete("hi")


def test_a_redirect_that_leads_nowhere_is_no_reply() -> None:
    with saying(written(REPLY.encode(), "302 Found")) as url, pytest.raises(RequestRejectedError, match="302"):
        OpenAIChat("m", base_url=url).complete("hi")


def test_a_long_header_is_read() -> None:
    with saying(written(REPLY.encode(), headers=f"Content-Security-Policy: {'a' * 20_000}\r\n")) as url:
        assert OpenAIChat("m", base_url=url).complete("hi").text == "hi, 猫"


def test_a_large_request_warns_of_nothing() -> None:
    with saying(written(REPLY.encode())) as url, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert OpenAIChat("m", base_url=url).complete("x" * 2_000_000).text == "hi, 猫"


def test_a_connection_that_the_server_closed_while_the_loop_was_busy_is_not_used_again() -> None:
    async def twice(url: str) -> str:
        model = OpenAIChat("m", base_url=url)
        await model.acomplete("hi")
        time.sleep(0.1)
        return (await model.acomplete("hi")).text

    with saying(written(REPLY.encode()), idle=0.02) as url:
        assert asyncio.run(twice(url)) == "hi, 猫"


def test_a_key_that_is_cut_off_is_not_shown_either() -> None:
    refusal = written(json.dumps({"error": {"message": f"{'x' * 330} {KEY}"}}).encode(), "401 Unauthorized")
    with saying(refusal) as url, pytest.raises(CredentialsError) as caught:
        OpenAIChat("m", base_url=url, api_key=KEY).complete("hi")
    assert KEY[:13] not in f"{caught.value} {caught.value.__cause__}"
    assert "xxx ***" in str(caught.value)


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://localhost:99999/v1", "http://a..b/v1"])
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="full address"):
        OpenAIChat("m", base_url=url).complete("hi")


def test_a_password_in_an_address_that_cannot_be_one_is_not_shown() -> None:
    with pytest.raises(UsageError, match="full address") as caught:
        OpenAIChat("m", base_url="http://user:geheim@localhost:99999/v1").complete("hi")
    assert "geheim" not in str(caught.value)


def test_an_organization_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(UsageError, match="organization"):
        OpenAIChat("m", base_url="http://127.0.0.1:9/v1", organization="org\r\nX-Other: 1").complete("hi")


def test_white_space_around_an_organization_does_not_count() -> None:
    with FakeOpenAI() as server:
        OpenAIChat("m", base_url=server.base_url, organization="org-1\n").complete("hi")
    assert server.requests[0].headers["openai-organization"] == "org-1"


def test_a_loop_that_ends_with_its_model_leaves_nothing_undone(caplog: pytest.LogCaptureFixture) -> None:
    async def work(base_url: str) -> None:
        model = OpenAIChat("m", base_url=base_url)
        await asyncio.gather(*(model.acomplete("hi") for _ in range(3)))

    with FakeOpenAI() as server, caplog.at_level(logging.WARNING):
        asyncio.run(work(server.base_url))
        asyncio.run(OpenAIChat("m", base_url=server.base_url).acomplete("hi"))
        gc.collect()
    assert not caplog.records


def test_a_loop_that_is_closed_without_ceremony_is_not_complained_of(caplog: pytest.LogCaptureFixture) -> None:
    with FakeOpenAI() as server, caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # its sockets are closed when they are collected
        model = OpenAIChat("m", base_url=server.base_url)
        for _ in range(2):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(model.acomplete("hi"))
            loop.close()
        del model
        gc.collect()
    assert not caplog.records
