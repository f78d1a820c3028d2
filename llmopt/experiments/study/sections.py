"""What the parts of the page are made of."""

from __future__ import annotations

from .markup import Markup, element

__all__ = ["figure_of", "section"]


def section(id: str, heading: str, said: str, *parts: str) -> Markup:
    """Return a part of the page under its heading, with a sentence that explains it."""
    explained = [element("p", {"class": "said"}, said)] if said else []
    return element(
        "section", {"id": id, "aria-labelledby": f"{id}-heading"},
        element("h2", {"id": f"{id}-heading"}, heading), *explained, *parts,
    )  # fmt: skip


def figure_of(picture: Markup, caption: str = "") -> Markup:
    """Return a picture that may be wider than the page, with a caption."""
    frame = element("div", {"class": "scroll", "role": "group", "aria-label": "Picture"}, picture)
    return element("figure", {}, frame, *([element("figcaption", {}, caption)] if caption else []))
