"""The packages of the extra `finetune`, loaded when they are needed."""

from __future__ import annotations

import importlib
from types import ModuleType

from ..errors import MissingExtraError

__all__ = ["load_extra"]


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
