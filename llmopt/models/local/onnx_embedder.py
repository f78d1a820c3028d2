"""Embeddings from an exported model by onnxruntime, without torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from ...errors import UsageError
from ...interfaces import Embedder
from ...types import Matrix, TextKind, Usage
from ._extras import required
from ._pooling import POOLINGS, Mask, Pooling, pooled, unit_rows
from ._sentence_folder import Recipe, model_file, read_recipe, tokenizer_file

__all__ = ["OnnxEmbedder"]

# Texts are tokenized and sorted by length in windows of so many batches: neighbours of one length need
# little padding, and the memory does not grow with the number of texts.
_BATCHES_PER_WINDOW = 128


class _Encoding(Protocol):
    @property
    def ids(self) -> list[int]: ...


class _Tokenizer(Protocol):
    def enable_truncation(self, max_length: int) -> None: ...
    def no_padding(self) -> None: ...
    def encode_batch(self, input: list[str]) -> list[_Encoding]: ...


class _Port(Protocol):
    name: str
    shape: list[object]


class _Session(Protocol):
    def get_inputs(self) -> list[_Port]: ...
    def get_outputs(self) -> list[_Port]: ...
    def run(self, output_names: list[str], input_feed: Mapping[str, Mask]) -> list[npt.NDArray[np.float32]]: ...


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A model in memory."""

    session: _Session
    tokenize: Callable[[list[str]], list[_Encoding]]
    recipe: Recipe
    inputs: frozenset[str]
    output: str
    poolings: tuple[Pooling, ...]

    def embed(self, ids: Sequence[list[int]]) -> Matrix:
        """Return one row per text of a batch."""
        mask = _mask(ids)
        tokens = np.full(mask.shape, self.recipe.padding, np.int64)
        tokens[mask > 0] = np.fromiter((token for text in ids for token in text), np.int64, count=int(mask.sum()))
        offered: dict[str, Mask] = {
            "input_ids": tokens,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(tokens),
            "position_ids": np.tile(np.arange(mask.shape[-1], dtype=np.int64), (len(ids), 1)),
        }
        feed = {name: array for name, array in offered.items() if name in self.inputs}
        found = np.asarray(self.session.run([self.output], feed)[0], np.float32)
        rows = found if found.ndim == 2 else pooled(found, mask, self.poolings)
        return unit_rows(rows) if self.recipe.normalize else rows


