"""Files and folders that are written whole or not at all, with checksums.

A saved folder holds `manifest.json` and one folder `content-...`; the manifest names it, with the size
and the SHA-256 of every file. A new version is written beside the old one and becomes the content by
one atomic rename of the manifest, so readers see the old version or the new whenever the writer stops.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

from .errors import StorageError

__all__ = ["read_folder", "write_folder", "write_text"]

_MANIFEST = "manifest.json"
_CONTENT = "content-"
_FORMAT = "llmopt folder"
_VERSION = 1
_STALE_SECONDS = 86_400.0
_REMEDY = "restore the folder from a copy, or make and save the component again"


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically: readers see the old content or the new, never a half.

    Raises:
        StorageError: When it cannot be written (no folder, no space, no right, no valid Unicode).
    """
    temporary = path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex}.tmp")
    try:
        try:
            with temporary.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except (OSError, UnicodeEncodeError) as error:
        raise StorageError(f"cannot write {path}: {error}") from error


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Make the folder `path` hold what `fill` writes, with checksums, all or nothing.

    Files of equal content are stored once where the file system has hard links. A folder of ours that
    stands there is replaced; anything else there is left alone.

    Args:
        path: The folder; its parents are made.
        fill: Writes into the empty folder that it is given.

    Raises:
        StorageError: When it cannot be written, or `path` is something that we did not write.
    """
    if path.exists() and not _is_ours(path):
        raise StorageError(f"{path} exists and was not written by llmopt: choose another name or remove it")
    content = path / f"{_CONTENT}{uuid.uuid4().hex[:12]}"
    try:
        content.mkdir(parents=True)
        try:
            fill(content)
            _publish(path, content)
        except BaseException:
            shutil.rmtree(content, ignore_errors=True)
            with suppress(OSError):
                path.rmdir()
            raise
    except (OSError, UnicodeEncodeError) as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"cannot write {path}: {error}") from error


def read_folder(path: Path) -> Path:
    """Check a folder that `write_folder` made and return the folder inside it that holds the files.

    Raises:
        StorageError: When it is not there, a file is missing or damaged, or a newer llmopt wrote it.
    """
    manifest = _read_manifest(path)
    try:
        return _verified(path, manifest)
    except StorageError:
        again = _read_manifest(path)
        if again.content == manifest.content:
            raise
        return _verified(path, again)  # a writer replaced the content after we had read the manifest


@dataclass(frozen=True, slots=True)
class _File:
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Manifest:
    content: str
    files: Mapping[str, _File]


def _publish(path: Path, content: Path) -> None:
    files = _settled(content)
    known = {name: {"bytes": file.bytes, "sha256": file.sha256} for name, file in files.items()}
    manifest = {"format": _FORMAT, "version": _VERSION, "content": content.name, "files": known}
    before = ""
    with suppress(StorageError):
        before = _read_manifest(path).content
    write_text(path / _MANIFEST, json.dumps(manifest, indent=1))
    for other in path.glob(f"{_CONTENT}*"):
        # Besides the version that we replace, only what a killed writer left behind long ago goes.
        if other != content and (other.name == before or time.time() - other.stat().st_mtime > _STALE_SECONDS):
            shutil.rmtree(other, ignore_errors=True)


def _settled(content: Path) -> dict[str, _File]:
    """Bring the files to the disk, store equal ones once, and return sizes and checksums by name."""
    files: dict[str, _File] = {}
    first: dict[str, Path] = {}
    for path in sorted(content.rglob("*")):
        if path.is_dir():
            _sync_folder(path)
            continue
        with path.open("rb+") as file:
            os.fsync(file.fileno())
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        files[path.relative_to(content).as_posix()] = _File(path.stat().st_size, checksum)
        if first.setdefault(checksum, path) != path:
            _link(first[checksum], path)
    _sync_folder(content)
    return files


def _link(original: Path, copy: Path) -> None:
    """Replace a copy by a hard link; where links are not to be had the copy stays."""
    link = copy.with_name(f"{copy.name}.link")
    try:
        link.hardlink_to(original)
        link.replace(copy)
    except OSError:
        link.unlink(missing_ok=True)


def _read_manifest(path: Path) -> _Manifest:
    try:
        data = cast("dict[str, object]", json.loads((path / _MANIFEST).read_text("utf-8")))
        if data["format"] != _FORMAT:
            raise ValueError(f"its format is {data['format']!r}, not {_FORMAT!r}")
        version = data["version"]
        if version != _VERSION:
            raise StorageError(
                f"{path} was written in version {version} of the folder format, this llmopt reads version {_VERSION}: "
                "use the llmopt that wrote it, or make and save the component again"
            )
        files = cast("dict[str, dict[str, object]]", data["files"])
        known = {name: _File(int(str(file["bytes"])), str(file["sha256"])) for name, file in files.items()}
        return _Manifest(_plain(str(data["content"])), {_plain(name): file for name, file in known.items()})
    except StorageError:
        raise
    except FileNotFoundError as error:
        what = f"it has no {_MANIFEST}" if path.is_dir() else "there is no such folder"
        raise StorageError(f"{path} is not a folder that llmopt saved, {what}: check the path") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"{path / _MANIFEST} cannot be read ({error!r}): {_REMEDY}") from error


def _plain(name: str) -> str:
    """Return a name that stays within the folder."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise ValueError(f"{name!r} leads out of the folder")
    return name


def _verified(path: Path, manifest: _Manifest) -> Path:
    content = path / manifest.content
    for name, expected in manifest.files.items():
        try:
            size = (content / name).stat().st_size
            with (content / name).open("rb") as file:
                checksum = "" if size != expected.bytes else hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise StorageError(f"{content / name} is missing or cannot be read ({error}): {_REMEDY}") from error
        if size != expected.bytes:
            raise StorageError(f"{content / name} has {size} bytes and should have {expected.bytes}: {_REMEDY}")
        if checksum != expected.sha256:
            raise StorageError(f"{content / name} is damaged, its checksum is not the one written: {_REMEDY}")
    return content


def _is_ours(path: Path) -> bool:
    """Return whether the path is an empty folder or one that we made, finished or not."""
    if not path.is_dir():
        return False
    names = [entry.name for entry in path.iterdir()]
    foreign = [name for name in names if not name.startswith((_CONTENT, f".{_MANIFEST}.")) and name != _MANIFEST]
    return not foreign and (not names or names != [_MANIFEST])


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder last; systems that cannot open folders do without."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
