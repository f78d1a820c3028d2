"""The samples of a study, packed for the page: the list at once, everything else in blocks that open when needed.

Each block is JSON, compressed by gzip and written as text by `base91`. `samples.js` and `detail.js` read them; the
order of the fields is theirs as well.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from pydantic_core import to_json

from ...evaluation.plain import Json, to_plain
from ...types import Sample, Score
from ..diagnosis import Finding
from .base91 import base91
from .content import StudyContent
from .details import Details
from .texts import SharedTexts

__all__ = ["Block", "blocks_of"]

_SAMPLES, _TEXTS = 400, 500  # per block: what opens in a few milliseconds
_LEVEL = 5  # 9 makes the page 4 % smaller in four times the time
_DIGITS = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the data.

    Attributes:
        name: `index`, `answers-0`, `details-0`, `texts-0` and so on.
        content: JSON, by gzip, by `base91`.
        bytes: Of the gzip.
    """

    name: str
    content: str
    bytes: int


def blocks_of(study: StudyContent) -> list[Block]:
    """Return the samples of all variants, packed."""
    with ThreadPoolExecutor(4) as threads:  # the compressor releases the lock
        packing = [threads.submit(_block, name, data) for name, data in _Packer(study).parts()]
        return [each.result() for each in packing]


def _block(name: str, data: bytes) -> Block:
    packed = gzip.compress(data, _LEVEL, mtime=0)
    return Block(name, base91(packed), len(packed))


class _Packer:
    def __init__(self, study: StudyContent) -> None:
        self.study = study
        self.metrics = study.metrics
        self.rows = [{row.sample.id or f"#{n}": row for n, row in enumerate(v.report.rows)} for v in study.variants]
        self.ids = list(dict.fromkeys(id for rows in self.rows for id in rows))
        self.findings = {f.sample.id: f for f in study.diagnosis.findings} if study.diagnosis is not None else {}
        self.texts = SharedTexts()
        self.details = Details(self.metrics, self.texts)

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Yield names and JSON; the texts come last, when all are known."""
        yield "index", _written(self._index())
        for number, ids in enumerate(_cut(self.ids, _SAMPLES)):
            yield f"answers-{number}", _written([self._answers(id) for id in ids])
            # Field by field: like stands by like, which compresses better.
            fields = list(map(_listed, zip(*map(self._fields, ids), strict=True)))
            yield f"details-{number}", _listed([_written(self.details.requests()), *fields])
        for number, texts in enumerate(_cut(list(self.texts.numbers), _TEXTS)):
            yield f"texts-{number}", _written(texts)

    def _index(self) -> Mapping[str, object]:
        samples = [self._sample(id) for id in self.ids]
        categories = list(dict.fromkeys(sample.category for sample in samples))
        places = {category: place for place, category in enumerate(categories)}
        causes = list(dict.fromkeys(finding.cause for finding in self.findings.values()))
        return {
            "target": self.study.target,
            "metrics": self.metrics,
            "variants": [{"name": v.name, "decision": v.decision} for v in self.study.variants],
            "top": self.study.top,
            "perBlock": _SAMPLES,
            "textsPerBlock": _TEXTS,
            "ids": self.ids,
            "questions": [sample.question for sample in samples],
            "categories": categories,
            "category": [places[sample.category] for sample in samples],
            "causes": causes,
            "cause": [causes.index(self.findings[id].cause) if id in self.findings else -1 for id in self.ids],
            "scores": [
                [
                    [_figure(rows[id].scores.get(metric) if id in rows else None) for id in self.ids]
                    for metric in self.metrics
                ]
                for rows in self.rows
            ],
        }

    def _sample(self, id: str) -> Sample:
        return next(rows[id].sample for rows in self.rows if id in rows)

    def _answers(self, id: str) -> list[object]:
        """Return the reference and each variant's answer; one that an earlier variant gave is that one's number."""
        found: list[object] = [self._sample(id).reference]
        earlier: dict[str, int] = {}
        for number, rows in enumerate(self.rows):
            answer = rows[id].sample.answer if id in rows else None
            if answer is not None and answer in earlier and len(answer) > 2:
                found.append(earlier[answer])
            else:
                earlier.setdefault(answer or "", number)
                found.append(answer)
        return found

    def _fields(self, id: str) -> list[bytes]:
        """Return the fields of a sample as JSON: bytes, unlike lists, cost the garbage collector nothing."""
        sample = self._sample(id)
        about = [sample.gold, sample.group, sample.answerable, sample.metadata]
        finding = self.findings.get(id)
        rows = [self.details.of(found[id]) if id in found else self.details.absent for found in self.rows]
        fields = [about, None if finding is None else _found(finding), *zip(*rows, strict=True)]
        return list(map(_written, fields))


def _figure(score: Score | None) -> float | str | None:
    """Return the value; None: undefined, "f": failed, "n": not measured here."""
    if score is None:
        return "n"
    if score.value is None:
        return "f" if score.status == "failed" else None
    return round(score.value, _DIGITS)


def _found(finding: Finding) -> list[object]:
    return [
        finding.cause,
        finding.axis,
        finding.reason,
        {name: list(scores) for name, scores in finding.scores.items()},
    ]


def _written(value: object) -> bytes:
    """Return JSON; what has no form there, which metadata and details may hold, as text."""
    try:
        return to_json(value, inf_nan_mode="strings", fallback=_plain)
    except ValueError:  # half a surrogate pair, which models do emit, has no UTF-8 form
        text = json.dumps(value, default=_plain)
        return json.dumps(json.loads(text, parse_constant=str), separators=(",", ":")).encode()


def _plain(value: object) -> Json:
    return to_plain(value, "it", lenient=True)


def _listed(items: Iterable[bytes]) -> bytes:
    return b"[%b]" % b",".join(items)


def _cut(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
