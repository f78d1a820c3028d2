"""Embedders that never pay twice for the same text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, cast

import numpy as np

from ..._sync import call
from ..._trace import note, record, spend
from ...errors import ContractError, StorageError, UsageError
from ...interfaces import Component, Embedder
from ...types import Matrix, TextKind, Usage
from .flights import Landing
from .request_key import text_keys
from .store import Store, StoreHandle, same_file
from .vector_bytes import Embedded, from_bytes, to_bytes
from .wrapping import bare, below

__all__ = ["CachedEmbedder"]


@dataclass(repr=False, eq=False)
class CachedEmbedder(Embedder):
    """Keeps vectors in a file, so that a text is embedded once; the twin of `Cached`.

    Every text counts by itself: of a batch only the texts that are new are sent, all of them in one batch,
    each once. The same texts at the same time in one process are sent once. What is on file counts in the
    trace with its share of the original call, as cached.

    The key is the embedder's class and parameters, the kind and the text. An embedder that learns from a
    corpus is refused: its parameters do not tell what it has learnt.

    Args:
        inner: The embedder that is asked.
        path: The file; it and its folder are made if need be. It may be the one of a `Cached` model.

    Raises:
        StorageError: When the file is none of ours, damaged, locked or cannot be written.
        UsageError: When the embedder has learnt something.
        ContractError: When it returns the wrong number of rows or numbers that are not finite.

    Example:
        >>> from tempfile import mkdtemp
        >>> from llmopt.testing import FakeEmbedder
        >>> embedder = CachedEmbedder(FakeEmbedder(), Path(mkdtemp()) / "vectors.db")
        >>> _ = embedder.encode(["a", "b"], kind="document"), embedder.encode(["b", "c", "c"], kind="document")
        >>> embedder.inner.requests
        [('a', 'b'), ('c',)]
    """

    passes_through: ClassVar[bool] = True

    inner: Embedder
    path: str | Path
    _store: StoreHandle = field(init=False, default_factory=StoreHandle)

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return the vectors on file, and those of the rest from the inner embedder."""
        _check_has_not_learnt(self.inner)
        # Wrapped twice around one file, the outer one would wait for the inner one and the inner for the outer.
        if not texts or any(same_file(self.path, twin.path) for twin in below(self, CachedEmbedder)):
            return await call(self.inner.embed, texts, kind)
        store = await self._store.get(self.path)
        keys = text_keys(self.inner, texts, kind)
        wanted = dict(zip(keys, texts, strict=True))
        vectors: dict[bytes, Embedded] = {}
        while missing := {key: text for key, text in wanted.items() if key not in vectors}:
            # Lead for all that nobody else sends before waiting for anybody: so no two wait for each other.
            joined = {key: store.flights.join(key) for key in missing}
            ours = {key: missing[key] for key, landing in joined.items() if landing is None}
            vectors |= await self._lead(store, ours, kind)
            vectors |= await _from_others(store, joined)
        return _stacked([vectors[key] for key in keys], self.inner)

    def price(self, usage: Usage) -> float | None:
        """Return what the inner embedder costs."""
        return self.inner.price(usage)

    async def _lead(self, store: Store, texts: Mapping[bytes, str], kind: TextKind) -> dict[bytes, Embedded]:
        vectors: dict[bytes, Embedded] = {}
        error: Exception | None = None
        try:
            vectors = await _read(store, list(texts))
            _count_as_cached(list(vectors.values()))
            unknown = {key: text for key, text in texts.items() if key not in vectors}
            if unknown:
                fresh = await self._ask(unknown, kind)
                vectors |= fresh
                await _keep(store, fresh)
        except Exception as raised:
            error = raised
            raise
        finally:
            for key in texts:
                found = vectors.get(key)
                store.flights.land(key, Landing(found, None if found is not None else error))
        return vectors

    async def _ask(self, texts: Mapping[bytes, str], kind: TextKind) -> dict[bytes, Embedded]:
        with record("embed", self.inner) as recorder:
            rows = np.asarray(await call(self.inner.embed, list(texts.values()), kind), dtype=np.float32)
        _check_rows(rows, len(texts), self.inner)
        lengths = np.array([len(text) + 1 for text in texts.values()], dtype=np.float64)
        shares: list[float] = (lengths / lengths.sum()).tolist()
        tokens, cost = recorder.usage.input_tokens, recorder.cost
        return {
            key: Embedded(row, tokens * share, None if cost is None else cost * share)
            for key, row, share in zip(texts, rows, shares, strict=True)
        }


async def _from_others(store: Store, joined: Mapping[bytes, Future[Landing] | None]) -> dict[bytes, Embedded]:
    vectors: dict[bytes, Embedded] = {}
    for key, under_way in joined.items():
        if under_way is None:
            continue
        landing = await store.flights.wait(under_way)
        if landing.error is not None:
            raise landing.error
        if landing.value is not None:
            vectors[key] = cast(Embedded, landing.value)
    _count_as_cached(list(vectors.values()))
    return vectors


async def _read(store: Store, keys: Sequence[bytes]) -> dict[bytes, Embedded]:
    try:
        return {key: from_bytes(data) for key, data in (await store.read(keys)).items()}
    except ValueError as error:
        raise StorageError(f"the cache {store.path} holds something that is no vector ({error}): delete it") from error


async def _keep(store: Store, vectors: Mapping[bytes, Embedded]) -> None:
    try:
        await store.write({key: to_bytes(embedded) for key, embedded in vectors.items()})
    except StorageError as error:  # they are paid for: use them; the next call raises before it sends anything
        note("not cached", str(error))


def _count_as_cached(vectors: Sequence[Embedded]) -> None:
    if vectors:
        costs = [embedded.cost for embedded in vectors if embedded.cost is not None]
        usage = Usage(input_tokens=round(sum(embedded.tokens for embedded in vectors)))
        spend(usage, sum(costs) if len(costs) == len(vectors) else None, cached=True)


def _check_has_not_learnt(embedder: Embedder) -> None:
    below = type(bare(embedder))
    if below.write_state is not Component.write_state:
        raise UsageError(
            f"{below.__name__} learns from a corpus, and its vectors cannot be kept by its parameters alone: use it "
            "without a cache"
        )


def _check_rows(rows: Matrix, count: int, embedder: Embedder) -> None:
    name = type(bare(embedder)).__name__
    if rows.ndim != 2 or rows.shape[0] != count:
        raise ContractError(f"`{name}.embed` must return {count} rows for {count} texts, its shape is {rows.shape}")
    if not np.isfinite(rows).all():
        raise ContractError(f"`{name}.embed` returned NaN or infinity; nothing of it is kept")


def _stacked(vectors: Sequence[Embedded], embedder: Embedder) -> Matrix:
    sizes = sorted({embedded.vector.size for embedded in vectors})
    if len(sizes) > 1:
        raise ContractError(
            f"`{type(bare(embedder)).__name__}` has made vectors of {sizes} numbers under the same parameters: is "
            "another model behind the name? Use another cache file"
        )
    return np.stack([embedded.vector for embedded in vectors])
