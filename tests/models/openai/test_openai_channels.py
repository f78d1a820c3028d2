from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import warnings
from importlib.util import find_spec

import pytest

from llmopt.errors import CredentialsError, MissingExtraError, UsageError
from llmopt.models import OpenAIChat
from llmopt.models.openai.channel import Channel
from llmopt.models.openai.channels import Channels
from llmopt.models.openai.connection import Connection
from llmopt.testing.server import FakeOpenAI

LOCAL = "http://localhost:8000/v1"


def test_one_channel_serves_one_loop() -> None:
    async def both(channels: Channels) -> bool:
        return await channels.get(Connection(LOCAL)) is await channels.get(Connection(LOCAL))

    assert asyncio.run(both(Channels()))


def test_every_loop_has_a_channel_of_its_own() -> None:
    channels, found = Channels(), list[object]()

    async def one() -> None:
        found.append(await channels.get(Connection(LOCAL)))

    def work() -> None:
        asyncio.run(one())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(one())
    assert len({id(channel) for channel in found}) == len(found) == 5


def is_closed(channel: Channel) -> bool:
    return channel.client.is_closed() and (channel.direct is None or channel.direct.session.closed)


def test_a_channel_is_closed_with_its_loop() -> None:
    channels = Channels()

    async def opened() -> Channel:
        channel = await channels.get(Connection(LOCAL))
        assert not is_closed(channel)
        return channel

    assert is_closed(asyncio.run(opened()))


def test_a_channel_is_closed_with_the_component() -> None:
    async def use_and_drop(base_url: str) -> bool:
        model = OpenAIChat("m", base_url=base_url)
        await model.acomplete("hi")
        channel = await model._channels.get(model._connection())  # pyright: ignore[reportPrivateUsage]
        assert not is_closed(channel)
        del model
        gc.collect()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if is_closed(channel):
                return True
        return False

    with FakeOpenAI() as server:
        assert asyncio.run(use_and_drop(server.base_url))


def test_changed_settings_open_another_channel() -> None:
    async def change(base_url: str) -> tuple[str, str]:
        model = OpenAIChat("m", base_url="http://127.0.0.1:9/v1")
        first = await model._channels.get(model._connection())  # pyright: ignore[reportPrivateUsage]
        model.base_url = base_url
        return str(first.client.base_url), (await model.acomplete("hi")).text

    with FakeOpenAI() as server:
        assert asyncio.run(change(server.base_url)) == ("http://127.0.0.1:9/v1/", "hi")


def test_no_connection_is_left_open_behind_a_finished_loop() -> None:
    with FakeOpenAI() as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            asyncio.run(OpenAIChat("m", base_url=server.base_url).acomplete("hi"))
            gc.collect()


def test_a_process_that_ends_leaves_no_warning_behind_and_takes_the_openai_package_in_only_where_it_needs_it() -> None:
    with FakeOpenAI() as server:
        code = (
            "import sys\n"
            "from llmopt.models import OpenAIChat\n"
            f"model = OpenAIChat('m', base_url={server.base_url!r})\n"
            "print(model.complete('hi').text, 'openai' in sys.modules)\n"
        )
        ended = subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", "-c", code], capture_output=True, text=True, check=True
        )
    assert (ended.stdout, ended.stderr) == (f"hi {find_spec('aiohttp') is None}\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_connections_of_its_own() -> None:
    with FakeOpenAI(lambda body: str(os.getpid())) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        model.complete("parent")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of forks with threads, and that is what is tested
            child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if model.complete("child").text else 1
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert model.complete("parent again").text


def test_a_model_that_has_worked_can_be_copied_and_pickled() -> None:
    with FakeOpenAI() as server:
        model = OpenAIChat("m", base_url=server.base_url)
        model.complete("hi")
        for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert again.params() == model.params()
            assert again.complete("hi").text == "hi"


def test_a_local_server_needs_no_key() -> None:
    with FakeOpenAI() as server:
        OpenAIChat("m", base_url=server.base_url).complete("hi")
    assert server.requests[0].headers["authorization"] == "Bearer not-needed"


def test_key_address_organization_and_project_arrive() -> None:
    with FakeOpenAI(api_key="sk-1") as server:
        OpenAIChat(
            "m", base_url=server.base_url + "/", api_key=" sk-1\n", organization="org-1", project="proj-1"
        ).complete("hi")
    headers = server.requests[0].headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")


def test_key_and_address_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeOpenAI(api_key="sk-2") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-2")
        assert OpenAIChat("m").complete("hi").text == "hi"


def test_an_azure_resource_is_reached_by_its_older_api() -> None:
    async def where() -> str:
        connection = Connection("https://acme.openai.azure.com", api_key="k", api_version="2026-01-01")
        channel = await Channels().get(connection)
        return str(channel.client.base_url)

    assert asyncio.run(where()) == "https://acme.openai.azure.com/openai/"


@pytest.mark.parametrize(
    ("connection", "environment"),
    [
        (Connection(LOCAL, transport="httpx"), {}),
        (Connection(LOCAL + "?tenant=7"), {}),
        (Connection("https://acme.openai.azure.com", api_key="k", api_version="2026-01-01"), {}),
        (Connection(LOCAL), {"HTTP_PROXY": "http://proxy.example:3128"}),
        (Connection("https://llm.example/v1"), {"ALL_PROXY": "http://proxy.example:3128"}),
    ],
)
def test_the_openai_package_sends_where_an_address_or_a_way_has_conditions(
    connection: Connection, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def opened() -> Channel:
        return await Channels().get(connection)

    assert asyncio.run(opened()).direct is None


@pytest.mark.parametrize("url", [LOCAL, "https://llm.example/v1"])
def test_single_replies_pass_the_openai_package_by_where_aiohttp_is_installed(
    url: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,llm.example")

    async def opened() -> Channel:
        return await Channels().get(Connection(url))

    assert (asyncio.run(opened()).direct is not None) is (way == "with aiohttp")


@pytest.mark.parametrize("key", ["two words", "schlüssel", "a\x00b", "a\nb"])
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        OpenAIChat("m", base_url=LOCAL, api_key=key).complete("hi")
    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://localhost/v1", "http://", "nonsense"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="full address"):
        OpenAIChat("m", base_url=url).complete("hi")


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(UsageError, match="timeout"):
        OpenAIChat("m", base_url=LOCAL, timeout=timeout).complete("hi")


def test_an_unknown_transport_is_refused() -> None:
    with pytest.raises(UsageError, match="transport"):
        OpenAIChat("m", base_url=LOCAL, transport="pigeon").complete("hi")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_the_aiohttp_transport_is_used_or_its_extra_named() -> None:
    with FakeOpenAI() as server:
        model = OpenAIChat("m", base_url=server.base_url, transport="aiohttp")
        try:
            assert model.complete("hi").text == "hi"
        except MissingExtraError as error:
            assert "llmopt[fast]" in str(error)  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(
    ("url", "own"),
    [
        (None, True),
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://acme.openai.azure.com/openai/v1", True),
        ("https://api.openai.com.evil.example/v1", False),
        (LOCAL, False),
    ],
)
def test_openais_own_servers_are_told_from_others(url: str | None, own: bool) -> None:
    assert Connection(url).is_openai is own


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError, match="api_key") as caught:
        OpenAIChat("m", base_url="http://user:geheim@127.0.0.1:9/v1").complete("hi")
    assert "geheim" not in str(caught.value)
