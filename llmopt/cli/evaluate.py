"""`llmopt evaluate`: how good are the answers?"""

from __future__ import annotations

import argparse

from ..errors import UsageError
from ..evaluation import Report, check_evaluation
from ..experiments import Study
from .asking import agreed
from .demo import Commands
from .measure import add_measure_arguments, measurement

__all__ = ["add_to"]

_UNMET = 1


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("evaluate", help="measure a pipeline, or a folder of documents, on your questions")
    add_measure_arguments(parser)
    parser.add_argument(
        "--require", action="append", default=[], metavar="BOUND", help="for CI, e.g. 'faithfulness>=0.8'; repeatable"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    wanted = dict(_bound(text) for text in arguments.require)
    measured = measurement(arguments)
    pipeline = measured.subject.pipeline
    if measured.pays and not agreed(
        str(measured.evaluator.plan(measured.samples, pipeline=pipeline)), yes=arguments.yes
    ):
        return _UNMET
    arguments.output.mkdir(parents=True, exist_ok=True)
    report = measured.evaluator.run(
        measured.samples,
        pipeline=pipeline,
        title=arguments.subject,
        journal=arguments.output / "journal.jsonl",
    )
    print(report)
    study = Study.of_reports({arguments.subject: report}, measured.target, title=arguments.subject)
    study.to_html(arguments.output / "report.html")
    study.to_json(arguments.output / "report.json")
    study.to_junit(arguments.output / "junit.xml", wanted)
    print(f"\nEvery answer, verdict and reason: {arguments.output / 'report.html'}")
    return _checked(report, wanted)


def _bound(text: str) -> tuple[str, str]:
    for place, sign in enumerate(text):
        if sign in "<>":
            return text[:place].strip(), text[place:]
    raise UsageError(f"--require must be like 'faithfulness>=0.8', got {text!r}")


def _checked(report: Report, wanted: dict[str, str]) -> int:
    checks = check_evaluation(report, wanted) if wanted else []
    for check in checks:
        print(check)
    return 0 if all(check.outcome == "holds" for check in checks) else _UNMET
