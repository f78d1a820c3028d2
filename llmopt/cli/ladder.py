"""`llmopt ladder`: one change at a time, kept or dropped, with a diagnosis of what still fails and a report."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from typing import cast

from ..errors import UsageError
from ..experiments import Diagnosis, Ladder, Limits, Rung, Study, diagnose
from ..experiments.loop import Changes, climb_steps, follow_suggestions
from .asking import agreed
from .demo import Commands
from .measure import Measurement, add_measure_arguments, measurement

__all__ = ["add_to"]

_DECLINED = 1


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("ladder", help="try changes one at a time, keep what works, diagnose the rest")
    add_measure_arguments(parser)
    parser.add_argument(
        "--steps",
        help="a name beside the pipeline: a mapping from step to changes (default: what the diagnosis suggests)",
    )
    parser.add_argument("--tries", type=int, default=6, help="suggested steps at most")
    parser.add_argument("--held-out", type=float, default=0.3, help="share of the samples kept for the last check")
    parser.add_argument("--seconds", type=float, help="median time that an answer may take")
    parser.add_argument("--dollars", type=float, help="what an answer may cost on average")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    measured = measurement(arguments)
    baseline = measured.subject.composed("ladder")
    steps = _steps(measured, arguments.steps)
    plan = measured.evaluator.plan(measured.samples, pipeline=baseline)
    count = (len(steps) if steps else arguments.tries) + 1
    if measured.pays and not agreed(
        f"each of {count} steps, less what is known from the one before: {plan}", yes=arguments.yes
    ):
        return _DECLINED
    arguments.output.mkdir(parents=True, exist_ok=True)
    ladder = Ladder(
        baseline,
        measured.samples,
        measured.evaluator,
        measured.target,
        limits=Limits(seconds=arguments.seconds, dollars=arguments.dollars),
        planned=max(1, count - 1),
        held_out=arguments.held_out,
        folder=arguments.output / "kept",
    )
    diagnosis = _climbed(ladder, steps, measured, arguments.tries)
    if ladder.unseen and ladder.top.change is not None:
        ladder.confirm()
    print(f"{ladder}\n\n{diagnosis}")
    _write(arguments, ladder, diagnosis)
    return 0


def _steps(measured: Measurement, name: str | None) -> Mapping[str, Changes]:
    found = measured.subject.beside.get(name or "steps")
    if found is None and name is None:
        return {}
    if isinstance(found, Mapping) and found:
        return cast("Mapping[str, Changes]", found)
    raise UsageError(
        f"--steps {name or 'steps'}: beside the pipeline a mapping from the name of a step to its changes is wanted, "
        f"for example {{'more passages': {{'k': 10}}}}; there is {'nothing' if not found else 'something else'}"
    )


def _climbed(ladder: Ladder, steps: Mapping[str, Changes], measured: Measurement, tries: int) -> Diagnosis:
    diagnosing = partial(_diagnosed, ladder, measured)
    if not steps:
        return follow_suggestions(ladder, diagnosing, tries=tries)
    for name in climb_steps(ladder, steps):
        print(f"Left out, it would change nothing here: {name}")
    return diagnosing(ladder.top)


def _diagnosed(ladder: Ladder, measured: Measurement, rung: Rung) -> Diagnosis:
    unseen = {id(sample) for sample in ladder.unseen}
    return diagnose(
        rung.pipeline,
        [sample for sample in measured.samples if id(sample) not in unseen],
        measured.evaluator,
        measured.target,
        corpus=measured.subject.documents or None,
        report=rung.report,
    )


def _write(arguments: argparse.Namespace, ladder: Ladder, diagnosis: Diagnosis) -> None:
    study = Study.of_rungs(
        ladder.rungs, ladder.target, title=arguments.subject, confirmation=ladder.confirmed, diagnosis=diagnosis
    )
    study.to_html(arguments.output / "report.html")
    study.to_json(arguments.output / "report.json")
    print(f"\nEvery step, answer, verdict and prompt: {arguments.output / 'report.html'}")
