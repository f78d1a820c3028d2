"""Which model the command uses: from arguments and the environment."""

from __future__ import annotations

import argparse
import os

from ..errors import UsageError
from ..interfaces import ChatModel
from ..models import chat_model
from ..models.pricing import DEFAULT_MODEL

__all__ = ["add_model_arguments", "chosen_model"]


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose a model."""
    parser.add_argument("--model", help="a model's name; without it and without OPENAI_API_KEY: offline")
    parser.add_argument("--base-url", help="an OpenAI-compatible server (default: OPENAI_BASE_URL)")
    parser.add_argument("--offline", action="store_true", help="use no model even when a key is there")


def chosen_model(arguments: argparse.Namespace) -> ChatModel | None:
    """Return the model to use, cached and limited; None: offline.

    Raises:
        UsageError: When an address is there and no model is named.
    """
    base_url: str | None = arguments.base_url or os.environ.get("OPENAI_BASE_URL")
    name: str | None = arguments.model or os.environ.get("OPENAI_MODEL")
    if arguments.offline or not (name or base_url or os.environ.get("OPENAI_API_KEY")):
        return None
    if not name and base_url:
        raise UsageError(
            f"the server {base_url} is to be asked, but no model is named: add --model NAME (or set OPENAI_MODEL), or "
            "--offline to run without a model"
        )
    return chat_model(name or DEFAULT_MODEL, base_url=base_url)
