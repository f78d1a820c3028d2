"""The demo's corpus, which every full CPython carries, and the questions written over it."""

from __future__ import annotations

from importlib.resources import files

from pydantic import BaseModel, ConfigDict, ValidationError

from llmopt.errors import CorpusError, SampleError
from llmopt.types import Document, Sample

__all__ = ["demo_samples", "python_reference"]

_SOURCE = "pydoc_data.topics"
_QUESTIONS = "questions.jsonl"


class _Question(BaseModel):
    """One line of the questions file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str
    question: str
    reference: str
    gold: tuple[str, ...]
    category: str
    answerable: bool
    language: str
    evidence: tuple[str, ...]


def python_reference() -> list[Document]:
    """Return the Python language reference of the running interpreter, one document per topic.

    These are the texts that `help("topics")` lists: about 80 documents, 465 kB in all, sorted by id.
    The id is the topic's key ("typesseq"); the metadata hold its `title` (the heading that the text
    begins with) and its `source`. The wording differs a little between Python versions.

    Raises:
        CorpusError: When the interpreter comes without these texts, as some stripped distributions do.
    """
    try:
        from pydoc_data.topics import topics  # noqa: PLC0415 - half a megabyte, and not everywhere there
    except ImportError as error:
        raise _missing("is not there") from error
    if not topics:
        raise _missing("is empty")
    return [
        Document(id=key, text=text, metadata={"title": _title(text), "source": _SOURCE})
        for key, text in sorted(topics.items())
    ]


def demo_samples() -> list[Sample]:
    """Return the questions over `python_reference()`, with reference answers, in file order.

    `gold` holds the ids of the topics that answer a question: any one of them where several topics
    repeat the same text, and for the category "two-part" those of both parts. The metadata hold the
    `language` ("en" or "zh") and the `evidence`: one passage per needed fact, a tuple, verbatim from a
    gold topic with every run of white space collapsed to one space. Questions that the corpus does not
    answer have `answerable=False`, no gold and no evidence.

    Raises:
        SampleError: When the file in the installed package is damaged.
    """
    lines = files("llmopt.demo").joinpath(_QUESTIONS).read_text(encoding="utf-8").split("\n")
    return [_sample(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _sample(number: int, line: str) -> Sample:
    try:
        read = _Question.model_validate_json(line)
    except ValidationError as error:
        raise SampleError(
            f"demo_samples: line {number} of {_QUESTIONS} is not a question ({error.error_count()} faults, "
            f"the first: {error.errors()[0]['msg']}). The installed package is damaged: reinstall llmopt."
        ) from error
    return Sample(
        id=read.id,
        question=read.question,
        reference=read.reference,
        gold=read.gold,
        category=read.category,
        answerable=read.answerable,
        metadata={"language": read.language, "evidence": read.evidence},
    )


def _title(text: str) -> str:
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def _missing(fault: str) -> CorpusError:
    return CorpusError(
        f"python_reference: the module {_SOURCE} of this interpreter {fault}; it holds the Python language "
        "reference, and stripped distributions leave it out. Use a full CPython (python.org, conda, pyenv, "
        "or on Debian the package libpython3-stdlib), or take documents of your own as the corpus."
    )
