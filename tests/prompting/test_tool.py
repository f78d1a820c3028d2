"""Tools: schemas from signatures, checked arguments, and everything that can go wrong in a call."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from collections.abc import Callable
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from llmopt.errors import UsageError
from llmopt.prompting import Tool
from llmopt.testing.contracts import ComponentContract


class Place(BaseModel):
    name: str
    country: str = "France"


def weather(city: str, days: int = 1, unit: Literal["C", "F"] = "C") -> str:
    """Return the weather forecast
    of a city.

    Longer explanations count, too.

    Args:
        city: Its name in English,
            without the country.
        days (int): How many.

    Returns:
        A text.
    """
    return f"{city} {days} {unit}"


async def aweather(city: str, days: int = 1, unit: Literal["C", "F"] = "C") -> str:
    """Return the weather."""
    await asyncio.sleep(0)
    return weather(city, days, unit)


def no_arguments() -> None:
    """Do something."""


class TestTool(ComponentContract[Tool]):
    def make(self) -> Tool:
        return Tool(weather)

    def use(self, component: Tool) -> None:
        assert not component.observe('{"city": "Rome"}').failed


def test_the_schema_comes_from_the_signature_and_the_docstring() -> None:
    spec = Tool(weather).spec()
    assert spec.name == "weather"
    assert spec.description == "Return the weather forecast of a city. Longer explanations count, too."
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Its name in English, without the country."},
            "days": {"type": "integer", "default": 1, "description": "How many."},
            "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def test_name_and_description_can_be_given() -> None:
    spec = Tool(no_arguments, name="other", description="Something else.").spec()
    assert (spec.name, spec.description) == ("other", "Something else.")
    assert spec.parameters == {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.mark.parametrize("function", [weather, aweather])
def test_sync_and_async_functions_are_called_alike(function: Callable[..., object]) -> None:
    assert Tool(function).observe('{"city": "Rome", "days": "2"}').text == "Rome 2 C"


def test_models_and_constraints_work_as_annotations() -> None:
    def travel(place: Place, days: Annotated[int, Field(ge=1)], schema: str = "x", model_config: int = 3) -> str:
        """Travel."""
        return f"{place.country} {days} {schema} {model_config}"

    tool = Tool(travel)
    assert tool.observe('{"place": {"name": "Nice"}, "days": 2, "schema": "y"}').text == "France 2 y 3"
    assert (
        "days: Input should be greater than or equal to 1" in tool.observe('{"place": {"name": "N"}, "days": 0}').text
    )


def test_methods_partials_and_callable_objects_are_tools() -> None:
    class Counter:
        def __init__(self) -> None:
            self.total = 0

        def add(self, number: int) -> int:
            """Add a number."""
            self.total += number
            return self.total

        async def __call__(self, number: int) -> int:
            """Add a number, later."""
            return self.add(number)

    counter = Counter()
    assert Tool(counter.add).observe('{"number": 2}').text == "2"
    assert Tool(counter).observe('{"number": 3}').text == "5"
    partial = Tool(functools.partial(weather, days=3), description="Weather of three days.")
    assert partial.observe('{"city": "Rome"}').text == "Rome 3 C"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("{", "not JSON"),
        ("Rome", "not JSON"),
        ("[]", "arguments do not fit"),
        ("null", "city: Field required"),
        ('"Rome"', "arguments do not fit"),
        ("", "city: Field required"),
        ('{"city": 3}', "city: Input should be a valid string"),
        ('{"city": "Rome", "town": "x"}', "town: Extra inputs are not permitted"),
        ('{"city": "Rome", "unit": "K"}', "unit: Input should be 'C' or 'F'"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_arguments_that_do_not_fit_are_an_observation_that_says_what_is_wrong(arguments: str, complaint: str) -> None:
    seen = Tool(weather).observe(arguments)
    assert seen.failed
    assert complaint in seen.text


def test_a_name_that_servers_refuse_is_refused_here() -> None:
    with pytest.raises(UsageError, match="another `name`"):
        Tool(lambda: 3, description="Three.").spec()
    assert Tool(lambda: 3, name="three", description="Three.").observe("").text == "3"


def test_a_tool_that_raises_is_an_observation() -> None:
    def broken() -> str:
        """Break."""
        raise ValueError("no such table: users")

    seen = Tool(broken).observe("{}")
    assert (seen.text, seen.failed) == ("Error: ValueError: no such table: users", True)


async def aexits() -> None:
    """Leave."""
    sys.exit(3)


def exits() -> None:
    """Leave, as code does that a model wrote."""
    sys.exit(3)


@pytest.mark.parametrize("function", [exits, aexits])
def test_a_tool_that_wants_to_end_the_program_does_not(function: Callable[..., object]) -> None:
    assert Tool(function).observe("{}").text == "Error: SystemExit: 3"


def test_a_result_that_cannot_be_shown_is_an_observation() -> None:
    class Unshowable:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    def give() -> Unshowable:
        """Give it."""
        return Unshowable()

    assert Tool(give).observe("{}").text == "Error: RuntimeError: no words"


def test_what_was_expected_is_told_in_its_own_letters() -> None:
    def search(query: Annotated[str, Field(description="\u8981\u627e\u7684\u8bcd")]) -> str:
        """Search."""
        return query

    assert "\u8981\u627e\u7684\u8bcd" in Tool(search).observe("{}").text


@pytest.mark.parametrize("tool", [Tool(exits, timeout=0), Tool(exits, timeout=-1.0), Tool(exits, limit=0)])
def test_bounds_that_leave_nothing_are_refused(tool: Tool) -> None:
    with pytest.raises(UsageError, match="positive `timeout` and `limit`"):
        tool.observe("{}")


def test_a_tool_that_hangs_is_cut_off() -> None:
    release = threading.Event()

    def hangs() -> None:
        """Hang."""
        release.wait(60)

    async def ahangs() -> None:
        """Hang."""
        await asyncio.sleep(60)

    for function in (hangs, ahangs):
        seen = Tool(function, timeout=0.02).observe("{}")
        assert (seen.text, seen.failed) == ("Error: it did not finish within 0.02 seconds", True)
    release.set()


def test_a_timeout_of_the_tools_own_is_told_apart() -> None:
    def slow() -> None:
        """Give up."""
        raise TimeoutError("the database is busy")

    assert Tool(slow).observe("{}").text == "Error: TimeoutError: the database is busy"


def test_a_result_of_ten_megabytes_is_cut_with_a_note() -> None:
    def large() -> str:
        """Return much."""
        return "x" * 10_000_000

    text = Tool(large, limit=1000).observe("{}").text
    assert text == "x" * 1000 + "\n[cut: the first 1,000 of 10,000,000 characters]"


class Odd:
    """Has no JSON form."""

    def __repr__(self) -> str:
        return "<odd>"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("as it is", "as it is"),
        (None, "(no result)"),
        ([1, 2.5, None], "[1,2.5,null]"),
        ({"a": float("nan")}, '{"a":NaN}'),
        (Place(name="Nice"), '{"name":"Nice","country":"France"}'),
        (Odd(), '"<odd>"'),
        ([Odd()], '["<odd>"]'),
        (b"\xff", "b'\\xff'"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("\x00\x1b[31m", "\x00\x1b[31m"),
    ],
)
def test_any_result_has_a_text(result: object, text: str) -> None:
    def give() -> object:
        """Give it."""
        return result

    assert Tool(give).observe("{}").text == text


def test_a_result_that_contains_itself_has_a_text() -> None:
    def circular() -> object:
        """Give it."""
        items: list[object] = []
        items.append(items)
        return items

    assert Tool(circular).observe("{}").text == "[[...]]"


class Namespace(dict[str, Callable[..., object]]):
    """Functions that no type checker would let through."""


SLOPPY = Namespace()
exec('def unannotated(city): "Do."\ndef unresolved(what: "Unknown"): "Do."', {}, SLOPPY)


def variadic(*cities: str) -> None:
    """Do."""


def undocumented(city: str) -> None: ...


def indescribable(what: Odd) -> None:
    """Do."""


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (SLOPPY["unannotated"], "type of 'city'"),
        (variadic, "any number of arguments"),
        (undocumented, "write a docstring"),
        (indescribable, "no JSON schema"),
        (SLOPPY["unresolved"], "Unknown"),
    ],
)
def test_a_function_that_cannot_be_described_is_refused(function: Callable[..., object], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Tool(function).spec()


@given(st.text())
def test_no_arguments_of_a_model_get_past_as_an_exception(arguments: str) -> None:
    assert Tool(no_arguments).observe(arguments).text
