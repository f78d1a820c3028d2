"""A chat model that runs in this process, by transformers, with or without an adapter."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ..errors import ContextOverflowError, StorageError
from ..interfaces import ChatModel
from ..types import Completion, Message, Options, Usage
from .encoding import Tokenizer, render
from .extras import load_extra

__all__ = ["LocalChat", "best_device", "load_causal_model", "load_tokenizer"]


def best_device(device: str | None) -> str:
    """Return the device asked for, else a GPU where there is one, else the CPU."""
    if device is not None:
        return device
    return "cuda" if load_extra("torch", "a local model").cuda.is_available() else "cpu"


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
        return transformers.AutoModelForCausalLM.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise StorageError(f"there is no model at {path}: {error}") from error


@dataclass(repr=False, eq=False)
class LocalChat(ChatModel):
    """A model of transformers from a folder or by its name, an adapter of peft included.

    It is loaded with the first question and answers one question at a time; a temperature of None or 0
    always takes the likeliest token. The extra `finetune` brings the packages.

    Args:
        path: The folder that `LoRAFineTune` wrote, any folder or name that transformers knows.
        max_tokens: Longest reply where the options do not say.
        device: None: a GPU where there is one.
    """

    path: str
    max_tokens: int = 256
    device: str | None = None
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _loaded: list[tuple[Any, Tokenizer]] = field(init=False, default_factory=list[tuple[Any, Tokenizer]])

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Return the reply.

        Raises:
            StorageError: When there is no model at the path.
            MissingExtraError: When transformers is not installed.
            ContextOverflowError: When the chat does not fit into the model.
        """
        started = time.perf_counter()
        with self._lock:
            model, tokenizer = self._ready()
            asked = tokenizer.encode(render(tokenizer, messages, options.tools, asking=True), add_special_tokens=False)
            limit = self.max_tokens if options.max_tokens is None else options.max_tokens
            room = getattr(model.config, "max_position_embeddings", None)
            if isinstance(room, int) and len(asked) >= room:
                raise ContextOverflowError(f"the chat takes {len(asked)} tokens, {self.path} reads at most {room}")
            written = self._write(model, tokenizer, asked, options, limit)
        ended = bool(written) and written[-1] == tokenizer.eos_token_id
        text = tokenizer.decode(written, skip_special_tokens=True).strip()
        cut = min((at for at in (text.find(stop) for stop in options.stop if stop) if at >= 0), default=None)
        return Completion(
            text if cut is None else text[:cut],
            Usage(len(asked), len(written), calls=1),
            "stop" if ended or cut is not None else "length",
            cost=0.0,
            seconds=time.perf_counter() - started,
            model=self.path,
            notes=() if options.schema is None else ("a local model is not held to a schema",),
        )

    def price(self, usage: Usage) -> float:
        """Return 0: nobody is paid for a local model."""
        return 0.0

    def _ready(self) -> tuple[Any, Tokenizer]:
        if not self._loaded:
            model = load_causal_model(self.path).to(best_device(self.device)).eval()
            self._loaded.append((model, load_tokenizer(self.path)))
        return self._loaded[0]

    def _write(self, model: Any, tokenizer: Tokenizer, asked: list[int], options: Options, limit: int) -> list[int]:
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
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.eos_token_id,
                **settings,
            )
        return cast("list[int]", out[0, len(asked) :].tolist())
