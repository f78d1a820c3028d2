"""A progress bar where a person is looking, silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

__all__ = ["Progress", "progress_bar"]


class Progress(Protocol):
    """What the work tells of itself."""

    def advance(self, count: int = 1) -> None:
        """Say that so many more items are done."""

    def say(self, text: str) -> None:
        """Show a short text beside the bar (money spent, failures)."""


class _Silent:
    def advance(self, count: int = 1) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""


class _Bar:
    def __init__(self, bar: _Tqdm) -> None:
        self._bar = bar

    def advance(self, count: int = 1) -> None:
        self._bar.update(count)

    def say(self, text: str) -> None:
        self._bar.set_postfix_str(text)


class _Tqdm(Protocol):
    def update(self, n: float) -> object: ...
    def set_postfix_str(self, s: str) -> object: ...
    def close(self) -> object: ...


@contextmanager
def progress_bar(total: int | None, title: str, show: bool | None) -> Generator[Progress, None, None]:
    """Open a bar of `total` items; `show=None` means: on a terminal or in a notebook only."""
    if not (_somebody_looks() if show is None else show):
        yield _Silent()
        return
    # Slow to import, and most runs are silent; `tqdm.auto` complains in a notebook without ipywidgets.
    module = import_module("tqdm.auto" if find_spec("ipywidgets") else "tqdm.std")
    bar: _Tqdm = module.tqdm(total=total, desc=title, dynamic_ncols=True)
    try:
        yield _Bar(bar)
    finally:
        bar.close()


def _somebody_looks() -> bool:
    kernel = sys.modules.get("ipykernel")
    return kernel is not None or sys.stderr.isatty()
