"""Models that never pay twice for the same request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from ..._sync import call
from ..._trace import note
from ...errors import StorageError
from ...interfaces import ChatModel
from ...types import Completion, Delta, Message, Options, Usage
from .completion_json import from_json, to_json
from .flights import Landing
from .request_key import chat_key
from .store import Store, StoreHandle, same_file
from .wrapping import below, closing

__all__ = ["Cached"]


@dataclass(repr=False, eq=False)
class Cached(ChatModel):
    """Keeps replies in a file, so that an equal request is answered from there: at once and for nothing.

    Requests are equal when everything about them is: the model and its parameters (not the API key),
    every message and every option. To ask for several samples of one request, number them with
    `Options.replicate`. `timeout` does not count. Wrappers inside that only decide when a model is asked
    (`Retrying`, `Limited`, `Budgeted`) do not count either, so that a larger budget finds the old replies.

    Only usable replies are kept: those that ended by themselves with text, or with tool calls. What was cut,
    filtered, refused or empty is asked again. A reply from the file has `cached` set, and the cost and the
    seconds of the original call. Equal requests at the same time in one process are sent once; those who
    waited count as answered from the cache.

    When this returns a reply, it is on file: a process that is killed (kill -9) loses only what was in flight.
    When it cannot be written, the reply is returned all the same with a note, and the next call raises
    before anything is sent, unless writing works again. Several processes may use one file.

    Args:
        inner: The model that is asked.
        path: The file; it and its folder are made if need be. A file holds replies of any number of models.

    Raises:
        StorageError: When the file is none of ours, damaged, locked or cannot be written.
        UsageError: When an option has no JSON form.

    Example:
        >>> from tempfile import mkdtemp
        >>> from llmopt.testing import FakeModel
        >>> model = Cached(FakeModel("yes"), Path(mkdtemp()) / "replies.db")
        >>> [model.complete("Really?").cached for _ in range(2)], len(model.inner.requests)
        ([False, True], 1)
    """

    passes_through: ClassVar[bool] = True

    inner: ChatModel
    path: str | Path
    _store: StoreHandle = field(init=False, default_factory=StoreHandle)

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Return the reply on file, or ask the inner model and keep what it replies."""
        if self._has_twin_below():
            return await call(self.inner.generate, messages, options)
        store, key = await self._store.get(self.path), chat_key(self.inner, messages, options)
        found = await _from_another(store, key)
        if found is not None:
            return found
        return await _lead(store, key, lambda: call(self.inner.generate, messages, options))

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        """Stream from the inner model and keep the reply; one on file comes in one piece."""
        if self._has_twin_below():
            async with closing(self.inner.stream(messages, options)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        store, key = await self._store.get(self.path), chat_key(self.inner, messages, options)
        found = await _from_another(store, key)
        if found is not None:
            yield Delta(found.text, found)
            return
        landing = Landing()
        try:
            found = await _read(store, key)
            if found is not None:
                landing = Landing(found)
                yield Delta(found.text, found)
                return
            async with closing(self.inner.stream(messages, options)) as deltas:
                async for delta in deltas:
                    if delta.completion is None:
                        yield delta
                        continue
                    kept = await _keep(store, key, delta.completion)
                    landing = Landing(kept)
                    yield replace(delta, completion=kept)
        except Exception as error:
            landing = landing if landing.value is not None else Landing(error=error)
            raise
        finally:
            store.flights.land(key, landing)

    def price(self, usage: Usage) -> float | None:
        """Return what the inner model costs."""
        return self.inner.price(usage)

    def _has_twin_below(self) -> bool:
        # Wrapped twice around one file, the outer one would wait for the inner one and the inner for the outer.
        return any(same_file(self.path, twin.path) for twin in below(self, Cached))


async def _lead(store: Store, key: bytes, send: Callable[[], Awaitable[Completion]]) -> Completion:
    landing = Landing()  # given up, unless something better is known
    try:
        found = await _read(store, key)
        if found is None:
            found = await _keep(store, key, await send())
        landing = Landing(found)
        return found
    except Exception as error:
        landing = Landing(error=error)
        raise
    finally:
        store.flights.land(key, landing)


async def _read(store: Store, key: bytes) -> Completion | None:
    found = (await store.read([key])).get(key)
    if found is None:
        return None
    try:
        return from_json(found)
    except ValueError as error:
        raise StorageError(f"the cache {store.path} holds something that is no reply ({error}): delete it") from error


async def _keep(store: Store, key: bytes, completion: Completion) -> Completion:
    if not _is_usable(completion):
        return completion
    try:
        await store.write({key: to_json(completion)})
    except StorageError as error:
        note("not cached", str(error))
        return replace(completion, notes=(*completion.notes, f"not kept in the cache: {error}"))
    return completion


def _is_usable(completion: Completion) -> bool:
    ended = completion.finish in {"stop", "tool_calls"}
    return ended and bool(completion.text.strip() or completion.tool_calls)


async def _from_another(store: Store, key: bytes) -> Completion | None:
    """Return the reply to an equal request under way; None when it is ours to send and to land."""
    while (under_way := store.flights.join(key)) is not None:
        landing = await store.flights.wait(under_way)
        if landing.error is not None:
            raise landing.error
        if isinstance(landing.value, Completion):
            return replace(landing.value, cached=True)
    return None
