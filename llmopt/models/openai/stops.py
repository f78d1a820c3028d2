"""Cutting a reply at stop texts, for servers that do not do it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Cutter", "cut_at"]


def cut_at(text: str, stops: Sequence[str]) -> str:
    """Return the text before the stop text that is complete first, as a server would that writes on until then."""
    found = [(place + len(stop), place) for stop in stops if stop and (place := text.find(stop)) >= 0]
    return text[: min(found, default=(0, len(text)))[1]]


class Cutter:
    """Cuts a text that comes in pieces; what may be the beginning of a stop text is held back."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self._ended = False

    def take(self, piece: str) -> str:
        """Return what of the text so far may be passed on."""
        if not self._stops or self._ended:
            return "" if self._ended else piece
        text = self._held + piece
        cut = cut_at(text, self._stops)
        if cut != text:
            self._ended, self._held = True, ""
            return cut
        held = max(self._beginning(text, stop) for stop in self._stops)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def rest(self) -> str:
        """Return what was held back, at the end of the text."""
        held, self._held = self._held, ""
        return held

    @staticmethod
    def _beginning(text: str, stop: str) -> int:
        """Return how many characters at the text's end could begin the stop text."""
        return next((size for size in range(len(stop) - 1, 0, -1) if text.endswith(stop[:size])), 0)
