"""From verdicts to a score: the counts, the coverage, and a sentence that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..types import Score, Verdict

__all__ = ["Tally", "holds", "judged_score", "undefined"]

_LONGEST_QUOTE = 80


@dataclass(frozen=True, slots=True)
class Tally:
    """How many verdicts were asked for, came, and were yes."""

    asked: int
    judged: int
    held: int

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> Tally:
        """Count verdicts."""
        judged = [verdict.holds for verdict in verdicts if verdict.holds is not None]
        return cls(len(verdicts), len(judged), sum(judged))

    @property
    def coverage(self) -> float:
        """The share of what was asked that has a verdict, 0 to 1."""
        return self.judged / self.asked if self.asked else 0.0

    def details(self) -> dict[str, object]:
        """Return the counts under the names that every judged score shows."""
        return {"n": self.asked, "judged": self.judged, "held": self.held, "coverage": self.coverage}


def holds(verdicts: Sequence[Verdict]) -> list[bool | None]:
    """Return the bare verdicts."""
    return [verdict.holds for verdict in verdicts]


def undefined(reason: str, details: Mapping[str, object] | None = None) -> Score:
    """Return the score of a case to which the definition gives no number."""
    return Score(None, reason, "undefined", details=details or {})


def judged_score(
    value: float | None, verdicts: Sequence[Verdict], what: str, details: Mapping[str, object] | None = None
) -> Score:
    """Return a score with its verdicts, counts and coverage.

    Args:
        value: The figure over the verdicts that came; None when none came, which makes a failed score.
        verdicts: All that was asked.
        what: What yes means, after a count ("claims are supported").
        details: Further figures.
    """
    tally = Tally.of(verdicts)
    shown = {**tally.details(), **(details or {})}
    if value is None:
        why = next((verdict.reason for verdict in verdicts if verdict.reason), "no reason given")
        reason = f"the judge gave no usable verdict on any of {tally.asked}: {why}"
        return Score(None, reason, "failed", tuple(verdicts), shown)
    return Score(value, _sentence(tally, verdicts, what), "scored", tuple(verdicts), shown)


def _sentence(tally: Tally, verdicts: Sequence[Verdict], what: str) -> str:
    parts = [f"{tally.held} of {tally.judged} {what}"]
    refused = next((verdict for verdict in verdicts if verdict.holds is False), None)
    if refused is not None:
        quote = refused.statement[:_LONGEST_QUOTE] + ("..." if len(refused.statement) > _LONGEST_QUOTE else "")
        parts.append(f"not: {quote!r}" + (f" ({refused.reason})" if refused.reason else ""))
    if tally.judged < tally.asked:
        parts.append(f"{tally.asked - tally.judged} of {tally.asked} could not be judged")
    return "; ".join(parts)
