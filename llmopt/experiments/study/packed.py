"""The samples of a study, packed for the page: the list at once, everything else in blocks that open when needed.

Each block is JSON, compressed by gzip and written in base64. `samples.js` and `detail.js` read them; the
order of the fields is theirs as well.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from ...evaluation import ModelCall, Row, Run
from ...evaluation.plain import to_plain
from ...types import Sample, Score
from ..diagnosis import Finding
from .content import StudyContent
from .texts import SharedTexts, TextPlace, marked, texts_of

__all__ = ["Block", "blocks_of"]

_SAMPLES, _TEXTS = 200, 2000  # per block: what opens in a few milliseconds
_LEVEL = 6
_DIGITS = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the data.

    Attributes:
        name: `index`, `answers-0`, `details-0`, `texts-0` and so on.
        content: Base64 of gzip of JSON.
    """

    name: str
    content: str


def blocks_of(study: StudyContent) -> list[Block]:
    """Return the samples of all variants, packed."""
    packer = _Packer(study)
    with ThreadPoolExecutor(4) as threads:  # the compressor releases the lock
        return list(threads.map(_block, *zip(*packer.parts(), strict=True)))


def _block(name: str, text: str) -> Block:
    try:
        data = text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which models do emit, has no UTF-8 form
        data = json.dumps(json.loads(text), separators=(",", ":")).encode()
    return Block(name, base64.b64encode(gzip.compress(data, _LEVEL, mtime=0)).decode("ascii"))


class _Packer:
    def __init__(self, study: StudyContent) -> None:
        self.study = study
        self.metrics = study.metrics
        self.rows = [{row.sample.id or f"#{n}": row for n, row in enumerate(v.report.rows)} for v in study.variants]
        self.ids = list(dict.fromkeys(id for rows in self.rows for id in rows))
        self.findings = {f.sample.id: f for f in study.diagnosis.findings} if study.diagnosis is not None else {}
        self.texts = SharedTexts()

    def parts(self) -> Iterator[tuple[str, str]]:
        """Yield names and JSON; the texts come last, when it is known which are shared."""
        yield "index", _dumped(self._index())
        details = [self._details(id) for id in self.ids]
        shared = self.texts.number()
        for number, ids in enumerate(_cut(self.ids, _SAMPLES)):
            yield f"answers-{number}", _dumped([self._answers(id) for id in ids])
        for number, some in enumerate(_cut(details, _SAMPLES)):
            yield f"details-{number}", _dumped(some)
        for number, texts in enumerate(_cut(shared, _TEXTS)):
            yield f"texts-{number}", _dumped(texts)

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

    def _details(self, id: str) -> list[object]:
        sample = self._sample(id)
        about = [sample.gold, sample.group, sample.answerable, to_plain(dict(sample.metadata), id, lenient=True)]
        finding = self.findings.get(id)
        rows = [self._row(found[id]) if id in found else None for found in self.rows]
        return [about, None if finding is None else _found(finding), rows]

    def _row(self, row: Row) -> list[object]:
        known, add = texts_of(row, self.metrics), self.texts.add
        return [
            [add(text) for text in row.sample.contexts],
            [add(id) for id in row.sample.context_ids],
            [self._score(row.scores.get(metric)) for metric in self.metrics],
            None if row.run is None else _run(row.run),
            [self._call(call, known) for call in row.calls],
        ]

    def _score(self, score: Score | None) -> object:
        if score is None or (not score.reason and not score.verdicts and not score.details):
            return _figure(score)
        add = self.texts.add
        verdicts = [[add(v.statement), v.holds, add(v.reason), v.probability] for v in score.verdicts]
        details = to_plain(dict(score.details), "details", lenient=True)
        return [_figure(score), add(score.reason), verdicts, details]

    def _call(self, call: ModelCall, known: Sequence[str]) -> list[object]:
        messages = [[message.role, *self._template(message.content, known)] for message in call.messages]
        for message, packed in zip(call.messages, messages, strict=True):
            packed += [f"{tool.name}({tool.arguments})" for tool in message.tool_calls]
        return [call.purpose, call.component, messages, *self._template(call.reply, known), call.cached, call.error]

    def _template(self, text: str, known: Sequence[str]) -> tuple[object, list[str]]:
        """Return the template with its nonces; a text that came before as it is needs no marks."""
        if text in self.texts.known and "\x01" not in text:
            return self.texts.add(text), []
        template, nonces = marked(text, known)
        return self.texts.add(template), nonces


def _figure(score: Score | None) -> float | str | None:
    """Return the value; None: undefined, "f": failed, "n": not measured here."""
    if score is None:
        return "n"
    if score.value is None:
        return "f" if score.status == "failed" else None
    return round(score.value, _DIGITS)


def _run(run: Run) -> list[object]:
    spent = run.spent
    usage = spent.usage
    cited = [citation.number for citation in run.citations]
    return [
        spent.seconds,
        spent.cost,
        usage.calls,
        usage.input_tokens,
        usage.output_tokens,
        run.outcome,
        run.failure,
        cited,
    ]


def _found(finding: Finding) -> list[object]:
    return [
        finding.cause,
        finding.axis,
        finding.reason,
        {name: list(scores) for name, scores in finding.scores.items()},
    ]


def _cut(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _place(value: object) -> str | int:
    if not isinstance(value, TextPlace):
        raise TypeError(f"{type(value).__name__} has no place in the page's data")
    return value.text if value.number < 0 else value.number


def _dumped(value: object) -> str:
    return json.dumps(value, default=_place, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
