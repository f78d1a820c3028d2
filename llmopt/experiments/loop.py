"""The loop: ask why answers fail, try what the diagnosis suggests, keep what works, ask again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from ..errors import UsageError
from ..pipeline import Pipeline
from .diagnosis import Diagnosis, Suggestion
from .difference import differences
from .ladder import Ladder
from .rung import Rung

__all__ = ["Changes", "Diagnosing", "climb_steps", "follow_suggestions"]

Changes: TypeAlias = Mapping[str, object] | Callable[[Pipeline], Mapping[str, object]]
Diagnosing: TypeAlias = Callable[[Rung], Diagnosis]


def climb_steps(ladder: Ladder, steps: Mapping[str, Changes]) -> list[str]:
    """Try named steps one after the other, each on top of what stands by then.

    Args:
        ladder: Begun or not.
        steps: By name, the changes as for `Ladder.step`, or a function that makes them from the pipeline
            that stands.

    Returns:
        The names of the steps made by a function that changed nothing of what stood; they are no rungs.

    Raises:
        UsageError: When a step changes more than one thing, or a mapping changes nothing.
    """
    ladder.begin()
    idle: list[str] = []
    for name, changes in steps.items():
        stands = ladder.top.pipeline
        made = changes(stands) if callable(changes) else changes
        slots = {path: value for path, value in made.items() if "." not in path}
        if callable(changes) and len(slots) == len(made) and not differences(stands, stands.but(**slots)):
            idle.append(name)
        else:
            ladder.step(name, **made)
    return idle


def follow_suggestions(ladder: Ladder, diagnosing: Diagnosing, *, tries: int = 6) -> Diagnosis:
    """Try what the diagnosis of the top suggests, best first, and diagnose again after every step that is kept.

    Args:
        ladder: Begun or not.
        diagnosing: Says why a rung's pipeline fails where it does.
        tries: Steps at most.

    Returns:
        The diagnosis of the top.
    """
    ladder.begin()
    diagnosis = diagnosing(ladder.top)
    tried: set[str] = set()
    for _ in range(tries):
        suggestion = _next(diagnosis, tried)
        if suggestion is None:
            break
        tried.add(suggestion.name)
        rung = _tried(ladder, suggestion)
        if rung is not None and rung.verdict.decision == "keep":
            diagnosis = diagnosing(rung)
    return diagnosis


def _next(diagnosis: Diagnosis, tried: set[str]) -> Suggestion | None:
    ready = [each for each in diagnosis.suggestions if each.changes and each.name not in tried]
    return ready[0] if ready else None


def _tried(ladder: Ladder, suggestion: Suggestion) -> Rung | None:
    try:
        return ladder.step(suggestion.name, **suggestion.changes)
    except UsageError:  # it does not fit what stands by now
        return None
