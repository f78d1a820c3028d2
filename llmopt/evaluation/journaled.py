"""Models whose replies go to the journal as they come, so that a killed run need not pay for them again."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np

from .._sync import call
from .._trace import note
from ..interfaces import ChatModel, Embedder
from ..models.wrappers.completion_json import from_json, to_json
from ..models.wrappers.request_key import chat_key
from ..models.wrappers.wrapping import bare
from ..types import Completion, Delta, Matrix, Message, Options, TextKind, Usage
from .journal import Journal

__all__ = ["JournaledEmbedder", "JournaledModel", "journal_scope"]

T = TypeVar("T")


class _Scope:
    """A piece of work whose replies are kept; equal requests within it are told apart by their number."""

    def __init__(self, journal: Journal, key: bytes) -> None:
        self._journal = journal
        self._key = key
        self._counts = Counter[bytes]()
        self._lock = threading.Lock()

    async def reply(
        self, request: bytes, ask: Callable[[], Awaitable[T]], write: Callable[[T], bytes], read: Callable[[bytes], T]
    ) -> T:
        with self._lock:
            number = self._counts[request]
            self._counts[request] += 1
        key = hashlib.sha256(request + number.to_bytes(4, "big")).digest()
        kept = self._journal.call(self._key, key)
        if kept is not None:
            note("journal", "kept from an earlier run")
            return read(kept)
        found = await ask()
        self._journal.keep_call(self._key, key, write(found))
        return found


_current: ContextVar[_Scope | None] = ContextVar("llmopt_journal", default=None)


@contextmanager
def journal_scope(journal: Journal, key: bytes) -> Generator[None, None, None]:
    """Keep the replies of journaled models within this block under the key."""
    token = _current.set(_Scope(journal, key))
    try:
        yield
    finally:
        _current.reset(token)


@dataclass(frozen=True, repr=False)
class JournaledModel(ChatModel):
    """A chat model whose replies are kept within a `journal_scope`; elsewhere it is the inner model."""

    passes_through: ClassVar[bool] = True
    inner: ChatModel

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Return the reply of an earlier run, else ask the inner model and keep what it says."""
        scope = _current.get()
        if scope is None:
            return await self.inner.acomplete(messages, options)
        request = chat_key(self.inner, messages, options)
        return await scope.reply(request, lambda: self.inner.acomplete(messages, options), to_json, from_json)

    def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        """Stream from the inner model; streams are not kept."""
        return self.inner.stream(messages, options)

    def price(self, usage: Usage) -> float | None:
        """Return what the inner model costs."""
        return self.inner.price(usage)


@dataclass(frozen=True, repr=False)
class JournaledEmbedder(Embedder):
    """An embedder whose vectors are kept within a `journal_scope`; elsewhere it is the inner embedder."""

    passes_through: ClassVar[bool] = True
    inner: Embedder

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return the rows of an earlier run, else ask the inner embedder and keep them."""
        scope = _current.get()
        if scope is None:
            return await call(self.inner.embed, texts, kind)
        request = json.dumps(["text", bare(self.inner).fingerprint(), kind, list(texts)]).encode()
        digest = hashlib.sha256(request).digest()
        return await scope.reply(digest, lambda: call(self.inner.embed, texts, kind), _rows_to_bytes, _rows_from_bytes)

    def price(self, usage: Usage) -> float | None:
        """Return what the inner embedder costs."""
        return self.inner.price(usage)


def _rows_to_bytes(rows: Matrix) -> bytes:
    content = io.BytesIO()
    np.save(content, np.asarray(rows, dtype=np.float32), allow_pickle=False)
    return content.getvalue()


def _rows_from_bytes(content: bytes) -> Matrix:
    rows: Matrix = np.load(io.BytesIO(content), allow_pickle=False)
    return rows
