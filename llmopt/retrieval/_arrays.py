"""Arrays of an index as files: `.npy` without objects, mapped into memory instead of read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from ..errors import StorageError

__all__ = ["map_array", "read_header", "save_array", "write_header"]

_HEADER = "index.json"

S = TypeVar("S", bound=np.generic)


def write_header(folder: Path, kind: str, version: int, values: Mapping[str, object]) -> None:
    """Write what an index is, the version of its format, and a few values."""
    content = {"index": kind, "version": version, **values}
    (folder / _HEADER).write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_header(folder: Path, kind: str, version: int) -> dict[str, object]:
    """Return what `write_header` wrote.

    Raises:
        StorageError: When it is missing, damaged, of another kind of index or of another version.
    """
    try:
        header = cast("dict[str, object]", json.loads((folder / _HEADER).read_text("utf-8")))
        found = (header["index"], header["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{folder / _HEADER} cannot be read ({error!r}): index the documents again") from error
    if found != (kind, version):
        raise StorageError(
            f"{folder} holds a {found[0]} index of version {found[1]}, expected {kind} of version {version}: "
            "index the documents again, or use the llmopt that wrote it"
        )
    return header


def save_array(path: Path, array: npt.NDArray[S]) -> None:
    """Write an array of plain numbers."""
    np.save(path, array, allow_pickle=False)


def map_array(path: Path, kind: type[S], *shape: int | None) -> npt.NDArray[S]:
    """Return the array as a read-only view of the file.

    Args:
        path: The `.npy` file.
        kind: The type of its numbers.
        shape: The expected lengths, None where any will do.

    Raises:
        StorageError: When it is missing, is no array file, or has another type or shape.
    """
    try:
        mapped: npt.NDArray[np.generic] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise StorageError(f"{path} cannot be read as an array ({error}): index the documents again") from error
    fits = len(mapped.shape) == len(shape) and all(
        want in {None, got} for want, got in zip(shape, mapped.shape, strict=True)
    )
    if mapped.dtype != np.dtype(kind) or not fits:
        raise StorageError(
            f"{path} holds {mapped.dtype} numbers of shape {mapped.shape}, expected {np.dtype(kind)} of shape "
            f"{shape}: index the documents again"
        )
    return cast("npt.NDArray[S]", mapped)
