"""The journal of a run: a SQLite file that holds every finished piece of work the moment it is finished."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import StorageError

__all__ = ["Journal"]

_APPLICATION = 0x6C6C6D6A  # "llmj": tells our files from other people's databases
_VERSION = 1
_SYNC_SECONDS = 1.0
_SYNC_WRITES = 500
_TABLES = (
    "CREATE TABLE results (key BLOB PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE calls (scope BLOB, key BLOB, body BLOB NOT NULL, PRIMARY KEY (scope, key)) WITHOUT ROWID",
)
_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another run is using it: wait until that one ends, or give this one a journal of its own",
    sqlite3.SQLITE_LOCKED: "another run is using it: wait until that one ends, or give this one a journal of its own",
    sqlite3.SQLITE_FULL: "the disk is full. What was finished before is in it: make room and run again",
    sqlite3.SQLITE_IOERR: "the disk is full or failing. What was finished before is in it: make room and run again",
    sqlite3.SQLITE_CORRUPT: "it is damaged: rename it, and what was in it is measured and paid for again",
    sqlite3.SQLITE_NOTADB: "it is no journal, or damaged: choose another name",
    sqlite3.SQLITE_CANTOPEN: "check that its folder exists and may be written to",
    sqlite3.SQLITE_READONLY: "check the rights of the file and its folder",
}


class Journal:
    """A file of finished work, open for one run at a time; use it as a context manager.

    Every write is handed to the system at once, so a killed process loses nothing that was finished; it is
    forced to the disk about every second and at the end, so a power cut loses about a second.

    Args:
        path: The file; made if it is not there.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._unsynced = 0
        self._synced = 0.0

    def __enter__(self) -> Self:
        """Open the file and keep others out.

        Raises:
            StorageError: When another run uses it, it is damaged, or it is none of ours.
        """
        with self._explained():
            connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                _prepare(connection, self.path)
            except BaseException:
                connection.close()
                raise
        self._connection = connection
        self._synced = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Force everything to the disk and let others in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with self._lock:
                connection.close()

    def result(self, key: bytes) -> str | None:
        """Return what was kept under the key."""
        rows = self._run("SELECT body FROM results WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    def keep_result(self, key: bytes, body: str) -> None:
        """Keep a finished piece of work.

        Raises:
            StorageError: When it cannot be written (a full disk).
        """
        self._write("INSERT OR REPLACE INTO results VALUES (?, ?)", (key, body))

    def forget_result(self, key: bytes) -> None:
        """Drop what was kept under the key."""
        if self.result(key) is not None:
            self._write("DELETE FROM results WHERE key = ?", (key,))

    def call(self, scope: bytes, key: bytes) -> bytes | None:
        """Return the reply that was kept for a request within a piece of work that is not finished."""
        rows = self._run("SELECT body FROM calls WHERE scope = ? AND key = ?", (scope, key))
        return next((body for body, *_ in rows if isinstance(body, bytes)), None)

    def keep_call(self, scope: bytes, key: bytes, body: bytes) -> None:
        """Keep a reply until its piece of work is finished."""
        self._write("INSERT OR REPLACE INTO calls VALUES (?, ?, ?)", (scope, key, body))

    def forget_calls(self, scope: bytes) -> None:
        """Drop the replies of a finished piece of work."""
        if self._run("SELECT 1 FROM calls WHERE scope = ? LIMIT 1", (scope,)):
            self._write("DELETE FROM calls WHERE scope = ?", (scope,))

    def _write(self, query: str, values: tuple[bytes | int | str, ...]) -> None:
        self._run(query, values)
        self._unsynced += 1
        now = time.monotonic()
        if self._unsynced >= _SYNC_WRITES or now - self._synced >= _SYNC_SECONDS:
            self._run("PRAGMA wal_checkpoint(PASSIVE)", ())
            self._unsynced, self._synced = 0, now

    def _run(self, query: str, values: tuple[bytes | int | str, ...]) -> list[tuple[bytes | str, ...]]:
        with self._lock, self._explained():
            if self._connection is None:
                raise StorageError(f"the journal {self.path} is closed")
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _explained(self) -> Generator[None, None, None]:
        try:
            yield
        except sqlite3.Error as error:
            code: int | None = getattr(error, "sqlite_errorcode", None)
            remedy = _REMEDIES.get((code or 0) & 0xFF, "choose another name")
            raise StorageError(f"the journal {self.path} cannot be used ({error}): {remedy}") from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")
    application, version, tables = (
        int(connection.execute(query).fetchone()[0])
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application == 0 and tables == 0:
        for table in _TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    elif application != _APPLICATION:
        raise StorageError(f"{path} is a database that is no journal of llmopt: choose another name")
    elif version != _VERSION:
        raise StorageError(
            f"{path} is a journal of format {version}, this llmopt writes format {_VERSION}: choose another name"
        )
    connection.execute("COMMIT")