@dataclass(repr=False, eq=False)
class OnnxEmbedder(Embedder):
    """Embeddings from any sentence-embedding model that was exported to ONNX, on the CPU, without torch.

    Pooling, normalisation, longest input and prompts are read from the model's own files, in the layout
    of sentence-transformers, so the vectors equal those of the original. The model is loaded on first
    use. Needs the extra `onnx` (onnxruntime and tokenizers, 190 MB against the 1.6 GB of torch).

    Args:
        folder: Where `model.onnx` (or `onnx/model.onnx`), `tokenizer.json` and the configuration files
            are. `export_onnx` makes such a folder.
        file: Another ONNX file in that folder, for example a quantised one (`onnx/model_qint8.onnx`).
        pooling: How token vectors become one; None reads it from `1_Pooling/config.json`.
        query_prompt: Put before every query; None reads it from the model's files.
        document_prompt: Put before every document; None reads it from the model's files.
        batch_size: Texts per run of the model; texts of like length share a batch. On a CPU larger ones
            take memory (16: 440 MB, 32: 520, 8: 310 for all-MiniLM-L6-v2) and no less time.
        threads: CPU threads of one run; None leaves it to onnxruntime, which takes every core.

    Example:
        >>> embedder = OnnxEmbedder("models/all-MiniLM-L6-v2", threads=2)
        >>> embedder.encode(["a cat"], kind="query").shape  # doctest: +SKIP
        (1, 384)
    """

    folder: str | Path
    file: str = ""
    pooling: Pooling | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    batch_size: int = 8
    threads: int | None = None
    _loaded: _Loaded | None = field(init=False, default=None)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return one row per text; a text beyond the model's longest input is cut.

        Raises:
            MissingExtraError: When onnxruntime or tokenizers are not installed.
            UsageError: When a file is missing or says what cannot be done here; it names the file.
            StorageError: When a configuration file is damaged.
        """
        model = self._model()
        prompt = self.query_prompt if kind == "query" else self.document_prompt
        prompt = model.recipe.prompts[kind] if prompt is None else prompt
        window = self.batch_size * _BATCHES_PER_WINDOW
        parts = [self._embed_window(model, prompt, texts[at : at + window]) for at in range(0, len(texts), window)]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    def price(self, usage: Usage) -> float:
        """Return 0: nothing leaves the machine."""
        return 0.0

    def _embed_window(self, model: _Loaded, prompt: str, texts: Sequence[str]) -> Matrix:
        shown = [prompt + text for text in texts]
        shown = [text.lower() for text in shown] if model.recipe.lower else shown
        ids = [encoding.ids or [model.recipe.padding] for encoding in model.tokenize(shown)]
        order = sorted(range(len(ids)), key=lambda number: -len(ids[number]))
        batches = [order[at : at + self.batch_size] for at in range(0, len(order), self.batch_size)]
        rows = np.concatenate([model.embed([ids[number] for number in batch]) for batch in batches])
        restored = np.empty_like(rows)
        restored[order] = rows
        return restored

    def _model(self) -> _Loaded:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load(Path(self.folder))
            return self._loaded

    def _load(self, folder: Path) -> _Loaded:
        if self.batch_size < 1:
            raise UsageError(f"OnnxEmbedder: `batch_size` is a number of texts, at least 1, got {self.batch_size}")
        model, tokenizer, recipe = model_file(folder, self.file), tokenizer_file(folder), read_recipe(folder)
        session = _session(model, self.threads)
        shapes = {port.name: len(port.shape) for port in session.get_outputs()}
        output = next(
            (name for name in ("sentence_embedding", "last_hidden_state") if name in shapes), next(iter(shapes))
        )
        poolings = (self.pooling,) if self.pooling else recipe.poolings
        if shapes[output] != 2:
            _check_stages(folder, recipe, poolings)
        return _Loaded(
            session=session,
            tokenize=_tokenizer(tokenizer, recipe.longest),
            recipe=recipe,
            inputs=frozenset(port.name for port in session.get_inputs()),
            output=output,
            poolings=poolings,
        )


def _check_stages(folder: Path, recipe: Recipe, poolings: tuple[Pooling, ...]) -> None:
    if not poolings:
        raise UsageError(
            f"OnnxEmbedder: {folder} has no 1_Pooling/config.json that says how the token vectors become one, and "
            f"guessing would spoil them: take that file from the original model, or pass `pooling` "
            f"({', '.join(POOLINGS)})"
        )
    if recipe.unknown:
        raise UsageError(
            f"OnnxEmbedder: {folder}/modules.json has stages that the ONNX file does not hold and that cannot be run "
            f"here: {', '.join(recipe.unknown)}. Export the whole model with an output `sentence_embedding` "
            "(optimum-cli does), or use SentenceTransformerEmbedder"
        )


def _session(file: Path, threads: int | None) -> _Session:
    onnxruntime = required("onnxruntime", extra="onnx", component="OnnxEmbedder")
    options = onnxruntime.SessionOptions()
    if threads is not None:
        if threads < 1:
            raise UsageError(f"OnnxEmbedder: `threads` must be at least 1, got {threads}")
        options.intra_op_num_threads = threads
    try:
        return cast(_Session, onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"]))
    except Exception as error:  # onnxruntime has an exception class per fault, without a common public root
        raise UsageError(f"OnnxEmbedder: onnxruntime cannot load {file}: {error}") from error


def _tokenizer(file: Path, longest: int) -> Callable[[list[str]], list[_Encoding]]:
    tokenizers = required("tokenizers", extra="onnx", component="OnnxEmbedder")
    try:
        tokenizer = cast(_Tokenizer, tokenizers.Tokenizer.from_file(str(file)))
    except Exception as error:  # tokenizers raises bare Exception
        raise UsageError(
            f"OnnxEmbedder: {file} is not a tokenizer that the package tokenizers reads: {error}"
        ) from error
    # The file brings the truncation and padding of whoever saved it last (all-MiniLM-L6-v2: 128 tokens,
    # though the model takes 256), so both are set anew.
    tokenizer.enable_truncation(max_length=longest)
    tokenizer.no_padding()
    fast: Callable[[list[str]], list[_Encoding]] | None = getattr(tokenizer, "encode_batch_fast", None)
    return fast or tokenizer.encode_batch


def _mask(ids: Sequence[list[int]]) -> Mask:
    lengths = np.array([len(text) for text in ids])
    longest = max(int(lengths.max()), 1)
    return (np.arange(longest) < lengths[:, np.newaxis]).astype(np.int64)
