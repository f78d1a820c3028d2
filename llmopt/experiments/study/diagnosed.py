"""The parts of the page that a diagnosis fills: the map, the causes, and what to try next."""

from __future__ import annotations

from ..diagnosis import Diagnosis, Suggestion
from .figures import cause_bars, cause_map
from .markup import Markup, element, joined
from .sections import figure_of, section
from .tables import Column, table
from .wording import percent

__all__ = ["map_section", "next_section"]

_SUGGESTED = 12


def map_section(diagnosis: Diagnosis | None) -> Markup:
    """Return the map of the two axes and the causes; empty without a diagnosis."""
    if diagnosis is None:
        return Markup("")
    said = (
        "The corner at the top right is where every answer is right. The way up is what better context can bring, the "
        "way to the right what better behaviour can."
    )
    if not diagnosis.failed:
        none = element("p", {}, f"None of {diagnosis.total} samples fails on {diagnosis.target}.")
        return section("map", "Where it fails", "", none)
    axes = [
        element("li", {}, element("strong", {}, axis), f" {percent(share)} of all samples")
        for axis, share in diagnosis.axes.items()
    ]
    caption = "● where it stands, ○ the corner; shares of all samples"
    map_ = figure_of(cause_map(diagnosis), caption)
    beside = element("div", {}, element("ul", {"class": "axes"}, *axes), _causes(diagnosis))
    return section("map", "Where it fails", said, element("div", {"class": "beside"}, map_, beside))


def _causes(diagnosis: Diagnosis) -> Markup:
    columns = [
        Column("cause"),
        Column("axis"),
        Column("samples", number=True),
        Column("share of all [95 %]"),
        Column("gain at most", number=True),
    ]
    rows = [
        [
            share.cause,
            share.axis,
            str(share.count),
            joined([cause_bars(diagnosis.shares, share), element("div", {"class": "interval"}, percent(share.share))]),
            "–" if share.gain.value is None else f"{share.gain.value:+.3f}",
        ]
        for share in diagnosis.shares
    ]
    return table(f"Why {diagnosis.failed} of {diagnosis.total} samples fail", columns, rows)


def next_section(diagnosis: Diagnosis | None) -> Markup:
    """Return the experiments to try next and what the diagnosis cannot tell; empty without a diagnosis."""
    if diagnosis is None or not (diagnosis.suggestions or diagnosis.caveats):
        return Markup("")
    steps = [_suggestion(each) for each in diagnosis.suggestions[:_SUGGESTED]]
    said = (
        "Single changes, the best expected gain for its cost first; each is ready to be tried and may fail."
        if steps
        else ""
    )
    parts = [element("ol", {"class": "suggestions"}, *steps)] if steps else []
    if diagnosis.caveats:
        caveats = element("ul", {}, *(element("li", {}, caveat) for caveat in diagnosis.caveats))
        parts.append(element("div", {"class": "caveats"}, element("h3", {}, "What the diagnosis cannot tell"), caveats))
    return section("next", "What to try next", said, *parts)


def _suggestion(suggestion: Suggestion) -> Markup:
    calls = f"{suggestion.calls:+d} model calls per answer" if suggestion.calls else "no further model calls"
    facts = f"against “{suggestion.cause}” · at most {suggestion.gain:+.3f} · {calls}".replace("-", "−")
    return element(
        "li", {}, element("h3", {}, suggestion.name), element("p", {"class": "facts"}, facts),
        element("p", {}, suggestion.why), element("pre", {"tabindex": "0"}, element("code", {}, suggestion.code)),
    )  # fmt: skip
