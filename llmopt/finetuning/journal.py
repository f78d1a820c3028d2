"""What has been uploaded and submitted, in a file per data set and settings, written at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from .._files import write_text
from ..errors import StorageError
from .raw import Record, as_list, as_record, as_text

__all__ = ["Journal", "digest_of"]


def digest_of(parts: Sequence[bytes | Path]) -> str:
    """Return a hash of bytes and files, the same for the same data and settings."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, bytes):
            digest.update(part)
        else:
            with part.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


class Journal:
    """The state file of one data set with one set of settings.

    Args:
        folder: Of all state files; it is made.
        name: Of this one.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.json"
        self._state = dict(_read(self._path))

    @property
    def files(self) -> Mapping[str, str]:
        """The ids of the files that are uploaded, by `training` and `validation`."""
        return {key: as_text(value) for key, value in as_record(self._state.get("files")).items()}

    def note(self, *, files: Mapping[str, str] | None = None, job_id: str | None = None, base: str = "") -> None:
        """Write down what has just happened.

        Raises:
            StorageError: When it cannot be written; the message holds the id, so that it is not lost.
        """
        if files is not None:
            self._state["files"] = dict(files)
        if job_id is not None:
            job = {"job_id": job_id, "base": base, "submitted": datetime.now(UTC).isoformat(timespec="seconds")}
            self._state["jobs"] = [*as_list(self._state.get("jobs")), job]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._path, json.dumps(self._state, indent=1))
        except OSError as error:
            what = f"job {job_id} was created (attach({job_id!r}) waits for it)" if job_id else f"uploaded: {files}"
            raise StorageError(f"{what}, but its state file cannot be written: {error}") from error

    @staticmethod
    def job_ids(folder: Path) -> list[str]:
        """Return the ids of all jobs written in a folder, the newest last."""
        jobs = [as_record(job) for path in folder.glob("*.json") for job in as_list(_read(path).get("jobs"))]
        return [as_text(job.get("job_id")) for job in sorted(jobs, key=lambda job: as_text(job.get("submitted")))]


def _read(path: Path) -> Record:
    try:
        return as_record(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StorageError(f"the state file {path} cannot be read ({error}): repair or remove it") from error
