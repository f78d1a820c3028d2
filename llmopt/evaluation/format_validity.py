"""Whether an answer has the form that was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import BaseModel, ValidationError

from ..errors import MissingExtraError, UsageError
from ..interfaces import Metric
from ..types import Sample, Score
from .plain import Json

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["FormatValidity"]


@dataclass(repr=False, eq=False)
class FormatValidity(Metric):
    r"""Whether the answer fits a regular expression, a JSON schema, or a pydantic model.

    Args:
        pattern: A regular expression that the whole answer must match.
        schema: A JSON schema, or a pydantic model, that the answer must fit as JSON. A schema needs the
            package jsonschema.

    Raises:
        UsageError: When not exactly one of the two is given.
        MissingExtraError: When a schema is given and jsonschema is not installed.

    Example:
        >>> date = FormatValidity(pattern=r"\d{4}-\d\d-\d\d")
        >>> date.score(Sample(question="When?", answer="2024-05-01")).value
        1.0
    """

    immediate: ClassVar[bool] = True
    pattern: str | None = None
    schema: Mapping[str, object] | type[BaseModel] | None = None

    def measure(self, sample: Sample) -> Score:
        """Return 1 or 0, with what is wrong; undefined for an empty answer."""
        if (self.pattern is None) == (self.schema is None):
            raise UsageError("FormatValidity needs a `pattern` or a `schema`, one of the two")
        if not sample.answer.strip():
            return Score(None, "the answer is empty")
        fault = self._fault(sample.answer)
        return Score(0.0 if fault else 1.0, fault)

    def _fault(self, answer: str) -> str:
        if self.pattern is not None:
            return "" if re.fullmatch(self.pattern, answer.strip()) else f"does not match {self.pattern}"
        try:
            data = cast(Json, json.loads(answer))
        except (ValueError, RecursionError) as broken:
            return f"not JSON: {broken}"
        if isinstance(self.schema, type):
            return _fault_of_model(self.schema, data)
        error = next(self._validator.iter_errors(data), None)
        return "" if error is None else f"{'.'.join(map(str, error.absolute_path)) or 'the whole'}: {error.message}"

    @cached_property
    def _validator(self) -> Validator:
        try:
            from jsonschema import SchemaError  # noqa: PLC0415 - optional
            from jsonschema.validators import validator_for  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError(
                "a JSON schema needs the package jsonschema: pip install jsonschema, or give a pydantic model"
            ) from error
        schema = dict(cast("Mapping[str, object]", self.schema))
        kind: type[Validator] = validator_for(schema)
        try:
            kind.check_schema(schema)
        except SchemaError as error:
            raise UsageError(f"`schema` is not a JSON schema: {error.message}") from error
        return kind(schema)


def _fault_of_model(model: type[BaseModel], data: object) -> str:
    try:
        model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"
    return ""
