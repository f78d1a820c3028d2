"""`llmopt ask`: answer a question from a folder of the user's own."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..demo import make_retrievers
from ..documents import load_documents
from ..models import ExtractiveReader
from ..pipeline import Pipeline
from ..prompting import Grounded
from ..types import Answer
from .demo import Commands
from .model import add_model_arguments, chosen_model

__all__ = ["add_to"]


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("ask", help="answer a question from your own text, Markdown and HTML files")
    parser.add_argument("question")
    parser.add_argument("--corpus", type=Path, required=True, help="a folder or a file")
    parser.add_argument("--encoding", default="utf-8", help="of files without a byte order mark")
    parser.add_argument("--k", type=int, default=5, help="passages shown to the reader")
    parser.add_argument("--retriever", choices=["BM25", "Dense", "Hybrid"], default="Hybrid")
    parser.add_argument("--trace", action="store_true", help="show what happened on the way")
    add_model_arguments(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    documents = load_documents(arguments.corpus, encoding=arguments.encoding)
    _, retrievers = make_retrievers(documents)
    pipeline = Pipeline(
        model=chosen_model(arguments) or ExtractiveReader(),
        prompt=Grounded(),
        retriever=retrievers[arguments.retriever],
        k=arguments.k,
        fetch=max(arguments.k, 50),
    )
    answer = pipeline.run(arguments.question)
    print(answer.text)
    for line in _sources(answer):
        print(line)
    if arguments.trace and answer.trace is not None:
        print(f"\n{answer.trace}")
    return 0


def _sources(answer: Answer) -> list[str]:
    lines: list[str] = []
    for citation in answer.citations:
        document = answer.contexts[citation.number - 1].document
        span = document.span
        place = f", characters {span.start}-{span.end}" if span is not None else ""
        lines.append(f"[{citation.number}] {document.source}{place}")
    return ["", *lines] if lines else []
