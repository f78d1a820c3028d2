"""The parts of the page that say what was tried, and what it takes."""

from __future__ import annotations

from collections.abc import Sequence

from ...evaluation.table import shortened
from .content import StudyContent
from .figures import Trade, climb_picture, trade_off_picture
from .figures.climb import DECISIONS
from .markup import Markup, element, joined
from .sections import figure_of, section
from .tables import Column, table
from .variant import Variant
from .wording import chance, dollars, figure, interval, seconds, signed

__all__ = ["climb_section", "cost_section"]


def climb_section(study: StudyContent) -> Markup:
    """Return the ladder as a picture and as a table."""
    picture = climb_picture(study)
    if study.decided:
        heading = "The climb"
        said = (
            "Each step changes one thing and is compared, sample by sample, with what stood: a kept step raises the "
            "stairs, one that was not kept hangs beside them. The bars are 95 % intervals of the means."
        )
    else:
        heading = "The variants"
        said = f"The mean {study.target} of each variant with its 95 % interval."
    parts = [figure_of(picture)] if picture else [element("p", {}, f"No sample has a figure of {study.target}.")]
    return section("climb", heading, said, *parts, _variants_table(study), _settings(study))


def _variants_table(study: StudyContent) -> Markup:
    variants = study.variants
    gains = ["" if v.comparison is None else signed(v.comparison.difference) for v in variants]
    chances = ["" if v.comparison is None else chance(v.comparison.adjusted) for v in variants]
    cells: list[tuple[Column, Sequence[str]]] = [
        (Column("step" if study.decided else "variant"), list(map(_named, range(len(variants)), variants))),
        (Column(study.target, number=True), [_with_interval(study, variant) for variant in variants]),
        (Column("gain [95 %]", number=True), gains),
        (Column("p, adjusted", number=True), chances),
        (Column("better / equal / worse", number=True), list(map(_counts, variants))),
        (Column("per answer", number=True), [seconds(variant.seconds) for variant in variants]),
        (
            Column("1,000 answers", number=True),
            [dollars(v.dollars) if any(v.dollars for v in variants) else "" for v in variants],
        ),
        (Column("decision"), list(map(_decision, variants))),
    ]
    said = [(column, drawn) for column, drawn in cells if any(cell not in {"", "–"} for cell in drawn)]
    rows = list(zip(*(drawn for _, drawn in said), strict=True))
    caption = f"{'Steps' if study.decided else 'Variants'} on {len(variants[0].report)} samples"
    return table(caption, [column for column, _ in said], rows, [variant.decision for variant in variants])


def _named(number: int, variant: Variant) -> Markup:
    change = [element("div", {"class": "change"}, shortened(variant.change, 160))] if variant.change else []
    return joined([f"{number}. {variant.name}" if number else variant.name, *change])


def _with_interval(study: StudyContent, variant: Variant) -> Markup:
    estimate = study.estimate(variant)
    return joined([figure(estimate.value), " ", element("span", {"class": "interval"}, interval(estimate))])


def _counts(variant: Variant) -> str:
    if variant.comparison is None:
        return ""
    comparison = variant.comparison
    lost = f" ({comparison.left_out} left out)" if comparison.left_out else ""
    return f"{comparison.better} / {comparison.ties} / {comparison.worse}{lost}"


def _decision(variant: Variant) -> str:
    if not variant.comparison and not variant.reason:
        return ""
    word = element("strong", {"class": "decision"}, DECISIONS[variant.decision])
    return joined([word, ": " if variant.decision and variant.reason else "", variant.reason])


def _settings(study: StudyContent) -> Markup:
    listed = [
        part
        for number, variant in enumerate(study.variants)
        for part in (
            element("h3", {}, f"{number}. {variant.name}"),
            element(
                "dl",
                {},
                *(e for k, v in variant.report.settings.items() for e in (element("dt", {}, k), element("dd", {}, v))),
            ),
        )
        if variant.report.settings
    ]
    return element("details", {}, element("summary", {}, "How each was made"), *listed) if listed else Markup("")


def cost_section(study: StudyContent) -> Markup:
    """Return quality against what an answer takes; empty where no pipeline ran."""
    kinds = (
        ("seconds per answer (median)", [variant.seconds for variant in study.variants]),
        ("US dollars per 1,000 answers", [None if v.dollars is None else 1000 * v.dollars for v in study.variants]),
    )
    pictures: list[Markup] = []
    for across, prices in kinds:
        trades = [
            Trade(n, v.name, "keep" if study.decided and not n else v.decision, price, study.estimate(v))
            for n, (v, price) in enumerate(zip(study.variants, prices, strict=True))
            if price is not None and study.estimate(v).value is not None
        ]
        if any(trade.price for trade in trades):
            pictures.append(figure_of(trade_off_picture(trades, across, study.target)))
    if not pictures:
        return Markup("")
    names = [element("li", {"value": n}, variant.name) for n, variant in enumerate(study.variants)]
    said = "Further up is better, further left is cheaper; nothing beats the variants on the dotted line on both."
    legend = element(
        "details", {}, element("summary", {}, "Which number is which"), element("ol", {"start": 0}, *names)
    )
    return section("cost", "Quality and cost", said, element("div", {"class": "pictures"}, *pictures), legend)
