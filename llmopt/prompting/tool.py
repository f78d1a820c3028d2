"""Functions that a model may call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from pydantic_core import to_json

from .._sync import call, run_sync
from .._tokens import without_surrogates
from .._trace import step
from ..errors import ModelOutputError, UsageError
from ..interfaces.component import Component
from ..types import ToolSpec
from .signature import signature_of

__all__ = ["Observation", "Tool"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what OpenAI and those who speak its protocol take


@dataclass(frozen=True, slots=True)
class Observation:
    """What a tool gave, as the model is told, and whether the call failed."""

    text: str
    failed: bool = False


@dataclass(frozen=True, repr=False)
class Tool(Component):
    """A typed function that a model may call: what it takes is read from its signature and docstring.

    Whatever goes wrong in a call is an observation for the model, which can mend it: arguments that do not
    fit, an exception, a result that is late. A blocking function that is late goes on in its thread; its
    result is dropped.

    Args:
        function: `def` or `async def`, every parameter annotated; the section `Args:` of its docstring
            describes the parameters.
        name: As the model calls it; empty: the function's name.
        description: What it does and when to use it; empty: the docstring up to its first section.
        timeout: Seconds for a call; None: no limit.
        limit: Characters of a result that the model sees; the rest is cut off, with a note.

    Raises:
        UsageError: On first use, when the function cannot be described or a bound is not positive.

    Example:
        >>> def population(city: str, year: int = 2025) -> int:
        ...     '''Return how many people live in a city.
        ...
        ...     Args:
        ...         city: Its English name.
        ...         year: Of the count.
        ...     '''
        ...     return {"Paris": 2_048_000}[city]
        >>> tool = Tool(population)
        >>> tool.spec().description
        'Return how many people live in a city.'
        >>> tool.observe('{"city": "Paris"}').text
        '2048000'
        >>> tool.observe('{"city": "Atlantis"}').text
        "Error: KeyError: 'Atlantis'"
    """

    function: Callable[..., object]
    name: str = ""
    description: str = ""
    timeout: float | None = 30.0
    limit: int = 20_000

    def spec(self) -> ToolSpec:
        """Return the tool as the model sees it.

        Raises:
            UsageError: When the function cannot be described or a bound is not positive.
        """
        found = signature_of(self.function)
        if self.limit < 1 or (self.timeout is not None and self.timeout <= 0):
            raise UsageError(
                f"the tool {found.name} needs a positive `timeout` and `limit`, got {self.timeout} and {self.limit}"
            )
        description = self.description or found.description
        if not description:
            raise UsageError(f"the tool {found.name} does not say what it does: write a docstring or a `description`")
        name = self.name or found.name
        if _NAME.fullmatch(name) is None:
            raise UsageError(
                f"a tool's name has 1 to 64 letters, digits, _ and -, got {name!r}: give the tool another `name`"
            )
        return ToolSpec(name, description, found.schema)

    def observe(self, arguments: str) -> Observation:
        """Call the function with arguments as a model wrote them, a JSON text."""
        return run_sync(self.aobserve, arguments)

    async def aobserve(self, arguments: str) -> Observation:
        """Call the function with arguments as a model wrote them; the async twin of `observe`."""
        with step("tool", self.spec().name, arguments) as recorder:
            seen = await self._seen(arguments)
            recorder.output = seen.text
            recorder.error = seen.text if seen.failed else ""
        return seen

    async def _seen(self, arguments: str) -> Observation:
        try:
            bound = signature_of(self.function).read(arguments)
        except ModelOutputError as error:
            return self._failed(str(error))
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                result = await call(self.function, *bound.args, **bound.kwargs)
            return Observation(self._cut(_text_of(result)))
        except TimeoutError as error:
            late = f"it did not finish within {self.timeout} seconds"
            return self._failed(late if limit.expired() else f"TimeoutError: {error}")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code that a model wrote may call exit(), too
            return self._failed(f"{type(error).__name__}: {error}")

    def _failed(self, what: str) -> Observation:
        return Observation(self._cut(f"Error: {what}"), failed=True)

    def _cut(self, text: str) -> str:
        shown = without_surrogates(text[: self.limit])
        if len(text) <= self.limit:
            return shown
        return f"{shown}\n[cut: the first {self.limit:,} of {len(text):,} characters]"


def _text_of(result: object) -> str:
    """Return the result as the model reads it: a text as it is, all else as JSON where it has that form."""
    if isinstance(result, str):
        return result
    if result is None:
        return "(no result)"
    try:
        return to_json(result, inf_nan_mode="constants", fallback=repr).decode()
    except (ValueError, RecursionError):
        return repr(result)
