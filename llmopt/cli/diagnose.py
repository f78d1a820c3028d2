"""`llmopt diagnose`: why do answers fail, and what to try next?"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..documents import load_documents
from ..experiments import Study, diagnose, plan_diagnosis
from .asking import agreed
from .demo import Commands
from .measure import add_measure_arguments, measurement

__all__ = ["add_to"]

_DECLINED = 1


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("diagnose", help="say why answers fail: the context or the behaviour")
    add_measure_arguments(parser)
    parser.add_argument("--corpus", type=Path, help="the documents, where the pipeline does not hold them itself")
    parser.add_argument("--passing", type=float, default=0.5, help="figure of the target from which an answer is right")
    parser.add_argument("--repeats", type=int, default=3, help="reruns of a failed question under every condition")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    measured = measurement(arguments)
    pipeline = measured.subject.pipeline
    samples, evaluator, target = measured.samples, measured.evaluator, measured.target
    settings = {"passing": arguments.passing, "repeats": arguments.repeats}
    if measured.pays and not agreed(
        str(plan_diagnosis(pipeline, samples, evaluator, target, **settings)), yes=arguments.yes
    ):
        return _DECLINED
    corpus = measured.subject.documents or None
    if arguments.corpus is not None:
        corpus = load_documents(arguments.corpus, encoding=arguments.encoding)
    diagnosis = diagnose(pipeline, samples, evaluator, target, corpus=corpus, **settings)
    print(diagnosis)
    arguments.output.mkdir(parents=True, exist_ok=True)
    study = Study.of_reports(
        {arguments.subject: diagnosis.report}, target, title=arguments.subject, diagnosis=diagnosis
    )
    study.to_html(arguments.output / "report.html")
    study.to_json(arguments.output / "report.json")
    print(f"\nEvery question with its contexts, verdicts and prompts: {arguments.output / 'report.html'}")
    return 0
