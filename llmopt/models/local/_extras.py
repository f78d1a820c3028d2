"""Packages that an extra of llmopt installs, imported when they are first needed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from ...errors import MissingExtraError

__all__ = ["no_bars", "required"]


def required(package: str, *, extra: str, component: str) -> ModuleType:
    """Import a package that comes with an extra.

    Raises:
        MissingExtraError: When it is not installed; the message holds the command that installs it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(
            f"{component} needs the package {package}, which cannot be imported ({error}): "
            f"pip install 'llmopt[{extra}]'"
        ) from error


@contextmanager
def no_bars() -> Generator[None, None, None]:
    """Keep the bars of transformers, if it is loaded, from the terminal for a while; its setting stays as it was."""
    transformers: Any = sys.modules.get("transformers")
    if transformers is None or not transformers.utils.logging.is_progress_bar_enabled():
        yield
        return
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.utils.logging.enable_progress_bar()
