"""A file of keys and values for replies and vectors that were paid for, safe across threads and processes."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from weakref import WeakValueDictionary, finalize

from ..._sync import call
from ...errors import StorageError
from .flights import Flights
from .sqlite import connect, explained, prepare, transaction

__all__ = ["Store", "StoreHandle", "same_file"]

_INLINE_KEYS = 32
_KEYS_PER_QUERY = 500
_CHECKSUM_BYTES = 4


class Store:
    """Keys and values, both bytes, in one SQLite file.

    When `write` returns, the entries are committed: killing the process (kill -9) cannot lose them. After a
    power cut or a crash of the operating system the last moments may be missing (write-ahead log,
    synchronous=NORMAL), and the file is undamaged. Entries that are written at the same time share one
    commit. Every value carries a checksum. Several processes may use one file.

    Args:
        path: The file; it and its folder are made if need be.

    Raises:
        StorageError: When the file is none of ours, damaged, locked or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.flights = Flights()
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            reader, writer = connect(path), connect(path)
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="llmopt-store")
            self._close = finalize(self, _close, os.getpid(), self._thread, reader, writer)
            self._reader, self._writer = reader, writer
            prepare(writer, path)
            self._identity = _identity(path)
        self._reading, self._committing, self._queueing = threading.Lock(), threading.Lock(), threading.Lock()
        self._queue: dict[bytes, bytes] = {}
        self._failed = False

    @property
    def is_current(self) -> bool:
        """Whether this is still the file at the path, and this process opened it."""
        return self._close.alive and self._identity == _identity(self.path)

    async def read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values of those keys that are there.

        Raises:
            StorageError: When the file is damaged. Also when something could not be written before and
                still cannot: nothing new should be paid for that cannot be kept.
        """
        if len(keys) <= _INLINE_KEYS and not self._failed:
            return self._read(keys)  # some microseconds: a thread would cost more
        return await call(self._read, keys)

    async def write(self, entries: Mapping[bytes, bytes]) -> None:
        """Write the entries; they are safe when this returns.

        Raises:
            StorageError: When they cannot be written. They are kept in memory and tried again with the next
                read or write.
        """
        with self._queueing:
            self._queue.update(entries)
        try:
            written = self._thread.submit(self._commit)
        except RuntimeError as error:
            raise StorageError(f"the cache {self.path} was removed or closed while it was being written to") from error
        # Shielded: what was paid for is written even when the call that brought it is cancelled.
        await asyncio.shield(asyncio.wrap_future(written))

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._close.alive:
            self._thread.submit(self._commit).result()
            with self._reading, self._committing:
                self._close()

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        if self._failed:
            self._commit()
        found: dict[bytes, bytes] = {}
        with self._reading, explained(self.path):
            for start in range(0, len(keys), _KEYS_PER_QUERY):
                asked = keys[start : start + _KEYS_PER_QUERY]
                query = f"SELECT key, value FROM entries WHERE key IN ({','.join('?' * len(asked))})"  # noqa: S608
                rows: Iterable[tuple[bytes, bytes]] = self._reader.execute(query, asked)
                found.update((key, self._checked(value)) for key, value in rows)
        return found

    def _commit(self) -> None:
        with self._committing:
            with self._queueing:
                batch, self._queue = self._queue, {}
            if not batch:
                return
            rows = [(key, _checksum(value) + value) for key, value in batch.items()]
            try:
                with explained(self.path), transaction(self._writer):
                    self._writer.executemany("INSERT OR REPLACE INTO entries (key, value) VALUES (?, ?)", rows)
            except BaseException:
                self._failed = True
                with self._queueing:
                    self._queue = {**batch, **self._queue}
                raise
            self._failed = False

    def _checked(self, packed: bytes) -> bytes:
        value = packed[_CHECKSUM_BYTES:]
        if packed[:_CHECKSUM_BYTES] != _checksum(value):
            raise sqlite3.DatabaseError("a value is not what was written")
        return value


class StoreHandle:
    """Where a component keeps its open store; a copy and a pickle start without one.

    All handles of one path in a process share a store, and with it what is being asked at the moment.
    """

    def __init__(self) -> None:
        self._stores: list[Store] = []

    async def get(self, path: str | Path) -> Store:
        """Return the store of the path, opening it if need be.

        Raises:
            StorageError: When it cannot be opened.
        """
        if self._stores and self._stores[-1].is_current:
            return self._stores[-1]
        store = await call(_open_stores.get, Path(path))
        # Stores of the process that this one was forked from stay in the list: closing them here could
        # make SQLite remove a log that the other process still needs.
        self._stores.append(store)
        return store

    def __reduce__(self) -> tuple[type[StoreHandle], tuple[()]]:
        """Copy and pickle as an empty one."""
        return type(self), ()


def same_file(path: str | Path, other: str | Path) -> bool:
    """Return whether two paths lead to the same file, existing or not."""
    return path == other or os.path.realpath(path) == os.path.realpath(other)


class _OpenStores:
    """The stores that are open in this process, by the absolute path of the file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stores: WeakValueDictionary[tuple[int, str], Store] = WeakValueDictionary()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew_lock)

    def get(self, path: Path) -> Store:
        key = os.getpid(), os.path.realpath(path)
        with self._lock:
            store = self._stores.get(key)
            if store is not None and not store.is_current:
                # The file was removed or replaced. Close ours first: SQLite finds its log by the file's name.
                store.close()
                store = None
            if store is None:
                store = self._stores[key] = Store(Path(key[1]))
            return store

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()


_open_stores = _OpenStores()


def _close(process: int, thread: ThreadPoolExecutor, *connections: sqlite3.Connection) -> None:
    if process == os.getpid():
        thread.shutdown(wait=False)
        for connection in connections:
            connection.close()


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - on the path of every call
    except OSError:
        return None
    return os.getpid(), status.st_dev, status.st_ino


def _checksum(value: bytes) -> bytes:
    return zlib.crc32(value).to_bytes(_CHECKSUM_BYTES, "big")
