"""A chat model that runs in this process, by transformers, with or without an adapter."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from ..errors import ContextOverflowError, StorageError, UsageError
from ..interfaces import ChatModel
from ..types import Completion, Message, Options, Usage
from .encoding import Tokenizer, render
from .extras import load_extra, quiet_transformers

__all__ = ["LocalChat", "best_device", "load_causal_model", "load_tokenizer", "merge_adapter"]


def best_device(device: str | None) -> str:
    """Return the device asked for, else a GPU where there is one, else the CPU.

    Raises:
        UsageError: When the device asked for is not there.
    """
    torch: Any = load_extra("torch", "a local model")
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise UsageError(f"the device {device!r} cannot be used: {error}") from error
    return device


def load_tokenizer(path: str) -> Tokenizer:
    """Return the tokenizer of a model's folder or name.

    Raises:
        StorageError: When there is none.
    """
    transformers: Any = load_extra("transformers", "a local model")
    try:
        return cast(Tokenizer, transformers.AutoTokenizer.from_pretrained(path))
    except (OSError, ValueError) as error:
        raise StorageError(f"there is no tokenizer at {path}: {error}") from error


def load_causal_model(path: str) -> Any:
    """Return a model of transformers, with its adapter where the folder holds one.

    Raises:
        StorageError: When there is none.
    """
    transformers: Any = load_extra("transformers", "a local model")
    try:
        if (Path(path) / "adapter_config.json").is_file():
            peft: Any = load_extra("peft", "an adapter")
            base = peft.PeftConfig.from_pretrained(path).base_model_name_or_path
            return peft.PeftModel.from_pretrained(load_causal_model(base), path)
        with quiet_transformers():
            return transformers.AutoModelForCausalLM.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise StorageError(f"there is no model at {path}: {error}") from error


def merge_adapter(adapter: str, folder: str) -> str:
    """Write a model with its adapter worked into it, and return the folder.

    For serving by engines that take no adapters, and to train on what was trained before: pairs after chats.

    Args:
        adapter: The folder that `LoRAFineTune` wrote.
        folder: For the new model.

    Raises:
        StorageError: When there is no model, or it cannot be written.
        UsageError: When there is no adapter in it.
    """
    model = load_causal_model(adapter)
    if not hasattr(model, "peft_config"):
        raise UsageError(f"{adapter} holds no adapter, so there is nothing to merge")
    try:
        with quiet_transformers():
            model.merge_and_unload().save_pretrained(folder)
        cast(Any, load_tokenizer(adapter)).save_pretrained(folder)
    except OSError as error:
        raise StorageError(f"cannot write the merged model to {folder}: {error}") from error
    return folder


class _Engine:
    """A loaded model with the adapters that stand on it; one question at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._model: Any = None
        self._tokenizer: Tokenizer | None = None
        self._adapters: dict[str, str] = {}

    def ready(self, path: str, device: str | None) -> tuple[Any, Tokenizer]:
        """Return the model and its tokenizer, loaded with the first call."""
        if self._tokenizer is None:
            self._model = load_causal_model(path).to(best_device(device)).eval()
            self._tokenizer = load_tokenizer(path)
        return self._model, self._tokenizer

    def with_adapter(self, path: str) -> Any:
        """Return the model with an adapter at work, loaded beside the others."""
        if path not in self._adapters:
            if not (Path(path) / "adapter_config.json").is_file():
                raise UsageError(f"{path} holds no adapter, so it cannot stand on a shared base: leave `base` out")
            peft: Any = load_extra("peft", "an adapter")
            name = f"adapter_{len(self._adapters)}"
            if self._adapters:
                self._model.load_adapter(path, adapter_name=name)
            else:
                self._model = peft.PeftModel.from_pretrained(self._model, path, adapter_name=name).eval()
            self._adapters[path] = name
        self._model.set_adapter(self._adapters[path])
        return self._model

    @contextmanager
    def bare(self) -> Generator[Any, None, None]:
        """Give the model without the adapters that were put on it."""
        if not self._adapters:
            yield self._model
            return
        with self._model.disable_adapter():
            yield self._model


