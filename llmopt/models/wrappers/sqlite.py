"""What is said to SQLite: how a file is opened, and what its errors mean to the user."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ...errors import StorageError

__all__ = ["connect", "explained", "prepare", "transaction"]

_VERSION = 1
_APPLICATION = 0x6C6C6D6F  # "llmo": tells our files from other people's databases
_BUSY_SECONDS = 30.0
_WAL_RETRIES, _WAL_RETRY_SECONDS = 100, 0.05

_FRESH = "It is only a cache: delete it (with its -wal and -shm files) and what was in it is asked and paid for again"
_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process has been writing to it for too long: wait, or give each its own file",
    sqlite3.SQLITE_LOCKED: "another process has been writing to it for too long: wait, or give each its own file",
    sqlite3.SQLITE_CANTOPEN: "check that it is a file, that its folder exists and may be written to",
    sqlite3.SQLITE_CORRUPT: f"it is damaged. {_FRESH}",
    sqlite3.SQLITE_FULL: "the disk is full: make room, or put it elsewhere",
    sqlite3.SQLITE_IOERR: "the disk is full, too large a file for it, or failing: make room, or put it elsewhere",
    sqlite3.SQLITE_NOTADB: f"it is no database, or damaged. Choose another name. {_FRESH}",
    sqlite3.SQLITE_PERM: "check the rights of the file and its folder",
    sqlite3.SQLITE_READONLY: "check the rights of the file and its folder",
}


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection in autocommit mode that any thread may use, one at a time."""
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the table in a new file; refuse a file that is none of ours.

    Raises:
        StorageError: When it is somebody else's, or of a later version.
    """
    with transaction(connection):
        application, version = (_number(connection, f"PRAGMA {name}") for name in ("application_id", "user_version"))
        if application == 0 and _number(connection, "SELECT count(*) FROM sqlite_master") == 0:
            connection.execute("CREATE TABLE entries (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)")
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        elif application != _APPLICATION:
            raise StorageError(f"{path} is a database that llmopt did not write: choose another name")
        elif version != _VERSION:
            raise StorageError(
                f"{path} is a cache of format {version}, this version of llmopt writes format {_VERSION}: update "
                "llmopt, or choose another name"
            )
    # A log beside the file lets readers and a writer work at once; some network disks cannot hold one.
    durable_enough = "NORMAL" if _journal_mode(connection) == "wal" else "FULL"
    connection.execute(f"PRAGMA synchronous = {durable_enough}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None, None, None]:
    """Do all or nothing; other writers wait meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Generator[None, None, None]:
    """Turn what SQLite or the system complains about into a StorageError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code: int | None = getattr(error, "sqlite_errorcode", None)
        remedy = _REMEDIES.get(code & 0xFF, _FRESH) if code is not None else _FRESH
        raise StorageError(f"the cache {path} cannot be used ({error}): {remedy}") from error
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"the cache {path} cannot be made ({error}): choose another place") from error


def _journal_mode(connection: sqlite3.Connection) -> str:
    for _ in range(_WAL_RETRIES):
        try:
            mode: object = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            return str(mode)
        except sqlite3.OperationalError as error:  # two processes switch a new file at once; no busy timeout here
            if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise
            time.sleep(_WAL_RETRY_SECONDS)
    raise StorageError("the cache is locked by another process: wait, or give each its own file")


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
