"""Chunkers: documents into passages."""

from .html import html_to_text
from .markdown import Markdown
from .recursive import Recursive
from .semantic import Semantic
from .sentence import Sentence
from .tokens import Tokens

__all__ = ["Markdown", "Recursive", "Semantic", "Sentence", "Tokens", "html_to_text"]
