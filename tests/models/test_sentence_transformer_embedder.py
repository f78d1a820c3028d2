from __future__ import annotations

import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from llmopt.errors import MissingExtraError, UnknownModelError, UsageError
from llmopt.models import SentenceTransformerEmbedder
from llmopt.testing.contracts import EmbedderContract
from llmopt.types import Matrix


class Library:
    """Stands for `sentence_transformers.SentenceTransformer` (the package needs torch) and notes its calls."""

    calls: list[tuple[str, list[str], str | None, int]]

    def __init__(self, model: str, device: str | None = None) -> None:
        if model == "missing":
            raise OSError("no such model on the hub")
        if device == "gpu9":
            raise RuntimeError("Invalid device string: 'gpu9'")
        self.prompts = {"query": "query: "}
        self.calls = []
        made.append(self)

    def encode(
        self,
        sentences: list[str],
        *,
        prompt: str | None,
        batch_size: int,
        show_progress_bar: bool,
        convert_to_numpy: bool,
    ) -> Matrix:
        assert convert_to_numpy
        assert not show_progress_bar
        self.calls.append(("encode", sentences, prompt, batch_size))
        return np.array([[len(text) + 1, sum(map(ord, text)) + 1] for text in sentences], np.float32)


class NewerLibrary(Library):
    """Since version 5 there is a method for queries and one for documents, which find prompts by themselves."""

    def encode_query(self, sentences: list[str], *, prompt: str | None, batch_size: int, **rest: bool) -> Matrix:
        self.calls.append(("encode_query", sentences, prompt, batch_size))
        return np.ones((len(sentences), 2), np.float32)

    def encode_document(self, sentences: list[str], *, prompt: str | None, batch_size: int, **rest: bool) -> Matrix:
        self.calls.append(("encode_document", sentences, prompt, batch_size))
        return np.ones((len(sentences), 2), np.float32)


made: list[Library] = []


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Library]], None]:
    def install(kind: type[Library]) -> None:
        made.clear()
        module = types.ModuleType("sentence_transformers")
        module.__dict__["SentenceTransformer"] = kind
        monkeypatch.setitem(sys.modules, "sentence_transformers", module)

    install(Library)
    return install


class TestSentenceTransformerEmbedder(EmbedderContract[SentenceTransformerEmbedder]):
    def make(self) -> SentenceTransformerEmbedder:
        return SentenceTransformerEmbedder("some/model", device="cpu")


def test_the_model_is_loaded_once_and_on_first_use() -> None:
    embedder = SentenceTransformerEmbedder("some/model")
    assert not made
    embedder.encode(["a"], kind="query")
    embedder.encode(["b"], kind="document")
    assert len(made) == 1


def test_the_models_own_prompt_goes_before_queries_only() -> None:
    embedder = SentenceTransformerEmbedder("some/model", batch_size=7)
    embedder.encode(["a"], kind="query")
    embedder.encode(["b"], kind="document")
    assert made[0].calls == [("encode", ["a"], "query: ", 7), ("encode", ["b"], None, 7)]


def test_newer_versions_are_asked_by_kind_and_find_their_prompts(
    library: Callable[[type[Library]], None],
) -> None:
    library(NewerLibrary)
    embedder = SentenceTransformerEmbedder("some/model", document_prompt="doc: ")
    embedder.encode(["a"], kind="query")
    embedder.encode(["b"], kind="document")
    assert made[0].calls == [("encode_query", ["a"], None, 32), ("encode_document", ["b"], "doc: ", 32)]


@pytest.mark.parametrize("prompt", ["", "ask: "])
def test_a_given_prompt_replaces_the_models_own(prompt: str) -> None:
    SentenceTransformerEmbedder("some/model", query_prompt=prompt).encode(["a"], kind="query")
    assert made[0].calls[0][2] == prompt


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownModelError, match=r"'missing'.*no such model on the hub"):
        SentenceTransformerEmbedder("missing").encode(["a"], kind="query")


@pytest.mark.parametrize(
    ("embedder", "named"),
    [
        (SentenceTransformerEmbedder("some/model", device="gpu9"), "gpu9"),
        (SentenceTransformerEmbedder("some/model", batch_size=0), "batch_size"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(embedder: SentenceTransformerEmbedder, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        embedder.encode(["a"], kind="query")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'llmopt\[local\]'"):
        SentenceTransformerEmbedder("some/model").encode(["a"], kind="query")


def test_a_folder_may_be_a_path_and_is_saved_as_one(tmp_path: Path) -> None:
    SentenceTransformerEmbedder(tmp_path / "model").save(tmp_path / "saved")
    loaded = SentenceTransformerEmbedder.load(tmp_path / "saved")
    assert loaded.model == tmp_path / "model"
    texts: Sequence[str] = ("a", "b")
    assert loaded.encode(texts, kind="query").shape == (2, 2)
