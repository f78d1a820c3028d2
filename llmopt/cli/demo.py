"""`llmopt demo`: the main job on the Python language reference."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol

from ..demo import DemoOptions, run_demo
from .asking import agreed
from .model import add_model_arguments, chosen_model

__all__ = ["Commands", "add_to"]


class Commands(Protocol):
    """What argparse gives for subcommands."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser:
        """Add one."""
        ...


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("demo", help="answer and evaluate questions on the Python language reference")
    add_model_arguments(parser)
    parser.add_argument("--limit", type=int, help="only the first so many questions")
    parser.add_argument("--output", type=Path, default=Path("llmopt-demo"), help="folder for the reports")
    parser.add_argument("--yes", action="store_true", help="spend what the plan says without asking")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    options = DemoOptions(
        folder=arguments.output,
        model=chosen_model(arguments),
        limit=arguments.limit,
        agreed=lambda plan: agreed(plan, yes=arguments.yes),
    )
    return 0 if run_demo(options) is not None else 1
