"""The parts of the page that say how the metrics and the categories fare."""

from __future__ import annotations

from collections.abc import Iterator

from ...evaluation.table import shortened
from .content import StudyContent
from .figures import histogram
from .markup import Markup, element, joined
from .sections import figure_of, section
from .tables import Column, table
from .variant import Variant
from .wording import figure, interval

__all__ = ["categories_section", "metrics_section"]


def metrics_section(study: StudyContent) -> Markup:
    """Return every metric of every variant, and how its scores are spread before and after."""
    columns = [
        Column("step" if study.decided else "variant"),
        *(Column(metric, number=True) for metric in study.metrics),
    ]
    rows = [[_numbered(n, v), *(_mean(v, metric) for metric in study.metrics)] for n, v in enumerate(study.variants)]
    marks = [variant.decision for variant in study.variants]
    top, first = study.variants[study.top], study.variants[0]
    said = f"Bars: the scores of “{top.name}”" + (f"; line: those of “{first.name}”." if study.top else ".")
    pictures = element("div", {"class": "pictures small"}, *_spreads(study))
    return section("metrics", "Metrics", said, pictures, table("Means with 95 % intervals", columns, rows, marks))


def _numbered(number: int, variant: Variant) -> str:
    return f"{number}. {variant.name}" if number else variant.name


def _mean(variant: Variant, metric: str) -> str:
    summary = variant.summary(metric)
    if summary is None:
        return "–"
    missing = f" ({summary.scored} of {summary.total})" if summary.scored < summary.total else ""
    inside = element("span", {"class": "interval"}, f"{interval(summary.estimate)}{missing}")
    return joined([figure(summary.mean), " ", inside])


def _spreads(study: StudyContent) -> Iterator[Markup]:
    top, first = study.variants[study.top], study.variants[0]
    for metric in study.metrics:
        after = _values(top, metric)
        before = _values(first, metric) if study.top else []
        summary = top.summary(metric)
        if not after or summary is None:
            continue
        label = f"How the scores of {metric} are spread; the mean is {figure(summary.mean)}."
        missing = f", {summary.undefined} undefined, {summary.failed} failed" if summary.scored < summary.total else ""
        yield figure_of(
            histogram(after, before, label), f"{metric} {figure(summary.mean)}, n = {summary.scored}{missing}"
        )


def _values(variant: Variant, metric: str) -> list[float]:
    if metric not in variant.report.metrics:
        return []
    return [value for row in variant.report.rows if (value := row.scores[metric].value) is not None]


def categories_section(study: StudyContent) -> Markup:
    """Return how each category of question fares; empty when there is none."""
    found = study.diagnosis.categories if study.diagnosis is not None else ()
    if found:
        clustered = "Your samples have no categories; these were found by clustering the questions."
        return section("categories", "Categories", "" if any(c.given for c in found) else clustered, _failing(study))
    if len({row.sample.category for row in study.variants[study.top].report.rows}) < 2:
        return Markup("")
    return section("categories", "Categories", "", _before_and_now(study))


def _failing(study: StudyContent) -> Markup:
    """Return the categories as the diagnosis knows them, with why they fail."""
    figures = [Column("samples", number=True), Column(study.target, number=True)]
    columns = [Column("kind of question"), *figures, Column("fails because"), Column("for example")]
    rows = [
        [
            category.name or "(none)",
            str(category.samples),
            _bar(category.score.value, str(category.score)),
            ", ".join(f"{cause} ({count})" for cause, count in category.causes.items()) or "–",
            joined(element("div", {"class": "example"}, shortened(text, 110)) for text in category.examples[:2]),
        ]
        for category in (study.diagnosis.categories if study.diagnosis is not None else ())
    ]
    return table("Kinds of question, the worst first", columns, rows)


def _before_and_now(study: StudyContent) -> Markup:
    """Return the categories that the samples carry, on the baseline and on what stands."""
    top = study.variants[study.top]
    now = top.report.by_category(study.target)
    before = study.variants[0].report.by_category(study.target) if study.top else {}
    columns = [Column("category"), *(Column(name, number=True) for name in ("samples", "before", "now"))]
    rows = [
        [
            name or "(none)",
            str(s.total),
            figure(before[name].mean if name in before else None),
            _bar(s.mean, str(s.estimate)),
        ]
        for name, s in sorted(now.items(), key=lambda item: (item[1].mean is None, item[1].mean or 0.0, item[0]))
    ]
    return table(f"{study.target} of “{top.name}” by category, the worst first", columns, rows)


def _bar(value: float | None, text: str) -> Markup:
    wide = 60 * max(0.0, min(1.0, value or 0.0))
    room, bar = (element("rect", {"width": w, "height": 8, "class": c}) for w, c in ((60, "area"), (wide, "bar")))
    meter = element("svg", {"viewBox": "0 0 60 8", "class": "meter", "aria-hidden": "true"}, room, bar)
    return joined([meter, " ", text])
