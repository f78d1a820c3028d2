"""Arguments, errors and exit codes of the command `llmopt`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .._version import __version__
from ..errors import LlmoptError
from . import ask, demo, diagnose, evaluate, finetune, ladder

__all__ = ["main"]

_INTERRUPTED = 130
_REFUSED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 2 refused with a message, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="llmopt", description="Make the answers of a language-model feature measurably better."
    )
    parser.add_argument("--version", action="version", version=f"llmopt {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (demo, ask, evaluate, ladder, diagnose, finetune):
        command.add_to(commands)
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except LlmoptError as error:
        print(f"llmopt: {error}", file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        print("llmopt: interrupted", file=sys.stderr)
        return _INTERRUPTED
