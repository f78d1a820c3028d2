"""Files and folders that are written whole or not at all, with checksums."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import StorageError

__all__ = ["read_folder", "write_folder", "write_text"]

_MANIFEST = "manifest.json"
_BLOCK = 1 << 20


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically: readers see the old content or the new, never a half.

    Raises:
        StorageError: When it cannot be written (no folder, no space, no right).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error}") from error


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Make the folder `path` with what `fill` writes and a manifest of checksums, atomically.

    A folder of ours that stands there is replaced; anything else there is left alone.

    Raises:
        StorageError: When it cannot be written, or `path` is something that we did not write.
    """
    if path.exists() and not (path / _MANIFEST).is_file() and not _is_empty_folder(path):
        raise StorageError(f"{path} exists and was not written by llmopt: choose another name or remove it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            fill(fresh)
            manifest = {str(file.relative_to(fresh)): _checksum(file) for file in _files(fresh)}
            (fresh / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
            _swap(fresh, path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error}") from error


def read_folder(path: Path) -> Path:
    """Check a folder that `write_folder` made and return it.

    Raises:
        StorageError: When it is not there, or a file is missing or differs from its checksum.
    """
    try:
        manifest: dict[str, str] = json.loads((path / _MANIFEST).read_text("utf-8"))
        for name, checksum in manifest.items():
            if _checksum(path / name) != checksum:
                raise StorageError(f"{path / name} is damaged: its checksum is not the one that was written")
    except StorageError:
        raise
    except (OSError, ValueError, AttributeError) as error:
        raise StorageError(f"{path} cannot be read as a folder that llmopt saved: {error}") from error
    return path


def _swap(fresh: Path, path: Path) -> None:
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    if path.exists():
        path.rename(old)
    fresh.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _checksum(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
