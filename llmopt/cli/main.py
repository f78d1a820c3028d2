"""Arguments, errors and exit codes of the command `llmopt`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .._version import __version__
from ..errors import LlmoptError
from . import ask, demo, diagnose, evaluate, finetune, ladder

__all__ = ["main"]

_INTERRUPTED = 130
_CUT_OFF = 141
_REFUSED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 2 refused with a message, 130 interrupted, 141 not read on."""
    parser = argparse.ArgumentParser(
        prog="llmopt", description="Make the answers of a language-model feature measurably better."
    )
    parser.add_argument("--version", action="version", version=f"llmopt {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (demo, ask, evaluate, ladder, diagnose, finetune):
        command.add_to(commands)
    chosen = parser.parse_args(arguments)
    try:
        code = int(chosen.run(chosen))
        sys.stdout.flush()
        return code
    except LlmoptError as error:
        print(f"llmopt: {error}", file=sys.stderr)
        return _REFUSED
    except BrokenPipeError:  # `head`, for one, has read enough; nothing may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CUT_OFF
    except KeyboardInterrupt:
        print("llmopt: interrupted", file=sys.stderr)
        return _INTERRUPTED
