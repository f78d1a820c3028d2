"""`python -m llmopt.testing.server`: the server as a process of its own."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import cast, get_args

from pydantic import TypeAdapter, ValidationError

from llmopt.errors import UsageError

from .application import FakeOpenAI
from .faults import Fault, FaultKind
from .models import ServedModel
from .replies import ReplyFunction, echo
from .values import decode, mapping

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C, or until the standard input ends; print the base URL first.

    Args:
        arguments: Of the command line; None for the real one. A wrong one ends the process with status 2.

    Raises:
        UsageError: If the port cannot be used.
        ContractError: At the end, if the reply function raised.
    """
    parser = _parser()
    given = parser.parse_args(arguments, _Arguments())
    try:
        server = _server(given)
    except UsageError as error:
        parser.error(str(error))
    with server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        _wait(given.until_eof)


def _server(given: _Arguments) -> FakeOpenAI:
    return FakeOpenAI(
        _reply(given.reply),
        dimensions=given.dimensions,
        models=[ServedModel(name) for name in given.model] or None,
        faults=[_fault(written) for written in given.fault],
        seed=given.seed,
        latency=given.latency,
        max_in_flight=given.max_in_flight,
        requests_per_minute=given.requests_per_minute,
        only_float=given.only_float,
        shuffle_rows=given.shuffle_rows,
        check_requests=not given.accept_anything,
        record=False,
        port=given.port,
    )


class _Arguments:
    """The command line, with its types."""

    port: int
    latency: float
    reply: str | None
    dimensions: int
    model: list[str]
    fault: list[str]
    seed: int
    max_in_flight: int | None
    requests_per_minute: float | None
    only_float: bool
    shuffle_rows: bool
    accept_anything: bool
    until_eof: bool


def _parser() -> ArgumentParser:
    parser = ArgumentParser("python -m llmopt.testing.server", description="A fake OpenAI server on loopback.")
    add = parser.add_argument
    add("--port", type=int, default=0, help="to listen on; 0: a free one")
    add("--latency", type=float, default=0.0, metavar="SECONDS", help="before every answer")
    add("--reply", metavar="PLACE:NAME", help="the function that answers: module:name or file.py:name; or echo")
    add("--dimensions", type=int, default=64, help="of embeddings")
    add("--model", action="append", default=[], metavar="ID", help="one that is served; none given: any")
    kinds = ", ".join(get_args(FaultKind))
    add("--fault", action="append", default=[], help=f"KIND, KIND:RATE or a Fault as JSON; kinds: {kinds}")
    add("--seed", type=int, default=0, help="of the faults' draws")
    add("--max-in-flight", type=int, help="answer 429 above so many at once")
    add("--requests-per-minute", type=float, help="answer 429 above this rate")
    add("--only-float", action="store_true", help="never send embeddings as base64")
    add("--shuffle-rows", action="store_true", help="send embeddings in another order")
    add("--accept-anything", action="store_true", help="do not refuse wrong requests")
    add("--until-eof", action="store_true", help="stop when the standard input ends")
    return parser


def _wait(until_eof: bool) -> None:
    try:
        if until_eof:
            sys.stdin.buffer.read()
        else:
            threading.Event().wait()
    except KeyboardInterrupt:
        pass


def _fault(written: str) -> Fault:
    """Return the fault that a text describes."""
    try:
        return TypeAdapter(Fault).validate_python(_described(written))
    except (ValidationError, ValueError) as error:
        message = f"--fault {written!r} is no fault; write KIND, KIND:RATE or JSON: {error}"
        raise UsageError(message) from error


def _described(written: str) -> Mapping[str, object]:
    """Return the fields of the fault that a text describes."""
    if not written.startswith("{"):
        kind, colon, rate = written.partition(":")
        return {"kind": kind, "rate": float(rate) if colon else None}
    described = mapping(decode(written.encode()))
    unknown = described.keys() - {field.name for field in fields(Fault)}
    if unknown:
        raise ValueError(f"a Fault has no {', '.join(sorted(unknown))}")
    return described


def _reply(place: str | None) -> ReplyFunction:
    """Return the function that a text names."""
    if place is None:
        return echo
    where, colon, name = place.rpartition(":")
    if not colon:
        raise UsageError(f"--reply {place!r} names no function; write module:name or file.py:name.")
    module = _from_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    function = cast("object", getattr(module, name, None))
    if not callable(function):
        raise UsageError(f"--reply {place!r}: {where} has no function {name!r}.")
    return cast("ReplyFunction", function)


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--reply: {path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
