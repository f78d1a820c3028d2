"""Packages that an extra of llmopt installs, imported when they are first needed."""

from __future__ import annotations

import importlib
from types import ModuleType

from ...errors import MissingExtraError

__all__ = ["required"]


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
