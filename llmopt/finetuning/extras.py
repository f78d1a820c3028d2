"""The packages of the extra `finetune`, loaded when they are needed."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from ..errors import MissingExtraError

__all__ = ["load_extra", "quiet_transformers"]


def load_extra(name: str, needed_by: str) -> ModuleType:
    """Return a module of the extra `finetune` (torch, transformers, peft).

    Raises:
        MissingExtraError: When it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"{needed_by} needs the package {name!r}, which does not load ({error}): "
            "install it by `pip install 'llmopt[finetune]'`"
        ) from error


@contextmanager
def quiet_transformers() -> Generator[None, None, None]:
    """Keep the bars of transformers from the terminal for a while, and leave its setting as it was."""
    transformers: Any = load_extra("transformers", "a local model")
    logging = transformers.utils.logging
    shown = bool(logging.is_progress_bar_enabled())
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
