"""Metadata and details as JSON: what has no JSON form comes back all the same, or is refused by its place."""

from __future__ import annotations

import datetime as dt
import json
from enum import IntEnum
from pathlib import PurePath

import numpy as np
import pytest

from llmopt.errors import StorageError, UsageError
from llmopt.evaluation.plain import Json, from_plain, to_plain


class Grade(IntEnum):
    GOOD = 2


@pytest.mark.parametrize(
    "value",
    [
        (1, ("a", [2.5, None])),
        {"a": {1: "x", ("b", 2): True}},
        {"$looks": "like a tag"},
        {1, 2},
        frozenset({"a"}),
        b"\x00\xff",
        PurePath("a/b"),
        dt.datetime(2024, 5, 1, 12, 30, tzinfo=dt.UTC),
        dt.date(2024, 5, 1),
        dt.time(12, 30),
        float("inf"),
    ],
)
def test_it_comes_back_equal_and_of_its_type(value: object) -> None:
    through_text: Json = json.loads(json.dumps(to_plain(value, "it"), allow_nan=False))
    found = from_plain(through_text, "it")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(1.5), 1.5),
        (np.int32(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (Grade.GOOD, 2),
    ],
)
def test_numbers_of_other_libraries_become_pythons_own(value: object, expected: object) -> None:
    assert from_plain(to_plain(value, "it"), "it") == expected


def test_what_has_no_form_is_refused_by_its_place_or_written_as_its_repr() -> None:
    with pytest.raises(UsageError, match=r"it\['a'\]\[0\] is a builtins\.complex"):
        to_plain({"a": [1j]}, "it")
    assert from_plain(to_plain({"a": 1j}, "it", lenient=True), "it") == {"a": "1j"}


@pytest.mark.parametrize(
    "data", [{"$unknown": 1}, {"$tuple": [1], "more": 2}, {"$date": "yesterday"}, {"$bytes": "zz"}]
)
def test_what_was_not_written_here_is_refused(data: Json) -> None:
    with pytest.raises(StorageError, match="it"):
        from_plain(data, "it")
