"""What the wrappers of models share: state of one process, what they wrap, how a stream is closed."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from ...interfaces import Component

__all__ = ["PerProcess", "bare", "below", "closing", "model_name"]

T = TypeVar("T")
C = TypeVar("C", bound=Component)


class PerProcess(Generic[T]):
    """A value made on first use, once per process; a copy, a pickle and a forked child start without it.

    A constructor may store an empty one, so that locks and queues come to life only when a component works.
    """

    def __init__(self) -> None:
        self._renew()

    def get(self, make: Callable[[], T]) -> T:
        """Return the value of this process, making it if there is none yet."""
        if self._process != os.getpid():
            self._renew()  # a forked child: the locks may be held by threads that it does not have
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(make())
        return self._made[0]

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._made: list[T] = []
        self._process = os.getpid()

    def __reduce__(self) -> tuple[type[PerProcess[T]], tuple[()]]:
        """Copy and pickle as an empty one."""
        return type(self), ()


def bare(model: Component) -> Component:
    """Return the model below all wrappers that decide when and whether it is asked, never what it replies.

    Such a wrapper says so by a class attribute `passes_through = True` and keeps the wrapped model in `inner`.
    """
    *_, lowest = _chain(model)
    return lowest


def below(model: Component, kind: type[C]) -> list[C]:
    """Return the wrappers of a kind that lie below this one, the outermost first."""
    return [part for part in _chain(model) if part is not model and isinstance(part, kind)]


def _chain(model: Component) -> Iterator[Component]:
    yield model
    while getattr(model, "passes_through", False):
        inner = getattr(model, "inner", None)
        if not isinstance(inner, Component):
            return
        model = inner
        yield model


def model_name(model: Component) -> str | None:
    """Return the provider's name of the model below all wrappers, where it has one."""
    name: object = getattr(bare(model), "model", None)
    return name if isinstance(name, str) else None


@asynccontextmanager
async def closing(stream: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T], None]:
    """Close the stream at the end, where it can be closed, so that what it holds is given back at once."""
    try:
        yield stream
    finally:
        if inspect.isasyncgen(stream):
            await stream.aclose()
