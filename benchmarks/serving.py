"""The model that a benchmark asks: any that an OpenAI-compatible server offers."""

from __future__ import annotations

import argparse
from pathlib import Path

from llmopt import chat_model
from llmopt.interfaces import ChatModel


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says where the model is."""
    parser.add_argument("--base-url", help="of the server")
    parser.add_argument("--model", default="", help="its model")
    parser.add_argument("--cache", type=Path, help="keeps replies, so that a run can be taken up")


def served(arguments: argparse.Namespace) -> ChatModel:
    """Return the model."""
    return chat_model(arguments.model, base_url=arguments.base_url, cache=arguments.cache)
