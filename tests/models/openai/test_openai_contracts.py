"""The adapters keep to the contracts of their interfaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from llmopt.models import OpenAIChat, OpenAIEmbedder
from llmopt.testing.contracts import ChatModelContract, EmbedderContract
from llmopt.testing.server import FakeOpenAI


class TestOpenAIChat(ChatModelContract[OpenAIChat]):
    base_url: ClassVar[str]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def serve(cls) -> Iterator[None]:
        with FakeOpenAI() as server:
            cls.base_url = server.base_url
            yield

    def make(self) -> OpenAIChat:
        return OpenAIChat("m", base_url=self.base_url, api_key="sk-secret-key")


class TestOpenAIEmbedder(EmbedderContract[OpenAIEmbedder]):
    base_url: ClassVar[str]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def serve(cls) -> Iterator[None]:
        with FakeOpenAI() as server:
            cls.base_url = server.base_url
            yield

    def make(self) -> OpenAIEmbedder:
        return OpenAIEmbedder("m", base_url=self.base_url, api_key="sk-secret-key")
