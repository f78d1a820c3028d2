"""The command `llmopt`: a thin door over the library."""

from .main import main

__all__ = ["main"]
