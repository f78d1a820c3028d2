"""What `evaluate`, `ladder` and `diagnose` have in common: the subject, the samples and how answers are measured."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..evaluation import Evaluator, HeuristicJudge, ModelJudge, load_samples, standard_metrics
from ..interfaces import ChatModel, Judge
from ..models import LatentSemantic
from ..pipeline import Pipeline
from ..types import Need, Sample
from .model import add_model_arguments, chosen_model
from .subject import Subject, load_subject

__all__ = ["Measurement", "add_measure_arguments", "measurement"]

_ANSWER: frozenset[Need] = frozenset({"answer"})
_CONTEXTS: frozenset[Need] = frozenset({"contexts", "context_ids"})
_OF_RETRIEVAL = ("hit_rate@5", "context_recall")  # offline the reader is a stand-in: what it was given says more


@dataclass(frozen=True)
class Measurement:
    """What is measured, on what, and how.

    Attributes:
        subject: The pipeline with what stands beside it.
        samples: The questions.
        evaluator: The user's own or the usual one.
        target: The metric that decides.
        pays: Whether a model is asked that may cost money; what the user's own code asks is not known.
    """

    subject: Subject
    samples: Sequence[Sample]
    evaluator: Evaluator
    target: str
    pays: bool


def add_measure_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is measured and how."""
    parser.add_argument("subject", help="app.py:pipeline, package.module:pipeline, or a folder of documents")
    parser.add_argument("samples", type=Path, help="questions: JSONL, JSON, CSV, TSV or a BEIR folder")
    parser.add_argument("--evaluator", help="a name beside the pipeline (default: `evaluator` where there is one)")
    parser.add_argument(
        "--target", help="the metric that decides (default: the evaluator's first; offline one of retrieval)"
    )
    parser.add_argument("--limit", type=int, help="only the first so many samples")
    parser.add_argument("--output", type=Path, default=Path("llmopt-report"), help="folder for what is written")
    parser.add_argument("--encoding", default="utf-8", help="of a folder's files without a byte order mark")
    parser.add_argument("--yes", action="store_true", help="spend what the plan says without asking")
    add_model_arguments(parser)


def measurement(arguments: argparse.Namespace) -> Measurement:
    """Load everything that the arguments name.

    Raises:
        UsageError: When a name is missing or not what it should be.
        SampleError: When the samples cannot be read.
    """
    if arguments.limit is not None and arguments.limit < 1:
        raise UsageError(f"--limit must be at least 1, got {arguments.limit}")
    model = chosen_model(arguments)
    subject = load_subject(arguments.subject, model, encoding=arguments.encoding)
    samples = load_samples(arguments.samples)[: arguments.limit]
    own = _own_evaluator(subject, arguments.evaluator)
    evaluator = own or _usual_evaluator(subject, samples, model)
    names = [metric.name for metric in evaluator.metrics]
    if arguments.target is not None and arguments.target not in names:
        raise UsageError(f"--target {arguments.target!r} is not measured; the evaluator has {', '.join(names)}")
    usual = names[0] if own or model else next((name for name in names if name in _OF_RETRIEVAL), names[0])
    pays = own is not None or model is not None or not subject.documents
    return Measurement(subject, samples, evaluator, arguments.target or usual, pays)


def _own_evaluator(subject: Subject, name: str | None) -> Evaluator | None:
    found = subject.beside.get(name or "evaluator")
    if found is None and name is None:
        return None
    if not isinstance(found, Evaluator):
        what = "nothing of that name stands" if found is None else f"a {type(found).__name__} stands"
        raise UsageError(f"--evaluator {name or 'evaluator'}: an Evaluator is wanted beside the pipeline, {what} there")
    return found


def _usual_evaluator(subject: Subject, samples: Sequence[Sample], model: ChatModel | None) -> Evaluator:
    embedder = LatentSemantic().fit([f"{sample.question} {sample.reference or ''}" for sample in samples])
    judge: Judge = HeuristicJudge(embedder) if model is None else ModelJudge(model)
    searching = not isinstance(subject.pipeline, Pipeline) or subject.pipeline.retriever or subject.pipeline.routes
    metrics = standard_metrics(samples, judge, embedder, filled=_ANSWER | _CONTEXTS if searching else _ANSWER)
    return Evaluator(metrics, partial=True)
