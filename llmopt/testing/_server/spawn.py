"""The server in a process of its own, so that a benchmark does not share its processor time with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from llmopt.errors import ContractError, UsageError

from .faults import Fault

__all__ = ["spawn_server"]

_COMMAND = "llmopt.testing._server.command"
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[3])


@contextmanager
def spawn_server(
    reply: str | None = None,
    *,
    dimensions: int = 64,
    models: Sequence[str] = (),
    faults: Sequence[Fault] = (),
    seed: int = 0,
    latency: float = 0.0,
    max_in_flight: int | None = None,
    requests_per_minute: float | None = None,
    only_float: bool = False,
    shuffle_rows: bool = False,
    check_requests: bool = True,
    port: int = 0,
) -> Generator[str]:
    """Give the base URL of a `FakeOpenAI` in another process, which stops at the end of the `with` block.

    It also stops when this process dies. Ask `server_statistics` what it has seen; it keeps no requests.

    Args:
        reply: The function that answers, as `module:name` or `path/to/file.py:name`; None: an echo.
        dimensions: As of `FakeOpenAI`, like the others below.
        models: Ids of those that are served; none given: any name is.
        faults: Without `when`, which does not fit through a command line.
        seed: Of the faults' draws.
        latency: Seconds before every answer.
        max_in_flight: Refuse requests above so many at once.
        requests_per_minute: Refuse requests above this rate.
        only_float: Never answer in base64.
        shuffle_rows: Return embeddings in another order than their texts.
        check_requests: Refuse what OpenAI would refuse.
        port: To listen on; 0 for a free one.

    Raises:
        UsageError: If a fault has a `when`, or the server does not start; its own words are on stderr.
        ContractError: At the end of the block, if the reply function raised; its error is on stderr.
    """
    options: dict[str, object] = {
        "reply": reply,
        "dimensions": dimensions,
        "seed": seed,
        "latency": latency,
        "max-in-flight": max_in_flight,
        "requests-per-minute": requests_per_minute,
        "port": port,
    }
    switches = {"only-float": only_float, "shuffle-rows": shuffle_rows, "accept-anything": not check_requests}
    arguments = [f"--{name}={value}" for name, value in options.items() if value is not None]
    arguments += [f"--{name}" for name, wanted in switches.items() if wanted]
    arguments += [f"--model={name}" for name in models] + [f"--fault={_written(fault)}" for fault in faults]
    with _process(arguments) as base_url:
        yield base_url


@contextmanager
def _process(arguments: Sequence[str]) -> Generator[str]:
    command = [sys.executable, "-m", _COMMAND, "--until-eof", *arguments]
    path = os.pathsep.join(filter(None, (_PACKAGE_PARENT, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:  # noqa: S603
        if process.stdin is None or process.stdout is None:
            raise AssertionError
        base_url = process.stdout.readline().strip()
        if not base_url:
            raise UsageError(f"spawn_server: the server did not start with {arguments}; see its error above.")
        try:
            yield base_url
        finally:
            process.stdin.close()
            process.stdout.close()
            status = process.wait()
    if status != 0:
        raise ContractError(f"spawn_server: the server ended with status {status}; see its error above.")


def _written(fault: Fault) -> str:
    if fault.when is not None:
        raise UsageError("spawn_server: a fault with `when` cannot go to another process; use FakeOpenAI.")
    return json.dumps({**asdict(fault), "at": list(fault.at)})
