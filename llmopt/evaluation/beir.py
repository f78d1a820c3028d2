"""Retrieval test sets in the layout of BEIR: a folder with a corpus, queries and graded judgements.

Layout: `corpus.jsonl` ({_id, title, text}), `queries.jsonl` ({_id, text}), `qrels/<split>.tsv` (a heading, which may
be missing, then query id, corpus id and grade, separated by tabs). Source: Thakur et al. (2021), BEIR.
"""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from ..errors import SampleError
from ..types import Document
from .plain import Json
from .sample_lines import json_records
from .sample_records import Record
from .tabular import open_text

__all__ = ["beir_corpus", "beir_records"]


def beir_corpus(folder: str | PathLike[str]) -> Iterator[Document]:
    """Yield the documents of a BEIR folder: the title, a line break, the text; the title is metadata as well.

    Raises:
        SampleError: When a line lacks its id or text.
        StorageError: When there is no such file.
    """
    for record in json_records(Path(folder) / "corpus.jsonl"):
        id, text = _text(record, "_id"), _text(record, "text")
        title = record.values.get("title") or ""
        metadata = {"title": title} if title else {}
        yield Document(id, f"{title}\n{text}" if title else text, metadata)


def beir_records(folder: Path, split: str) -> Iterator[Record]:
    """Yield the queries that the split judges, with `gold` and `metadata["qrels"]`.

    Raises:
        SampleError: When a line of the judgements does not parse, or the split is not there.
    """
    judged = _judgements(folder, split)
    number = 0
    for record in json_records(folder / "queries.jsonl"):
        id = _text(record, "_id")
        if id in judged:
            number += 1
            grades = judged[id]
            gold: list[Json] = [document for document, grade in grades.items() if grade > 0]
            metadata: dict[str, Json] = {"qrels": {**grades}}
            values: dict[str, Json] = {"id": id, "question": _text(record, "text"), "gold": gold, "metadata": metadata}
            yield Record(record.place, number, values)


def _judgements(folder: Path, split: str) -> dict[str, dict[str, int]]:
    path = folder / "qrels" / f"{split}.tsv"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in path.parent.glob("*.tsv"))) or "none"
        raise SampleError(f"{folder} has no judgements {split!r} (qrels/{split}.tsv); there are: {there}")
    judged: dict[str, dict[str, int]] = {}
    with open_text(path) as file:
        for line, text in enumerate(file, 1):
            cells = text.rstrip("\r\n").split("\t")
            if not text.strip() or (line == 1 and not _is_whole(cells[-1])):
                continue
            try:
                query, document, grade = cells
                judged.setdefault(query, {})[document] = int(grade)
            except ValueError:
                raise SampleError(
                    f"{path}, line {line}: expected a query id, a corpus id and a whole number, separated by tabs, got "
                    f"{text[:60]!r}"
                ) from None
    return judged


def _is_whole(grade: str) -> bool:
    try:
        int(grade)
    except ValueError:
        return False
    return True


def _text(record: Record, name: str) -> str:
    value = record.values.get(name)
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise SampleError(f"{record.place}: `{name}` must be text, got {type(value).__name__}")
    return str(value)
