"""What the files of an exported sentence-embedding model say about how it is to be used.

The layout is that of sentence-transformers: `modules.json` names the stages, `1_Pooling/config.json` the
pooling, `sentence_bert_config.json` or `tokenizer_config.json` the longest input, and
`config_sentence_transformers.json` the prompts for queries and documents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ...errors import StorageError, UsageError
from ...types import TextKind
from ._pooling import POOLINGS, Pooling

__all__ = ["Recipe", "model_file", "read_recipe", "tokenizer_file"]

_HOW_TO_EXPORT = (
    "export a model with llmopt.models.export_onnx('all-MiniLM-L6-v2', folder) (needs 'llmopt[local]'), or with "
    "`optimum-cli export onnx --model NAME FOLDER`"
)
# Tokenizers without a limit of their own say 10**30; position embeddings of these models start at 2.
_NO_LIMIT = 1_000_000
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})
_DEFAULT_LENGTH = 512
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the token vectors become a text's vector, and what goes in.

    Attributes:
        poolings: The poolings, side by side; empty when the files say nothing of pooling.
        normalize: Whether the model ends in unit vectors.
        longest: Tokens of the longest input, the special ones included.
        lower: Whether texts are lower-cased before the tokenizer sees them.
        padding: The id of the token that fills a batch up.
        prompts: What is put before a query and before a document.
        unknown: Stages that only the original library can run (`Dense`), by name.
    """

    poolings: tuple[Pooling, ...]
    normalize: bool
    longest: int
    lower: bool
    padding: int
    prompts: Mapping[TextKind, str]
    unknown: tuple[str, ...] = ()


def model_file(folder: Path, file: str) -> Path:
    """Return the path of the ONNX file: the named one, else `model.onnx` or `onnx/model.onnx`.

    Raises:
        UsageError: When it is not there; the message says how to export one.
    """
    names = [file] if file else ["model.onnx", "onnx/model.onnx"]
    return _first_of(folder, names)


def tokenizer_file(folder: Path) -> Path:
    """Return the path of `tokenizer.json`.

    Raises:
        UsageError: When it is not there.
    """
    return _first_of(folder, ["tokenizer.json"])


def read_recipe(folder: Path) -> Recipe:
    """Read the files that say how the model is used; those that are not there leave the usual defaults.

    Raises:
        StorageError: When one of them is not JSON.
        UsageError: When they name a pooling that nobody knows.
    """
    modules = _modules(folder)
    bert = _object(folder / "sentence_bert_config.json")
    config = _object(folder / "config.json")
    tokenizer = _object(folder / "tokenizer_config.json")
    padding = config.get("pad_token_id")
    return Recipe(
        poolings=_poolings(folder, modules),
        normalize="Normalize" in modules,
        longest=_longest(bert, tokenizer, config),
        lower=bert.get("do_lower_case") is True,
        padding=padding if isinstance(padding, int) else 0,
        prompts=_prompts(_object(folder / "config_sentence_transformers.json")),
        unknown=tuple(kind for kind in modules if kind not in {"Transformer", "Pooling", "Normalize"}),
    )


def _first_of(folder: Path, names: list[str]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    where = f"has no {' or '.join(names)}" if folder.is_dir() else "is not a folder"
    raise UsageError(f"OnnxEmbedder: {folder} {where}; {_HOW_TO_EXPORT}")


def _modules(folder: Path) -> dict[str, str]:
    """Return the folder of every stage by the name of its class, in order; empty without `modules.json`."""
    data = _read(folder / "modules.json")
    entries = cast("list[dict[str, object]]", data) if isinstance(data, list) else []
    return {str(entry.get("type", "")).rpartition(".")[2]: str(entry.get("path", "")) for entry in entries}


def _poolings(folder: Path, modules: Mapping[str, str]) -> tuple[Pooling, ...]:
    file = folder / modules.get("Pooling", "1_Pooling") / "config.json"
    config = _object(file)
    if config.get("include_prompt") is False:
        raise UsageError(f"OnnxEmbedder cannot leave the prompt out of the pooling, as {file} asks it to")
    named = config.get("pooling_mode")
    if named is None:  # files of sentence-transformers before version 6 hold a switch per pooling
        return tuple(pooling for pooling in POOLINGS if config.get(_OLD_SWITCHES[pooling]) is True)
    asked = cast("list[object]", named) if isinstance(named, list) else [named]
    unknown = [name for name in asked if name not in POOLINGS]
    if unknown:
        raise UsageError(f"OnnxEmbedder knows the poolings {', '.join(POOLINGS)}; {file} names {unknown[0]}")
    return tuple(cast("list[Pooling]", asked))


_OLD_SWITCHES: Mapping[Pooling, str] = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


def _longest(bert: Mapping[str, object], tokenizer: Mapping[str, object], config: Mapping[str, object]) -> int:
    positions = config.get("max_position_embeddings")
    most = positions if isinstance(positions, int) else _DEFAULT_LENGTH
    if config.get("model_type") in _OFFSET_POSITIONS:
        most -= 2
    for said in (bert.get("max_seq_length"), tokenizer.get("model_max_length")):
        if isinstance(said, int) and 0 < said < _NO_LIMIT:
            return said if positions is None else min(said, most)
    return most


def _prompts(config: Mapping[str, object]) -> dict[TextKind, str]:
    prompts = config.get("prompts")
    known = cast("dict[str, object]", prompts) if isinstance(prompts, dict) else {}
    default = str(known.get(str(config.get("default_prompt_name")), ""))
    document = next((str(known[name]) for name in _DOCUMENT_PROMPTS if name in known), default)
    return {"query": str(known.get("query", default)), "document": document}


def _object(file: Path) -> dict[str, object]:
    data = _read(file)
    return cast("dict[str, object]", data) if isinstance(data, dict) else {}


def _read(file: Path) -> object:
    if not file.is_file():
        return None
    try:
        return cast(object, json.loads(file.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise StorageError(f"OnnxEmbedder: {file} is damaged: {error}") from error
