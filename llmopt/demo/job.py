"""The main job: answer the demo's questions with three pipelines and show how good the answers are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..evaluation import Report
from ..interfaces import ChatModel
from ..types import Sample
from .corpus import demo_samples, python_reference
from .setting import Setting, make_setting
from .show import comparison_lines, example_lines, side_by_side

__all__ = ["DemoOptions", "run_demo"]

_EXAMPLES = ("q01", "q03", "q04", "q05", "q06", "q07", "q02")
_SHOWN = 3


def _always(plan: str) -> bool:  # noqa: ARG001 - what is agreed to, whatever it says
    return True


@dataclass(frozen=True)
class DemoOptions:
    """How the demo runs.

    Attributes:
        folder: Where the reports are written.
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


def run_demo(options: DemoOptions) -> Mapping[str, Report] | None:
    """Run the main job, print what it found and save the reports; None when the plan was not agreed to."""
    started = time.perf_counter()
    documents, samples = python_reference(), demo_samples()[: options.limit]
    setting = make_setting(documents, options.model, progress=options.progress)
    print(f"The Python language reference: {len(documents)} topics. {len(samples)} questions with known answers.")
    if options.model is None:
        print("Offline: an extractive reader answers by quoting, a heuristic judge scores. A model does both better.\n")
    elif not options.agreed(_plan(setting, samples)):
        return None
    reports = {
        name: setting.evaluator.run(samples, pipeline=pipeline, title=name)
        for name, pipeline in setting.pipelines.items()
    }
    print(side_by_side(reports))
    print()
    for line in comparison_lines(reports):
        print(line)
    print()
    _show_examples(reports)
    _save(reports, options.folder)
    print(f"Done in {time.perf_counter() - started:.1f} s. Every verdict and reason: {options.folder}/<pipeline>.json")
    return reports


def _plan(setting: Setting, samples: list[Sample]) -> str:
    plans = [setting.evaluator.plan(samples, pipeline=pipeline) for pipeline in setting.pipelines.values()]
    return "\n".join(f"{name}: {plan}" for name, plan in zip(setting.pipelines, plans, strict=True))


def _show_examples(reports: Mapping[str, Report]) -> None:
    report = list(reports.values())[-1]
    cited = [row.sample.id for row in report.rows if row.run and row.run.citations]
    wanted = [id for id in _EXAMPLES if id in cited][:_SHOWN]
    for line in example_lines(report, wanted):
        print(line)


def _save(reports: Mapping[str, Report], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, report in reports.items():
        report.to_json(folder / f"{name}.json")
        report.to_csv(folder / f"{name}.csv")
