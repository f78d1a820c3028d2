"""HTML and SVG that is escaped by construction: a plain text can only become text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from ...evaluation.table import display_width

__all__ = ["Attributes", "Markup", "element", "joined", "shown", "wrapped"]

Attributes: TypeAlias = Mapping[str, "str | float | None"]

# Controls, marks that turn the direction of writing round, and halves of surrogate pairs.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_VOID = frozenset({"br", "col", "circle", "hr", "line", "path", "rect"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, attributes: Attributes, *children: str) -> Markup:
    """Return an element; children that are `Markup` go in as they are, any other text is escaped.

    Args:
        name: Of the element.
        attributes: Those that are None are left out; numbers are written short.
        children: In order.
    """
    written = "".join(f' {key}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    if name in _VOID:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """Return the parts one after the other, texts escaped."""
    return Markup("".join(part if isinstance(part, Markup) else html.escape(shown(part)) for part in parts))


def shown(text: str) -> str:
    r"""Return the text with what cannot be seen written out, like `\u202e`."""
    return _ODD.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def wrapped(text: str, columns: int, lines: int) -> list[str]:
    """Return the text on at most so many lines of so many columns, with dots where the rest was cut."""
    found = [""]
    for word in re.findall(
        r"[\u2e80-\u9fff\uac00-\ud7ff\uff00-\uffef]|[^\s\u2e80-\u9fff\uac00-\ud7ff\uff00-\uffef]+\s*|\s+", text
    ):
        for piece in _pieces(word, columns):
            if display_width((found[-1] + piece).rstrip()) > columns:
                found.append("")
            found[-1] += piece
    found = [line.strip() for line in found if line.strip()]
    if len(found) > lines:
        cut = found[lines - 1]
        while display_width(cut) > columns - 1:
            cut = cut[:-1]
        found = [*found[: lines - 1], f"{cut.rstrip()}…"]
    return found


def _pieces(word: str, columns: int) -> list[str]:
    return [word[start : start + columns] for start in range(0, len(word), columns)]


def _value(value: str | float | None) -> str:
    return html.escape(shown(value)) if isinstance(value, str) else f"{value:.6g}"
