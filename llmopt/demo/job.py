"""The main job: answer questions from a corpus, climb from a first try, say what still fails, and write the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..evaluation import Report
from ..experiments import Diagnosis, Ladder, Study, diagnose
from ..experiments.loop import climb_steps
from ..interfaces import ChatModel
from ..types import Sample
from .corpus import demo_samples, python_reference
from .setting import Setting, make_setting
from .show import comparison_lines, example_lines, side_by_side

__all__ = ["Demo", "DemoOptions", "run_demo"]

_HELD_OUT = 0.25


def _always(plan: str) -> bool:  # noqa: ARG001 - what is agreed to, whatever it says
    return True


@dataclass(frozen=True)
class DemoOptions:
    """How the demo runs.

    Attributes:
        folder: Where the report is written.
        model: Reader and judge; None: offline.
        limit: Only the first so many questions; None: all.
        agreed: Asked with the plan before anything is spent on a model; the demo stops when it says no.
        progress: Show a bar; None: on a terminal only.
    """

    folder: Path
    model: ChatModel | None = None
    limit: int | None = None
    agreed: Callable[[str], bool] = _always
    progress: bool | None = None


@dataclass(frozen=True)
class Demo:
    """What the demo found.

    Attributes:
        ladder: The climb.
        reports: The first and the last pipeline in full, by name.
        diagnosis: Why the last one still fails where it does.
    """

    ladder: Ladder
    reports: Mapping[str, Report]
    diagnosis: Diagnosis


def run_demo(options: DemoOptions) -> Demo | None:
    """Run the main job, print what it found and write the report; None when the plan was not agreed to."""
    started = time.perf_counter()
    documents, samples = python_reference(), demo_samples()[: options.limit]
    setting = make_setting(documents, options.model, progress=options.progress)
    print(f"The Python language reference: {len(documents)} topics. {len(samples)} questions with known answers.")
    if options.model is None:
        print("Offline: an extractive reader answers by quoting, a heuristic judge scores. A model does both better.\n")
    elif not options.agreed(_plan(setting, samples)):
        return None
    ladder = _climbed(setting, samples)
    reports = _measured(setting, ladder, samples)
    diagnosis = _diagnosed(setting, ladder, reports, samples)
    _write(options.folder, ladder, reports, diagnosis)
    print(f"Done in {time.perf_counter() - started:.1f} s. Every question, verdict and prompt to look at:")
    print(f"{(options.folder / 'report.html').resolve().as_uri()}")
    return Demo(ladder, reports, diagnosis)


def _plan(setting: Setting, samples: list[Sample]) -> str:
    step = setting.climbing.plan(samples, pipeline=setting.baseline)
    full = setting.evaluator.plan(samples, pipeline=setting.baseline)
    return f"each of {len(setting.steps) + 1} steps: {step}\nin full, twice: {full}\nand the diagnosis at the end"


def _climbed(setting: Setting, samples: list[Sample]) -> Ladder:
    target = setting.climbing.metrics[0].name
    ladder = Ladder(setting.baseline, samples, setting.climbing, target, planned=len(setting.steps), held_out=_HELD_OUT)
    climb_steps(ladder, setting.steps)
    print(ladder)
    if ladder.top is not ladder.rungs[0]:
        print(f"\nOn questions that no step has seen, the top against the first try: {ladder.confirm()}")
    return ladder


def _measured(setting: Setting, ladder: Ladder, samples: list[Sample]) -> dict[str, Report]:
    pipelines = {"first try": ladder.baseline, "top of the ladder": ladder.top.pipeline}
    reports = {
        name: setting.evaluator.run(samples, pipeline=pipeline, title=name) for name, pipeline in pipelines.items()
    }
    print(f"\n{side_by_side(reports)}\n")
    for line in comparison_lines(reports):
        print(line)
    print()
    _show_examples(reports)
    return reports


def _diagnosed(setting: Setting, ladder: Ladder, reports: Mapping[str, Report], samples: list[Sample]) -> Diagnosis:
    top = list(reports.values())[-1]
    diagnosis = diagnose(
        ladder.top.pipeline,
        samples,
        setting.evaluator,
        top.metrics[0],
        corpus=setting.documents,
        report=top,
        embedder=setting.embedder,
    )
    print(f"Why the top of the ladder still fails where it does:\n{diagnosis}\n")
    return diagnosis


def _show_examples(reports: Mapping[str, Report]) -> None:
    """Show two answers that are right and one that is wrong, all with their sources."""
    report = list(reports.values())[-1]
    cited = report.where(lambda row: bool(row.run and row.run.citations))
    worst_first = [row.sample.id for row in cited.worst(report.metrics[0], len(cited))]
    for line in example_lines(report, [*worst_first[::-1][:2], *worst_first[:1]]):
        print(line)


def _write(folder: Path, ladder: Ladder, reports: Mapping[str, Report], diagnosis: Diagnosis) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, report in reports.items():
        report.to_json(folder / f"{name.replace(' ', '-')}.json")
        report.to_csv(folder / f"{name.replace(' ', '-')}.csv")
    study = Study.of_rungs(
        ladder.rungs,
        ladder.target,
        title="Questions on the Python language reference",
        confirmation=ladder.confirmed,
        diagnosis=diagnosis,
    )
    study.to_html(folder / "report.html")
    study.to_json(folder / "report.json")
