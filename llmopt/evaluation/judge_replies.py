"""Reading what a judging model replies: tolerant of its form, strict about its verdicts.

JSON may come bare, fenced, among prose or as a bare list; ids and verdicts may be numbers or texts. But
a verdict is yes or no, belongs to an item that was asked about, and is given once: everything else is
no verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from pydantic import BaseModel, model_validator

from .._json import parse_into
from ..errors import ModelOutputError
from ..types import ImpliedQuestion, Verdict

__all__ = ["VerdictsRead", "read_claims", "read_questions", "read_statements", "read_verdicts"]

_BITS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "yes", "true", "是"), True),
    **dict.fromkeys(("0", "no", "false", "否"), False),
}


class _List(BaseModel):
    """A reply whose one list has the name of the field; a bare list is taken for it."""

    @model_validator(mode="before")
    @classmethod
    def _wrap(cls, value: object) -> object:
        return {next(iter(cls.model_fields)): cast("list[object]", value)} if isinstance(value, list) else value


class _Claims(_List):
    claims: list[object]


class _Verdicts(_List):
    verdicts: list[object]


class _Statements(_List):
    statements: list[object]


class _Questions(_List):
    questions: list[object]


_LONGEST_NUMBER, _LONGEST_QUOTE = 10, 60

L = TypeVar("L", bound=_List)


@dataclass(frozen=True, slots=True)
class VerdictsRead:
    """The usable verdicts of a reply by id, and what was wrong with it, if anything was."""

    verdicts: Mapping[int, Verdict]
    problem: str = ""


def read_claims(text: str) -> list[str]:
    """Return the claims, without empty and repeated ones, each on one line.

    Raises:
        ModelOutputError: When the reply holds no such list, or a list of something else.
    """
    items = _parsed(text, _Claims)
    claims = [item if isinstance(item, str) else _text(_fields(item), "claim", "statement", "text") for item in items]
    found = dict.fromkeys(" ".join(claim.split()) for claim in claims if claim.strip())
    if items and not found:
        raise ModelOutputError(f"expected a list of claims, got {str(items)[:120]}")
    return list(found)


def read_verdicts(text: str, asked: Mapping[int, str]) -> VerdictsRead:
    """Return the verdicts on the items that were asked about.

    Args:
        text: The reply.
        asked: What was asked about, by id.
    """
    try:
        items = [_fields(item) for item in _parsed(text, _Verdicts)]
    except ModelOutputError as error:
        return VerdictsRead({}, str(error))
    found: dict[int, Verdict] = {}
    problems: list[str] = []
    seen: set[int] = set()
    for item in items:
        number = _number(item.get("id"))
        if number is None or number not in asked:
            problems.append(f"there is no id {_quoted(item.get('id'))}")
        elif number in seen:
            found.pop(number, None)
            problems.append(f"id {number} was judged twice")
        else:
            seen.add(number)
            holds = _bit(item.get("verdict"))
            if holds is None:
                problems.append(f"the verdict on id {number} was {_quoted(item.get('verdict'))} instead of 0 or 1")
            else:
                found[number] = Verdict(asked[number], holds, _text(item, "reason"))
    missing = [number for number in asked if number not in found]
    if missing:
        problems.append(f"no usable verdict on {_listed(missing)}")
    return VerdictsRead(found, "; ".join(problems[:4]))


def read_statements(text: str) -> list[Verdict]:
    """Return the statements that the judge found, each with its verdict, `holds=None` where it is unusable.

    Raises:
        ModelOutputError: When the reply holds no such list, or a list of something else.
    """
    items = _parsed(text, _Statements)
    found: list[Verdict] = []
    for item in map(_fields, items):
        statement = " ".join(_text(item, "statement", "claim", "text").split())
        given = item.get("verdict", item.get("attributed"))
        holds = _bit(given)
        reason = _text(item, "reason") if holds is not None else f"the verdict was {_quoted(given)} instead of 0 or 1"
        if statement:
            found.append(Verdict(statement, holds, reason))
    if items and not found:
        raise ModelOutputError(f"expected a list of statements, got {str(items)[:120]}")
    return found


def read_questions(text: str) -> list[ImpliedQuestion]:
    """Return the questions with a usable word on the answer's commitment, without empty ones.

    Raises:
        ModelOutputError: When the reply holds no such list.
    """
    found: list[ImpliedQuestion] = []
    for item in map(_fields, _parsed(text, _Questions)):
        question, noncommittal = _text(item, "question").strip(), _bit(item.get("noncommittal"))
        if question and noncommittal is not None:
            found.append(ImpliedQuestion(question, noncommittal))
    return found


def _parsed(text: str, into: type[L]) -> list[object]:
    name = next(iter(into.model_fields))
    try:
        return cast("list[object]", getattr(parse_into(text, into), name))
    except ModelOutputError as error:
        said = str(error).replace(into.__name__, name)
        raise ModelOutputError(said) from error


def _fields(item: object) -> Mapping[str, object]:
    return cast("dict[str, object]", item) if isinstance(item, dict) else {}


def _text(item: Mapping[str, object], *names: str) -> str:
    return next((value for name in names if isinstance(value := item.get(name), str)), "")


def _number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    plain = str(value).strip()
    return int(plain) if plain.isdecimal() and len(plain) < _LONGEST_NUMBER else None


def _bit(value: object) -> bool | None:
    return _BITS.get(str(value).strip().casefold()) if isinstance(value, bool | int | str) else None


def _quoted(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_QUOTE else shown[:_LONGEST_QUOTE] + "..."


def _listed(ids: Collection[int]) -> str:
    shown = ", ".join(map(str, list(ids)[:10]))
    return f"id {shown}" if len(ids) == 1 else f"ids {shown}" + (" ..." if len(ids) > 10 else "")
