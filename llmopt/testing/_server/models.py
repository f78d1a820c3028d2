"""GET /v1/models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .exchange import RecordedRequest
from .http import Response
from .problems import Problem
from .values import encode, text

__all__ = ["Models", "ServedModel"]


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that the server says it has.

    Example:
        >>> ServedModel("old-model", shutdown_date="2027-01-14").owned_by
        'llmopt'

    Attributes:
        id: Its name in requests.
        shutdown_date: The day on which it stops, `2027-01-14` for example; None if none is announced.
        owned_by: Who runs it.
        created: When it came, in seconds since 1970.
    """

    id: str
    shutdown_date: str | None = None
    owned_by: str = "llmopt"
    created: int = 1_700_000_000


class Models:
    """Lists the models, and knows which requests name one that is not there.

    Args:
        served: All there are; None: two for the list, and any name is served.
    """

    def __init__(self, served: Sequence[ServedModel] | None) -> None:
        self._any = served is None
        listed = (ServedModel("fake-chat"), ServedModel("fake-embedding")) if served is None else served
        self._served = {model.id: model for model in listed}

    def problem(self, body: Mapping[str, object]) -> Problem | None:
        """Return why a request's model is not served, or None."""
        name = text(body.get("model"))
        return None if self._any or not name or name in self._served else _missing(name)

    def list(self, _request: RecordedRequest) -> Response:
        """Return all models."""
        rows = [_row(model) for model in self._served.values()]
        return Response(content=encode({"object": "list", "data": rows}))

    def retrieve(self, request: RecordedRequest) -> Response:
        """Return one model."""
        name = request.parameters["model"]
        model = self._served.get(name) or (ServedModel(name) if self._any else None)
        return _missing(name).response() if model is None else Response(content=encode(_row(model)))


def _row(model: ServedModel) -> Mapping[str, object]:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "shutdown_date": model.shutdown_date,
    }


def _missing(name: str) -> Problem:
    message = f"The model `{name}` does not exist or you do not have access to it."
    return Problem(status=404, message=message, param="model", code="model_not_found")
