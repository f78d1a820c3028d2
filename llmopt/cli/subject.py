"""What the command works on: an object in the user's own Python file, or a folder of documents."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

from ..demo import make_first_try
from ..documents import load_documents
from ..errors import UsageError
from ..evaluation import Application
from ..evaluation.application import Answers
from ..interfaces import ChatModel
from ..pipeline import Pipeline
from ..types import Document

__all__ = ["Subject", "load_subject"]

_USUAL = "pipeline"


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        pipeline: The pipeline, or the user's function.
        beside: What else stands in the user's file; empty for a folder.
        documents: Of a folder; else empty.
    """

    pipeline: Pipeline | Application
    beside: Mapping[str, object]
    documents: Sequence[Document] = ()

    def composed(self, command: str) -> Pipeline:
        """Return the pipeline.

        Raises:
            UsageError: When it is a plain function: there is nothing inside that could be changed.
        """
        if isinstance(self.pipeline, Pipeline):
            return self.pipeline
        raise UsageError(
            f"`llmopt {command}` needs a Pipeline, whose parts it can change; a plain function can be evaluated only"
        )


def load_subject(text: str, model: ChatModel | None, *, encoding: str = "utf-8") -> Subject:
    """Return what `app.py:pipeline`, `package.module:pipeline` or a folder of documents stands for.

    Of a module: a `Pipeline`, a function from question to answer, or a function without arguments that
    makes a Pipeline. A folder gets the usual pipeline over its files.

    Args:
        text: As given on the command line.
        model: Answers from a folder; None: the extractive reader.
        encoding: Of a folder's files.

    Raises:
        UsageError: When there is no such file, module or name, or it is no pipeline.
    """
    place, colon, name = text.rpartition(":")
    if not colon or (len(place) == 1 and place.isalpha()):  # a drive letter is no module
        place, name = text, _USUAL
    path = Path(place)
    if path.suffix != ".py" and path.exists():
        return _of_documents(path, model, encoding)
    module = _module(place, path)
    if not hasattr(module, name):
        known = [each for each in vars(module) if not each.startswith("_")]
        raise UsageError(f"{place} has no name {name!r}; it has {', '.join(known) or 'none'}: say {place}:NAME")
    return Subject(_pipeline(getattr(module, name), text), vars(module))


def _of_documents(path: Path, model: ChatModel | None, encoding: str) -> Subject:
    documents = load_documents(path, encoding=encoding)
    pipeline, steps = make_first_try(documents, model)
    return Subject(pipeline, {"steps": steps}, documents)


def _module(place: str, path: Path) -> ModuleType:
    if path.suffix != ".py":
        return _imported(place)
    if not path.is_file():
        raise UsageError(f"there is no file {place}: give app.py:pipeline, package.module:pipeline or a folder")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as `python app.py` does, so that it finds its neighbours
    return _imported(path.stem)


def _imported(name: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise
        raise UsageError(
            f"there is no folder, file or module {name!r}: give app.py:pipeline, package.module:pipeline or a folder"
        ) from error


def _pipeline(found: object, text: str) -> Pipeline | Application:
    if isinstance(found, Pipeline | Application):
        return found
    if callable(found) and not isinstance(found, type):
        code = getattr(found, "__code__", None)
        if code is not None and code.co_argcount == 0 and not code.co_flags & 0x04:
            return _pipeline(found(), text)
        return Application(cast("Answers", found))
    raise UsageError(
        f"{text} is a {type(found).__name__}; wanted is a Pipeline, a function from question to answer, or a function "
        "without arguments that makes a Pipeline"
    )
