"""A study as JUnit XML: steps, requirements and, where asked for, samples as tests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ..._files import write_text
from ...evaluation import Report, Requirement, Row, assert_evaluation
from ...evaluation.assertions import Unclear
from .content import StudyContent
from .variant import Variant

__all__ = ["write_junit"]

Result: TypeAlias = Literal["", "failure", "error", "skipped"]

# XML 1.0 has no form for these, not even an escaped one.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    result: Result = ""
    message: str = ""
    output: str = ""
    seconds: float = 0.0


def write_junit(
    path: Path, study: StudyContent, required: Mapping[str, str], unclear: Unclear, passing: float | None
) -> None:
    """Write the study; see `Study.to_junit`.

    Raises:
        UsageError: When a requirement cannot be read, or was not measured.
        StorageError: When the file cannot be written.
    """
    top = study.variants[study.top]
    suites = {"steps": [*map(_step, study.variants), *_confirmation(study)]}
    if required:
        suites["requirements"] = [_requirement(top.report, *each, unclear) for each in required.items()]
    if passing is not None:
        suites[f"samples: {top.name}"] = [_sample(row, study.target, passing) for row in top.report.rows]
    root = Element("testsuites", _counts(study.title, [case for cases in suites.values() for case in cases]))
    for name, cases in suites.items():
        suite = SubElement(root, "testsuite", _counts(name, cases))
        for case in cases:
            _write(suite, f"{study.title}.{name}", case)
    indent(root)
    write_text(path, '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n")


def _step(variant: Variant) -> _Case:
    spent = variant.report.spent().seconds
    if variant.decision in {"drop", "undecided"}:
        return _Case(variant.name, "skipped", f"{variant.decision}: {variant.reason}", seconds=spent)
    return _Case(variant.name, output=variant.reason, seconds=spent)


def _confirmation(study: StudyContent) -> Sequence[_Case]:
    """Return whether the top proved better on held-out samples; what they cannot tell is a skipped test."""
    comparison = study.confirmation
    if comparison is None:
        return ()
    name, low, high = "confirmed on held-out samples", comparison.difference.low, comparison.difference.high
    if high is not None and high < 0:
        return (_Case(name, "failure", f"the top is worse than the baseline: {comparison}"),)
    if low is None or low <= 0:
        return (_Case(name, "skipped", f"not told beyond chance: {comparison}"),)
    return (_Case(name, output=str(comparison)),)


def _requirement(report: Report, metric: str, bound: str, unclear: Unclear) -> _Case:
    name = str(Requirement.parse(metric, bound))
    try:
        assert_evaluation(report, {metric: bound}, unclear=unclear)
    except AssertionError as error:
        return _Case(name, "failure", str(error).partition("\n")[2])
    return _Case(name, output=str(report.summary(metric)))


def _sample(row: Row, target: str, passing: float) -> _Case:
    sample, score = row.sample, row.scores[target]
    output = f"question: {sample.question}\nanswer: {sample.answer}\nreference: {sample.reference or '-'}"
    seconds = row.run.spent.seconds if row.run else 0.0
    name = sample.id or sample.question
    if row.run and row.run.failure:
        return _Case(name, "error", row.run.failure, output, seconds)
    if score.value is None:
        result: Result = "error" if score.status == "failed" else "skipped"
        return _Case(name, result, f"{target} {score.status}: {score.reason}", output, seconds)
    if score.value < passing:
        reason = f": {score.reason}" if score.reason else ""
        return _Case(name, "failure", f"{target} is {score.value:.3g}, below {passing:g}{reason}", output, seconds)
    return _Case(name, "", "", "", seconds)


def _counts(name: str, cases: Sequence[_Case]) -> dict[str, str]:
    counts = {key: str(sum(case.result == key[:-1] for case in cases)) for key in ("failures", "errors")}
    skipped = str(sum(case.result == "skipped" for case in cases))
    seconds = f"{sum(case.seconds for case in cases):.3f}"
    return {"name": _legal(name), "tests": str(len(cases)), **counts, "skipped": skipped, "time": seconds}


def _write(suite: Element, classname: str, case: _Case) -> None:
    attributes = {"classname": _legal(classname), "name": _legal(case.name), "time": f"{case.seconds:.3f}"}
    written = SubElement(suite, "testcase", attributes)
    if case.result:
        SubElement(written, case.result, {"message": _legal(case.message)})
    if case.output:
        SubElement(written, "system-out").text = _legal(case.output)


def _legal(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
