"""The samples of a study, packed for the page: the list at once, everything else in blocks that open when needed.

Each block is JSON, compressed by gzip and written as text by `base91`. `samples.js` and `detail.js` read them; the
order of the fields is theirs as well.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from ...evaluation import Row, Run
from ...evaluation.plain import to_plain
from ...types import Sample, Score, ToolCall
from ..diagnosis import Finding
from .base91 import base91
from .content import StudyContent
from .texts import Marks, SharedTexts, marked, without_nonces

__all__ = ["Block", "blocks_of"]

_SAMPLES, _TEXTS = 400, 500  # per block: what opens in a few milliseconds
_LEVEL = 9
_DIGITS = 4

_SIMPLE = frozenset({str, int, bool, type(None)})

T = TypeVar("T")
_written = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


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
        packing = [threads.submit(_block, name, text) for name, text in _Packer(study).parts()]
        return [each.result() for each in packing]


def _block(name: str, text: str) -> Block:
    try:
        data = text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which models do emit, has no UTF-8 form
        data = json.dumps(json.loads(text)).encode()
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

    def parts(self) -> Iterator[tuple[str, str]]:
        """Yield names and JSON; the texts come last, when all are known."""
        yield "index", _written(self._index())
        for number, ids in enumerate(_cut(self.ids, _SAMPLES)):
            yield f"answers-{number}", _written([self._answers(id) for id in ids])
            # Field by field: like stands by like, which compresses better.
            yield f"details-{number}", _listed(map(_listed, zip(*map(self._details, ids), strict=True)))
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

    def _details(self, id: str) -> list[str]:
        """Return the fields of a sample as JSON: texts, unlike lists, cost the garbage collector nothing."""
        sample = self._sample(id)
        about = [sample.gold, sample.group, sample.answerable, _plain(sample.metadata)]
        finding = self.findings.get(id)
        absent = [None] * (5 + len(self.metrics))
        rows = [self._row(found[id]) if id in found else absent for found in self.rows]
        fields = [about, None if finding is None else _found(finding), *zip(*rows, strict=True)]
        return list(map(_written, fields))

    def _row(self, row: Row) -> Sequence[object]:
        number = self.texts.number
        return [
            [number(text) for text in row.sample.contexts],
            [number(id) for id in row.sample.context_ids],
            None if row.run is None else _run(row.run),
            *self._calls(row),
            *(self._score(row.scores.get(metric)) for metric in self.metrics),
        ]

    def _score(self, score: Score | None) -> object:
        """Return what there is beside the figure, which the index has; 0 for nothing."""
        if score is None or (not score.reason and not score.verdicts and not score.details):
            return 0
        verdicts = score.verdicts
        statements = [self.texts.number_or_text(verdict.statement) for verdict in verdicts]  # some are contexts
        chances = [v.probability for v in verdicts] if any(v.probability is not None for v in verdicts) else []
        judged = [statements, [v.holds for v in verdicts], [v.reason for v in verdicts], chances]
        return [score.reason, _plain(score.details), *judged]

    def _calls(self, row: Row) -> list[object]:
        """Return the requests and the nonces of their prompts; an instruction that came before needs no marks."""
        marks, shared = Marks.of(row, self.metrics), self.texts.shared
        contents = [message.content for call in row.calls for message in call.messages]
        roles = [message.role for call in row.calls for message in call.messages]
        known = [role != "user" and self.texts.has_template(text) for role, text in zip(roles, contents, strict=True)]
        fresh = [text for text, before in zip(contents, known, strict=True) if not before]
        templates, nonces = without_nonces(marked(fresh, marks.in_prompts))
        made = iter(templates)
        numbers = iter([shared(text if old else next(made)) for text, old in zip(contents, known, strict=True)])
        replies = map(shared, marked([call.reply for call in row.calls], marks.in_replies))
        calls = [
            [
                call.purpose,
                call.component,
                [[m.role, next(numbers), *map(_tool, m.tool_calls)] for m in call.messages],
                reply,
                call.cached,
                call.error,
            ]
            for call, reply in zip(row.calls, replies, strict=True)
        ]
        return [calls, nonces]


def _tool(tool: ToolCall) -> str:
    return f"{tool.name}({tool.arguments})"


def _plain(mapping: Mapping[str, object]) -> object:
    """Return what JSON can hold; what is not simple, NaN and the infinities take the long way."""
    values = mapping.values()
    simple = all(type(v) in _SIMPLE or (isinstance(v, float) and math.isfinite(v)) for v in values)
    return mapping if simple else to_plain(mapping, "it", lenient=True)


def _figure(score: Score | None) -> float | str | None:
    """Return the value; None: undefined, "f": failed, "n": not measured here."""
    if score is None:
        return "n"
    if score.value is None:
        return "f" if score.status == "failed" else None
    return round(score.value, _DIGITS)


def _run(run: Run) -> list[object]:
    spent, cited = run.spent, [citation.number for citation in run.citations]
    tokens = spent.usage.input_tokens, spent.usage.output_tokens
    return [round(spent.seconds, 3), spent.cost, spent.usage.calls, *tokens, run.outcome, run.failure, cited]


def _found(finding: Finding) -> list[object]:
    return [
        finding.cause,
        finding.axis,
        finding.reason,
        {name: list(scores) for name, scores in finding.scores.items()},
    ]


def _listed(items: Iterable[str]) -> str:
    return f"[{','.join(items)}]"


def _cut(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
