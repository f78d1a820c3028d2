"""From a method and a path to the handler that answers it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from llmopt.errors import UsageError

from .exchange import Handler
from .problems import Problem

__all__ = ["Router"]

_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")


class Router:
    """Finds handlers; of two patterns that fit, the later one.

    Args:
        routes: From (method, path) to handler; `{name}` in a path stands for one part of it.

    Raises:
        UsageError: If a path does not start with a slash.
    """

    def __init__(self, routes: Mapping[tuple[str, str], Handler]) -> None:
        self._fixed: dict[tuple[str, str], Handler] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Handler]] = []
        for (method, path), handler in routes.items():
            if not path.startswith("/"):
                raise UsageError(f"FakeOpenAI: route {path!r} must start with a slash: '/v1/...'.")
            if "{" in path:
                pattern = _PLACEHOLDER.sub(r"(?P<\1>[^/]+)", re.escape(path))
                self._patterns.insert(0, (method.upper(), re.compile(pattern), handler))
            else:
                self._fixed[method.upper(), path] = handler

    def find(self, method: str, path: str) -> tuple[Handler, Mapping[str, str]] | Problem:
        """Return the handler and what stands for the names in its path, or why there is none."""
        handler = self._fixed.get((method, path))
        if handler is not None:
            return handler, {}
        for wanted, pattern, candidate in self._patterns:
            match = pattern.fullmatch(path)
            if match is not None and wanted == method:
                return candidate, {name: unquote(value) for name, value in match.groupdict().items()}
        return self._missing(method, path)

    def _missing(self, method: str, path: str) -> Problem:
        known = any(path == fixed for _, fixed in self._fixed)
        if known or any(pattern.fullmatch(path) for _, pattern, _ in self._patterns):
            message = f"Not allowed to {method} on {path}."
            return Problem(status=405, message=message, code="method_not_supported")
        return Problem(status=404, message=f"Invalid URL ({method} {path})")