@dataclass(repr=False, eq=False)
class LocalChat(ChatModel):
    """A model of transformers from a folder or by its name, an adapter of peft included.

    It is loaded with the first question and answers one question at a time; a temperature of None or 0
    always takes the likeliest token. The extra `finetune` brings the packages.

    Args:
        path: The folder that `LoRAFineTune` wrote, or any folder or name that transformers knows.
        max_tokens: Longest reply where the options do not say.
        device: None: a GPU where there is one.
        base: The model that the adapter at `path` was trained for, to keep it in memory once for itself and
            for several adapters; None: the adapter loads its own.
    """

    path: str
    max_tokens: int = 256
    device: str | None = None
    base: LocalChat | None = None
    _engine: _Engine = field(init=False, default_factory=_Engine)

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Return the reply.

        Raises:
            StorageError: When there is no model at the path.
            MissingExtraError: When transformers is not installed.
            ContextOverflowError: When the chat does not fit into the model.
        """
        started = time.perf_counter()
        limit = self.max_tokens if options.max_tokens is None else options.max_tokens
        root = self if self.base is None else self.base
        engine = root._engine
        with engine.lock:
            model, tokenizer = engine.ready(root.path, root.device)
            asked = tokenizer.encode(render(tokenizer, messages, options.tools, asking=True), add_special_tokens=False)
            room = getattr(model.config, "max_position_embeddings", None)
            if isinstance(room, int) and len(asked) >= room:
                raise ContextOverflowError(f"the chat takes {len(asked)} tokens, {self.path} reads at most {room}")
            ends = _ends(model, tokenizer)
            if root is self:
                with engine.bare() as bare:
                    written = _write(bare, asked, options, limit, ends)
            else:
                written = _write(engine.with_adapter(self.path), asked, options, limit, ends)
        completion = _completion(tokenizer, asked, written, options, ends)
        return replace(completion, seconds=time.perf_counter() - started, model=self.path)

    def price(self, usage: Usage) -> float:
        """Return 0: nobody is paid for a local model."""
        return 0.0


def _ends(model: Any, tokenizer: Tokenizer) -> list[int]:
    """Return the tokens that end a reply: the tokenizer's, and what else the model names (Gemma, Llama 3)."""
    named: object = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    found = cast("list[object]", named) if isinstance(named, list) else [named]
    return [id for id in dict.fromkeys([tokenizer.eos_token_id, *found]) if isinstance(id, int)]


def _completion(
    tokenizer: Tokenizer, asked: Sequence[int], written: Sequence[int], options: Options, ends: Sequence[int]
) -> Completion:
    ended = bool(written) and written[-1] in ends
    text = tokenizer.decode(written, skip_special_tokens=True).strip()
    cut = min((at for at in (text.find(stop) for stop in options.stop if stop) if at >= 0), default=None)
    return Completion(
        text if cut is None else text[:cut],
        Usage(len(asked), len(written), calls=1),
        "stop" if ended or cut is not None else "length",
        cost=0.0,
        notes=() if options.schema is None else ("a local model is not held to a schema",),
    )


def _write(model: Any, asked: list[int], options: Options, limit: int, ends: list[int]) -> list[int]:
    torch: Any = load_extra("torch", "a local model")
    sampled = bool(options.temperature)
    settings: dict[str, object] = {"do_sample": sampled, "max_new_tokens": limit}
    if sampled:
        settings |= {"temperature": options.temperature, "top_p": options.top_p or 1.0}
        if options.seed is not None:
            torch.manual_seed(options.seed + options.replicate)
    ids = torch.tensor([asked], device=model.device)
    with torch.no_grad():
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            eos_token_id=ends or None,
            pad_token_id=ends[0] if ends else None,
            **settings,
        )
    return cast("list[int]", out[0, len(asked) :].tolist())
