"""Embeddings from a local model by sentence-transformers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, Self, cast

import numpy as np

from ...errors import UnknownModelError, UsageError
from ...interfaces import Embedder
from ...types import Matrix, TextKind, Usage
from ._extras import no_bars, required
from .sentence_transformer_training import Labelled, Plan, publish, train

__all__ = ["SentenceTransformerEmbedder"]


class _Encode(Protocol):
    def __call__(
        self,
        sentences: list[str],
        *,
        prompt: str | None,
        batch_size: int,
        show_progress_bar: bool,
        convert_to_numpy: bool,
    ) -> Matrix: ...


_PROMPTS: Mapping[TextKind, Sequence[str]] = {"query": ("query",), "document": ("document", "passage", "corpus")}


class _Model(Protocol):
    @property
    def prompts(self) -> Mapping[str, str]: ...
    @property
    def encode(self) -> _Encode: ...


@dataclass(repr=False, eq=False)
class SentenceTransformerEmbedder(Embedder):
    """Embeddings from any sentence-transformers model, on the CPU or a GPU.

    The model is loaded on first use. Needs the extra `local` (torch). Where there is no GPU,
    `OnnxEmbedder` gives the same vectors faster from an exported model.

    Args:
        model: A local folder, or a name on the hub, which is downloaded once.
        device: "cpu", "cuda", "mps" ...; None takes the best there is.
        query_prompt: Put before every query; None takes the model's own.
        document_prompt: Put before every document; None takes the model's own.
        batch_size: Texts per run of the model.

    Example:
        >>> embedder = SentenceTransformerEmbedder("sentence-transformers/all-MiniLM-L6-v2", device="cpu")
        >>> embedder.encode(["a cat"], kind="query").shape  # doctest: +SKIP
        (1, 384)
    """

    model: str | Path
    device: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    batch_size: int = 32
    _loaded: _Model | None = field(init=False, default=None)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return one row per text; a text beyond the model's longest input is cut.

        Raises:
            MissingExtraError: When sentence-transformers is not installed.
            UnknownModelError: When there is no such model, or the hub cannot be reached.
            UsageError: When the device is not there.
        """
        if not texts:
            return np.zeros((0, 0), np.float32)
        prompt = self.query_prompt if kind == "query" else self.document_prompt
        with self._lock:  # its tokenizer must not be used by two threads at a time ("Already borrowed")
            encode, own_prompt = self._encoder(kind)
            return encode(
                list(texts),
                prompt=own_prompt if prompt is None else prompt,
                batch_size=self.batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
            )

    def price(self, usage: Usage) -> float:
        """Return 0: nothing leaves the machine."""
        return 0.0

    def trained(
        self,
        queries: Sequence[str],
        positives: Sequence[Sequence[str]],
        negatives: Sequence[Sequence[str]],
        folder: Path,
        *,
        epochs: int,
        batch_size: int,
        rate: float,
        seed: int,
        progress: bool | None,
    ) -> Self:
        """Train a copy of the model, write it to a folder and return the embedder over that folder.

        `FineTuning` calls this, and says whether the result is any better.

        Args:
            queries: Questions.
            positives: Per query, texts that answer it, at least one.
            negatives: Per query, texts like it that do not; may be none.
            folder: Where to; an older model there is replaced.
            epochs: Times that the pairs are seen.
            batch_size: Pairs at a time, at least 2; the others' texts are negatives.
            rate: Learning rate at its highest.
            seed: For the order, the negatives and the dropout.
            progress: Show a bar; None: on a terminal or in a notebook only.

        Raises:
            UsageError: When a number makes no training.
            TuningError: When the loss is not finite.
            StorageError: When the folder cannot be written.
            MissingExtraError, UnknownModelError: As for `embed`.
        """
        plan = Plan(epochs, batch_size, rate, seed, progress)
        labelled = [Labelled(*row) for row in zip(queries, positives, negatives, strict=True)]
        model = self._load()
        train(model, labelled, plan, (self._prompt(model, "query"), self._prompt(model, "document")))
        publish(model, folder)
        return replace(self, model=folder)

    def _prompt(self, model: _Model, kind: TextKind) -> str:
        """Return what the model puts before texts of a kind when it embeds them."""
        given = self.query_prompt if kind == "query" else self.document_prompt
        own = (model.prompts.get(name) for name in _PROMPTS[kind])
        return given if given is not None else next((prompt for prompt in own if prompt), "")

    def _encoder(self, kind: TextKind) -> tuple[_Encode, str | None]:
        """Return the method for queries or documents, with the prompt that it does not find by itself."""
        loaded = self._loaded = self._loaded or self._load()
        chosen: _Encode | None = getattr(loaded, f"encode_{kind}", None)  # since sentence-transformers 5
        return (loaded.encode, loaded.prompts.get(kind)) if chosen is None else (chosen, None)

    def _load(self) -> _Model:
        if self.batch_size < 1:
            raise UsageError(f"SentenceTransformerEmbedder: `batch_size` must be at least 1, got {self.batch_size}")
        package = required("sentence_transformers", extra="local", component="SentenceTransformerEmbedder")
        load: Callable[..., object] = package.SentenceTransformer
        try:
            with no_bars():
                return cast(_Model, load(str(self.model), device=self.device))
        except (OSError, ValueError, LookupError) as error:
            raise UnknownModelError(
                f"SentenceTransformerEmbedder cannot load {str(self.model)!r}; give a local folder, or the name of a "
                f"model on the hub and a connection to it: {error}"
            ) from error
        except (RuntimeError, AssertionError) as error:  # torch's words for a device that is not there
            raise UsageError(
                f"SentenceTransformerEmbedder cannot put {str(self.model)!r} on device {self.device!r}: {error}"
            ) from error
