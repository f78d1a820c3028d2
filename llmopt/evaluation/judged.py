"""Verdicts that were collected before, turned into scores at the speed of arithmetic.

A line of JSON per sample: `{"id": "1", "claims": [true, false, null], "contexts": [true, false],
"statements": [true], "cosines": [0.9, 0.8], "noncommittal": [false, false]}`; what a metric has no verdicts
for is left out, an empty list means that there was nothing to judge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias, cast

from ..errors import SampleError
from .formulas import average_precision, mean_relevancy, share_held
from .running import RunningSummary
from .summary import Summary
from .tabular import not_utf8, open_text

__all__ = ["Judged", "read_judged", "scores_of", "summarise_judged"]

Holds: TypeAlias = Sequence[bool | None]

_Types: TypeAlias = frozenset[type[object]]
_VERDICTS: tuple[_Types, str] = (frozenset({bool, type(None)}), "a list of true, false and null")
_ALLOWED: Mapping[str, tuple[_Types, str]] = {
    "id": (frozenset({str}), "text"),
    "claims": _VERDICTS,
    "contexts": _VERDICTS,
    "statements": _VERDICTS,
    "cosines": (frozenset({float, int}), "a list of numbers"),
    "noncommittal": (frozenset({bool}), "a list of true and false"),
}
_METRICS = {
    "faithfulness": "there are no verdicts on claims",
    "answer_relevancy": "there are no implied questions",
    "context_precision": "there are no verdicts on contexts",
    "context_recall": "there are no verdicts on statements",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The verdicts on one sample; None among them: not judged.

    Attributes:
        id: The sample's id.
        claims: On the answer's claims: supported by the contexts?
        contexts: On the contexts, best first: useful?
        statements: On the reference's statements: attributable to the contexts?
        cosines: Of the question to the questions that the answer implies.
        noncommittal: Whether the answer to each of these is non-committal.
    """

    id: str = ""
    claims: Holds = ()
    contexts: Holds = ()
    statements: Holds = ()
    cosines: Sequence[float] = ()
    noncommittal: Sequence[bool] = ()


def scores_of(judged: Judged) -> dict[str, float | None]:
    """Return the four figures of a sample; None where there is no verdict to make one from.

    Example:
        >>> scores_of(Judged(claims=[True, False], contexts=[True], statements=[], cosines=[0.8, 0.6]))
        {'faithfulness': 0.5, 'answer_relevancy': 0.7, 'context_precision': 1.0, 'context_recall': None}
    """
    return {
        "faithfulness": share_held(judged.claims),
        "answer_relevancy": mean_relevancy(judged.cosines, judged.noncommittal),
        "context_precision": average_precision(judged.contexts),
        "context_recall": share_held(judged.statements),
    }


def summarise_judged(stream: Iterable[Judged]) -> list[Summary]:
    """Return the summaries of the four metrics over any number of samples, in constant memory."""
    running = {metric: RunningSummary(metric) for metric in _METRICS}
    taken = [(running[metric].add, metric, reason) for metric, reason in _METRICS.items()]
    for judged in stream:
        scores = scores_of(judged)
        for add, metric, reason in taken:
            add(scores[metric], reason=reason)
    return [one.summary() for one in running.values()]


def read_judged(path: str | PathLike[str]) -> Iterator[Judged]:
    """Yield the samples of a file of verdicts, one at a time.

    Raises:
        SampleError: When a line does not parse; the message names it.
        StorageError: When the file cannot be read.
    """
    source = Path(path)
    with open_text(source) as file:
        line = 0
        try:
            for line, text in enumerate(file, 1):
                if text.strip():
                    yield _judged(source, line, text)
        except UnicodeDecodeError as error:
            raise SampleError(not_utf8(source, line + 1, error)) from error


def _judged(path: Path, line: int, text: str) -> Judged:
    try:
        data: object = json.loads(text)
    except ValueError as error:
        raise SampleError(f"{path}, line {line}: not JSON: {error}") from error
    fault = _fault(data)
    if fault:
        raise SampleError(f"{path}, line {line}: {fault}")
    return Judged(**cast("dict[str, str]", data))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def _fault(data: object) -> str:
    if not isinstance(data, dict):
        return f"expected an object of verdicts, got {type(data).__name__}"
    fields = cast("Mapping[str, object]", data)
    if not fields.keys() <= _ALLOWED.keys():
        return f"expected the fields {sorted(_ALLOWED)}, got {sorted(fields)}"
    for name, value in fields.items():
        allowed, words = _ALLOWED[name]
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        if not set(map(type, items)) <= allowed or isinstance(value, list) == (name == "id"):
            return f"`{name}` must be {words}, got {str(items)[:60]}"
    return ""
