"""What each part of a winner brings, and the way from the baseline to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import LlmoptError
from ...evaluation import Comparison
from ..difference import Change
from ..rung import Rung, gain_text
from ..variation import value_at
from ..verdict import Verdict
from .course import Course, OutOfBudgetError, Runner
from .result import Part
from .space import Choice, Workshop

__all__ = ["Ablated", "ablated", "way"]


@dataclass(frozen=True, slots=True)
class Ablated:
    """A winner without its useless parts.

    Attributes:
        winner: What is left.
        parts: Those it has, the most useful first, then those that were taken out.
        stopped: Why it ended before its time; empty when it did not.
    """

    winner: Runner
    parts: Sequence[Part]
    stopped: str = ""


async def ablated(course: Course, workshop: Workshop, leader: Runner, least: float) -> Ablated:
    """Return the leader without the parts that bring nothing, one taken out at a time, the least useful first.

    A part is taken out as long as what is left scores within `least` of the whole leader, pair by pair on all
    samples of the race.
    """
    winner, removed, stopped = leader, list[Part](), ""
    brought: dict[str, Comparison] = {}
    try:
        while True:
            without = await _without_each(course, winner)
            brought = {path: course.compared(winner, other) for path, other in without.items()}
            weakest = min(brought, key=lambda path: _value(brought[path]), default=None)
            if weakest is None or len(winner.choice) == 1:
                break
            if _value(course.compared(leader, without[weakest])) > least:
                break
            removed.insert(0, _part(workshop, winner.choice, weakest, brought[weakest], kept=False))
            winner = without[weakest]
    except OutOfBudgetError as error:
        stopped = f"not all parts of the winner were set back: {error}"
        brought = {}
    ranked = sorted(brought, key=lambda path: -_value(brought[path]))
    kept = [_part(workshop, winner.choice, path, brought[path], kept=True) for path in ranked]
    return Ablated(winner, (*kept, *removed), stopped)


async def way(course: Course, workshop: Workshop, baseline: Runner, found: Ablated, verdict: Verdict) -> list[Rung]:
    """Return the rungs from the baseline to the winner, the most useful part first, then the parts taken out.

    A step that cannot be made alone, or that the budget does not allow, comes together with the next one.

    Args:
        course: Runs and compares.
        workshop: Names values.
        baseline: The first rung.
        found: The winner and its parts.
        verdict: On every part that the winner has.
    """
    winner = found.winner
    rungs = [Rung("baseline", None, baseline.pipeline, baseline.report, None, Verdict("keep", ""))]
    ranked = [part.path for part in found.parts if part.kept]
    paths = [*ranked, *(path for path, _ in winner.choice if path not in ranked)]
    stands, pending = baseline, list[str]()
    for count, path in enumerate(paths, 1):
        pending.append(path)
        reached = await _reached(course, winner, paths[:count])
        if reached is None:
            continue
        rungs.append(_rung(course, workshop, reached, stands, pending, verdict))
        stands, pending = reached, []
    for part in (part for part in found.parts if not part.kept):
        said = f"taken out: brings {gain_text(part.comparison.difference)}"
        change = Change(part.path, _before(baseline, part.path), part.value)
        rungs.append(
            Rung(part.path, change, winner.pipeline, winner.report, part.comparison, Verdict("drop", said))
        )  # fmt: skip
    return rungs


async def _without_each(course: Course, winner: Runner) -> dict[str, Runner]:
    """Return, by path, the winner with that part set back; parts that cannot be set back alone are left out."""
    found: dict[str, Runner] = {}
    for path, _ in winner.choice:
        rest = tuple(item for item in winner.choice if item[0] != path)
        try:
            found[path] = await course.runner(rest)
        except LlmoptError:
            continue
    await course.run([winner, *found.values()])
    return found


async def _reached(course: Course, winner: Runner, paths: Sequence[str]) -> Runner | None:
    choice: Choice = tuple(item for item in winner.choice if item[0] in paths)
    try:
        runner = await course.runner(choice)
        await course.run([runner])
    except (LlmoptError, OutOfBudgetError):
        return winner if choice == winner.choice else None
    return runner


def _rung(
    course: Course, workshop: Workshop, reached: Runner, stands: Runner, paths: Sequence[str], verdict: Verdict
) -> Rung:
    numbers = dict(reached.choice)
    before = ", ".join(_before(stands, path) for path in paths)
    after = ", ".join(workshop.shown(path, numbers[path]) for path in paths)
    change = Change(", ".join(paths), before, after)
    compared = course.compared(reached, stands)
    return Rung(change.path, change, reached.pipeline, reached.report, compared, verdict)


def _before(stands: Runner, path: str) -> str:
    try:
        return repr(value_at(stands.pipeline, path))
    except LlmoptError:
        return "(nothing)"


def _part(workshop: Workshop, choice: Choice, path: str, comparison: Comparison, *, kept: bool) -> Part:
    return Part(path, workshop.shown(path, dict(choice)[path]), comparison, kept)


def _value(comparison: Comparison) -> float:
    value = comparison.difference.value
    return -math.inf if value is None else value
