"""The record of what happens during a run: a tree of steps, kept in a context variable.

Interfaces open a step around every hook; a component adds a word of its own with `note` and models
add what they cost with `spend`. Outside a recorded run all of it does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from .types import Completion, Step, Usage

__all__ = ["Recorder", "note", "record", "spend", "step"]


class Recorder:
    """A step that is still going on."""

    __slots__ = (
        "_cost", "_paid", "_usage", "children", "component", "error", "inputs", "name", "notes", "output",
        "seconds", "started",
    )  # fmt: skip

    def __init__(self, name: str, component: object, inputs: object) -> None:
        self.name = name
        self.component = component
        self.inputs = inputs
        self.output: object = None
        self.notes: dict[str, object] = {}
        self.children: list[Recorder] = []
        self.error = ""
        self.seconds: float | None = None
        self.started = time.perf_counter()
        self._usage = Usage()
        self._cost: float | None = 0.0
        self._paid: float | None = 0.0

    def spend(self, usage: Usage, cost: float | None, *, cached: bool = False) -> None:
        """Add what a call took; a cached one counts in `cost` but not in `paid`."""
        self._usage += usage
        self._cost = _plus(self._cost, cost)
        self._paid = self._paid if cached else _plus(self._paid, cost)

    def completed(self, completion: Completion) -> None:
        """Note a model's reply; a wrapper whose inner model has its own step does not count twice."""
        self.output = completion
        if not any(child.name == self.name for child in self.children):
            self.spend(completion.usage, completion.cost, cached=completion.cached)
            if completion.notes:
                self.notes["notes"] = "; ".join(completion.notes)

    @property
    def usage(self) -> Usage:
        """Tokens of this step and of all inside it."""
        return sum((child.usage for child in self.children), self._usage)

    @property
    def cost(self) -> float | None:
        """US dollars, our cache disregarded; None when a price is unknown."""
        return _total(self._cost, [child.cost for child in self.children])

    @property
    def paid(self) -> float | None:
        """US dollars really paid; None when a price is unknown."""
        return _total(self._paid, [child.paid for child in self.children])

    @contextmanager
    def resumed(self) -> Generator[None, None, None]:
        """Go on with a step that ended, for work that comes in pieces (streams)."""
        token = _current.set(self)
        try:
            yield
        except BaseException as error:
            self.error = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.seconds = time.perf_counter() - self.started
            _current.reset(token)

    def frozen(self) -> Step:
        """Return the step as a value, as far as it has come."""
        children = tuple(child.frozen() for child in self.children)
        return Step(
            name=self.name,
            component=self.component if isinstance(self.component, str) else type(self.component).__name__,
            seconds=time.perf_counter() - self.started if self.seconds is None else self.seconds,
            usage=sum((child.usage for child in children), self._usage),
            cost=_total(self._cost, [child.cost for child in children]),
            paid=_total(self._paid, [child.paid for child in children]),
            inputs=self.inputs,
            output=self.output,
            notes=dict(self.notes),
            children=children,
            error=self.error,
        )


_current: ContextVar[Recorder | None] = ContextVar("llmopt_step", default=None)


@contextmanager
def record(name: str, component: object, inputs: object = None) -> Generator[Recorder, None, None]:
    """Open a step in any case: below the current one, or as the root of a new record."""
    recorder = Recorder(name, component, inputs)
    parent = _current.get()
    if parent is not None:
        parent.children.append(recorder)
    token = _current.set(recorder)
    try:
        yield recorder
    except BaseException as error:
        recorder.error = f"{type(error).__name__}: {error}"
        raise
    finally:
        recorder.seconds = time.perf_counter() - recorder.started
        _current.reset(token)


@contextmanager
def step(name: str, component: object, inputs: object = None) -> Generator[Recorder, None, None]:
    """Open a step below the current one; outside a record the step is thrown away."""
    if _current.get() is None:
        yield Recorder(name, component, inputs)
        return
    with record(name, component, inputs) as recorder:
        yield recorder


def note(name: str, value: object) -> None:
    """Say something of one's own work in the current step; a later value replaces an earlier one."""
    current = _current.get()
    if current is not None:
        current.notes[name] = value


def spend(usage: Usage, cost: float | None, *, cached: bool = False) -> None:
    """Add tokens and money to the current step, for calls that bring no completion (embeddings)."""
    current = _current.get()
    if current is not None:
        current.spend(usage, cost, cached=cached)


def _plus(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left + right


def _total(own: float | None, others: list[float | None]) -> float | None:
    for other in others:
        own = _plus(own, other)
    return own
