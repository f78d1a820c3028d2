"""What a check of a fine-tuning file found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .cost import CostEstimate
from .rules import RULES, Severity
from .structure import Method

__all__ = ["AnswerShare", "CheckReport", "Finding", "Lengths"]

_SHOWN_PER_RULE = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        rule: Id of the rule, a key of `RULES`.
        severity: `error`, `warning` or `note`.
        line: The line, from 1; None where it concerns the file as a whole.
        what: What is wrong.
        remedy: What to do.
        fixable: Whether `fix_file` repairs it.
    """

    rule: str
    severity: Severity
    line: int | None
    what: str
    remedy: str
    fixable: bool

    @classmethod
    def of(cls, rule: str, line: int | None, what: str) -> Finding:
        """Return the finding of a rule's breach."""
        known = RULES[rule]
        return cls(rule, known.severity, line, what, known.remedy, known.fixable)

    def __str__(self) -> str:
        """Say it in one line."""
        where = "" if self.line is None else f"line {self.line}: "
        return f"{self.severity:7} {self.rule}: {where}{self.what}. {self.remedy[:1].upper()}{self.remedy[1:]}."


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens per example: the middle, the 95th percentile and the longest seen."""

    median: int
    high: int
    longest: int


@dataclass(frozen=True, slots=True)
class AnswerShare:
    """An answer that comes more than once, and how many examples have it."""

    answer: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check found; `print(report)` shows it.

    Attributes:
        path: The file.
        method: `supervised` or `dpo`: what it was checked for.
        lines: Lines of the file.
        examples: Records among them.
        bytes: Size of the file.
        findings: In the order of lines, at most 50 per rule.
        counts: Findings per rule, those beyond the 50 included.
        cost: Tokens and money, an estimate.
        lengths: Tokens per example; None without examples.
        answers: The most frequent short answers, the most frequent first.
        limits: What was not looked at because the file is large.
    """

    path: str
    method: Method
    lines: int
    examples: int
    bytes: int
    findings: Sequence[Finding]
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    cost: CostEstimate | None = None
    lengths: Lengths | None = None
    answers: Sequence[AnswerShare] = ()
    limits: Sequence[str] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings for which the file must not be uploaded."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings to look at."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    @property
    def exit_code(self) -> int:
        """0 when there is no error, 1 otherwise: for a command line and for CI."""
        return 0 if self.ok else 1

    @property
    def first_fault(self) -> int | None:
        """The line of the first error; None when there is none."""
        return min((finding.line for finding in self.errors if finding.line is not None), default=None)

    def __str__(self) -> str:
        """Draw the report: the verdict, the findings rule by rule, lengths, balance, cost."""
        return "\n".join(self._drawn())

    def _drawn(self) -> Iterator[str]:
        errors = sum(count for rule, count in self.counts.items() if RULES[rule].severity == "error")
        warnings = sum(count for rule, count in self.counts.items() if RULES[rule].severity == "warning")
        verdict = "ready" if self.ok else "not ready"
        found = f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
        yield f"{self.path}: {verdict} for {self.method} fine-tuning, {found}"
        yield f"  {self.examples:,} examples in {self.lines:,} lines, {self.bytes:,} bytes"
        shown: dict[str, int] = {}
        for finding in self.findings:
            shown[finding.rule] = shown.get(finding.rule, 0) + 1
            if shown[finding.rule] <= _SHOWN_PER_RULE:
                yield f"  {finding}"
        for rule, count in self.counts.items():
            if count > _SHOWN_PER_RULE:
                yield f"  ... {rule}: {count - _SHOWN_PER_RULE:,} more"
        if self.lengths is not None:
            yield (
                f"  tokens per example: median {self.lengths.median:,}, 95 % up to {self.lengths.high:,}, "
                f"longest {self.lengths.longest:,}"
            )
        if self.answers:
            listed = ", ".join(f"{share.answer!r} {share.count}" for share in self.answers[:_SHOWN_PER_RULE])
            yield f"  answers that repeat: {listed}"
        if self.cost is not None:
            yield f"  {self.cost}"
        yield from (f"  not looked at: {limit}" for limit in self.limits)
