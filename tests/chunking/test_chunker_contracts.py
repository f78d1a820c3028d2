"""Every chunker keeps to the contract that users' own chunkers are held to."""

from __future__ import annotations

from llmopt.chunking import Markdown, Recursive, Semantic, Sentence, Tokens
from llmopt.testing import FakeEmbedder
from llmopt.testing.contracts import ChunkerContract


class TestTokens(ChunkerContract[Tokens]):
    def make(self) -> Tokens:
        return Tokens(64, 8)


class TestRecursive(ChunkerContract[Recursive]):
    def make(self) -> Recursive:
        return Recursive(64, 8)


class TestSentence(ChunkerContract[Sentence]):
    def make(self) -> Sentence:
        return Sentence(64)


class TestMarkdown(ChunkerContract[Markdown]):
    def make(self) -> Markdown:
        return Markdown(64)


class TestSemantic(ChunkerContract[Semantic]):
    def make(self) -> Semantic:
        return Semantic(FakeEmbedder(), 64)
