"""The sets with human labels that judges are measured on, from ../shared/data; nothing of them is shipped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from llmopt.interfaces import Embedder
from llmopt.models.local.onnx_embedder import OnnxEmbedder
from llmopt.types import Matrix, TextKind

__all__ = ["Case", "Remembering", "available", "embedder_at", "in_fitting_half", "load_set", "names", "read", "texts"]

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Case:
    """A text, what it is to be supported by, and what people said.

    Attributes:
        text: A claim or a whole answer.
        contexts: What it should follow from.
        unsupported: The human label.
        group: Cases that belong together.
        question: The question, where there is one.
    """

    text: str
    contexts: tuple[str, ...]
    unsupported: bool
    group: str
    question: str = ""


@dataclass(repr=False, eq=False)
class Remembering(Embedder):
    """Embeds every text once; the sets repeat their contexts."""

    inner: Embedder
    rows: dict[str, Matrix] = field(init=False, default_factory=dict[str, Matrix])

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return the rows, of which only the new ones are computed."""
        new = [text for text in dict.fromkeys(texts) if text not in self.rows]
        if new:
            self.rows.update(zip(new, self.inner.encode(new, kind=kind), strict=True))
        return np.array([self.rows[text] for text in texts])


def embedder_at(folder: Path | None) -> Embedder | None:
    return None if folder is None else Remembering(OnnxEmbedder(str(folder)))


def in_fitting_half(case: Case) -> bool:
    """Return whether a case is in the half that weights may be fitted on; whole groups stay together."""
    return hashlib.sha256(case.group.encode()).digest()[1] % 2 == 1


def available() -> bool:
    return DATA.is_dir()


def load_set(name: str) -> list[Case]:
    return _LOADERS[name]()


def names() -> list[str]:
    return list(_LOADERS)


def read(path: str) -> list[Row]:
    with (DATA / path).open(encoding="utf-8") as lines:
        return [cast("Row", json.loads(line)) for line in lines]


def texts(path: str) -> dict[str, str]:
    return {str(row.get("id", row.get("_id"))): f"{row.get('title') or ''} {row['text']}".strip() for row in read(path)}


def _strings(value: object) -> tuple[str, ...]:
    return tuple(map(str, cast("list[object]", value)))


def _factscore() -> list[Case]:
    found: list[Case] = []
    for row in read("factscore-instructgpt/dev.jsonl"):
        for fact in cast("list[Row]", row["facts"]):
            contexts = _strings(row["contexts"])
            found.append(Case(str(fact["fact"]), contexts, fact["label"] == 1, str(row["id"])))
    return found


def _mnli() -> list[Case]:
    return [
        Case(str(row["hypothesis"]), (str(row["premise"]),), row["label"] != "entailment", str(row["id"]))
        for row in read("mnli-dev/dev.jsonl")
    ]


def _climate() -> list[Case]:
    return [
        Case(str(row["answer"]), _strings(row["contexts"]), row["label"] == 1, str(row["answer"]))
        for row in read("climate-fever/data.jsonl")
    ]


def _summedits() -> list[Case]:
    documents = texts("summedits-dev/docs.jsonl")
    return [
        Case(
            str(row["answer"]),
            tuple(documents[id] for id in _strings(row["context_ids"])),
            row["label"] == 1,
            _strings(row["context_ids"])[0],
        )
        for row in read("summedits-dev/data.jsonl")
    ]


def _begin() -> list[Case]:
    return [
        Case(str(row["answer"]), _strings(row["contexts"]), row["label"] == 1, str(row["id"]), str(row["question"]))
        for row in read("begin-dev/data.jsonl")
    ]


def _mtrag() -> list[Case]:
    documents = texts("mtrag-human/docs.jsonl")
    return [
        Case(
            str(row["answer"]),
            tuple(documents[id] for id in _strings(row["context_ids"])),
            row["label"] == 1,
            str(row["id"]).split("|", maxsplit=1)[0],
            str(row["question"]),
        )
        for row in read("mtrag-human/data.jsonl")
    ]


def _scifact() -> list[Case]:
    documents = texts("scifact/corpus.jsonl")
    labels: dict[tuple[str, str], bool] = {}
    for row in read("scifact/claim_evidence.jsonl"):
        labels[str(row["claim"]), str(row["doc_id"])] = row["label"] != "SUPPORT"
    return [Case(claim, (documents[id],), bad, claim) for (claim, id), bad in labels.items()]


_LOADERS: Mapping[str, Callable[[], list[Case]]] = {
    "factscore": _factscore,
    "mnli": _mnli,
    "climate-fever": _climate,
    "summedits": _summedits,
    "begin": _begin,
    "mtrag-human": _mtrag,
    "scifact": _scifact,
}
