"""Making the folder that `OnnxEmbedder` reads, from a model of sentence-transformers."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from ...errors import StorageError, UsageError
from ._extras import required

__all__ = ["export_onnx"]

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin")
_OPSET = 17


def export_onnx(model: str | Path, folder: str | Path) -> Path:
    """Export a sentence-transformers model to ONNX and return the folder, ready for `OnnxEmbedder`.

    The folder gets `model.onnx` (token vectors, float32) beside the model's own tokenizer and
    configuration files, which say how they are pooled; an older export there is replaced. Needs the
    extra `local` (torch) and the package onnx, on the machine that exports only.

    Args:
        model: A local folder, or a name on the hub ("sentence-transformers/all-MiniLM-L6-v2").
        folder: Where to; made if it is not there.

    Raises:
        MissingExtraError: When sentence-transformers is not installed.
        UsageError: When the model cannot be loaded or is no text transformer.
        StorageError: When the folder cannot be written.

    Example:
        >>> export_onnx("sentence-transformers/all-MiniLM-L6-v2", "models/minilm")  # doctest: +SKIP
        PosixPath('models/minilm')
    """
    sentence_transformers = required("sentence_transformers", extra="local", component="export_onnx")
    torch = required("torch", extra="local", component="export_onnx")
    target = Path(folder)
    try:
        # Plain attention: the fused kernels of torch have no counterpart in ONNX.
        loaded = sentence_transformers.SentenceTransformer(
            str(model), device="cpu", model_kwargs={"attn_implementation": "eager"}
        )
        transformer, tokenizer = loaded[0].auto_model.eval().float(), loaded.tokenizer
    except (OSError, ValueError, AttributeError, LookupError) as error:
        raise UsageError(
            f"export_onnx: {model} is no sentence-transformers model with a text encoder: {error}"
        ) from error
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
            fresh = Path(temporary) / "model"
            fresh.mkdir()
            loaded.save_pretrained(str(fresh), create_model_card=False)
            for pattern in _WEIGHTS:
                for file in fresh.glob(pattern):
                    file.unlink()
            _trace(torch, transformer, tokenizer, fresh / "model.onnx")
            shutil.copytree(fresh, target, dirs_exist_ok=True)
    except OSError as error:
        raise StorageError(f"export_onnx cannot write {target}: {error}") from error
    return target


def _trace(torch: ModuleType, transformer: object, tokenizer: object, file: Path) -> None:
    """Run the transformer once on two texts of different lengths and write down what it did."""
    encode = cast("Any", tokenizer)
    example = encode(["two texts of different lengths", "short"], padding=True, return_tensors="pt")
    names = list(example)

    class LastHiddenState(torch.nn.Module):  # type: ignore[name-defined,misc] # pyright: ignore
        def __init__(self) -> None:
            super().__init__()  # pyright: ignore[reportUnknownMemberType]
            self.transformer = transformer

        def forward(self, *inputs: object) -> object:
            return cast("Any", self.transformer)(**dict(zip(names, inputs, strict=True))).last_hidden_state

    output = "last_hidden_state"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's word on its older exporter, and on every constant that it folds
        torch.onnx.export(
            LastHiddenState().eval(),
            tuple(example[name] for name in names),
            str(file),
            input_names=names,
            output_names=[output],
            dynamic_axes={name: {0: "batch", 1: "sequence"} for name in [*names, output]},
            opset_version=_OPSET,
            dynamo=False,  # the newer exporter needs onnxscript and its graphs ran a tenth slower
        )
