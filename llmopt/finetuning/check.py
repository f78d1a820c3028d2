"""Checking a fine-tuning file: every rule, line by line, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from ..errors import UsageError
from ..types import Sample
from .contents import Contents, taught, token_count
from .cost import estimate_cost
from .plain_tools import PlainTools
from .raw import Record, as_record
from .reading import Read, read_file
from .report import CheckReport, Finding
from .sensitive import sensitive_faults
from .shapes import shape_of
from .structure import Method, is_plain, record_faults

__all__ = ["check_file"]

_KEPT_PER_RULE = 50
_MEGABYTE = 1_000_000
_GOOD_START = 50


def check_file(
    path: str | Path,
    *,
    method: Method | None = None,
    model: str | None = None,
    validation: str | Path | None = None,
    evaluation: Iterable[Sample] = (),
    contents: bool = True,
    context_limit: int = 65_536,
    least_examples: int = 10,
    most_megabytes: int = 512,
    epochs: int | None = None,
    price: float | None = None,
) -> CheckReport:
    r"""Return everything that is wrong with a fine-tuning file, with lines and remedies.

    Args:
        path: The file, of any size: it is read once, in bounded memory.
        method: `supervised` (chats) or `dpo` (preference pairs); None: what the first record is.
        model: The model to be trained, for the token counts.
        validation: The validation file, to find leaks.
        evaluation: The samples that the tuned model will be measured on, to find leaks.
        contents: Whether duplicates, conflicts, secrets, balance and tokens are looked at as well; without
            it only the structural rules, which is faster.
        context_limit: Tokens of the longest example that is not cut.
        least_examples: Fewest examples that the provider takes.
        most_megabytes: Largest file that the provider takes.
        epochs: For the estimate; None: what the provider is likely to choose.
        price: US dollars per million trained tokens; None: no estimate in money.

    Raises:
        StorageError: When the file cannot be read.
        UsageError: When there is no such method, a limit or `epochs` is below 1, or the price below 0.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "train.jsonl"
        >>> _ = path.write_text('{"messages": [{"role": "user", "content": "hi"}]}\n')
        >>> [(finding.rule, finding.line) for finding in check_file(path).errors]
        [('no-assistant', 1), ('too-few-examples', 1)]
    """
    if min(context_limit, least_examples, most_megabytes) < 1:
        raise UsageError("check_file: context_limit, least_examples and most_megabytes must be at least 1")
    if (epochs is not None and epochs < 1) or (price is not None and not price >= 0):
        raise UsageError(f"check_file: epochs must be at least 1 and the price at least 0, got {epochs} and {price}")
    if str(method) not in {"None", "supervised", "dpo"}:
        raise UsageError(f"check_file: the method is supervised or dpo, got {method!r}")
    path = Path(path)
    method = method or _first_method(path) or "supervised"
    others = {"validation": _questions(validation), "evaluation": [sample.question for sample in evaluation]}
    check = _Check(method, context_limit, model, Contents(others, model) if contents else None)
    plain = 0 if contents else context_limit
    for read in read_file(path, longest_plain=plain, method=method):
        check.take(read)
    check.whole(path.stat().st_size, least_examples, most_megabytes)
    return check.report(path, epochs, price)


def _first_method(path: Path) -> Method | None:
    for read in read_file(path):
        if isinstance(read.value, dict):
            return "dpo" if shape_of(as_record(cast(object, read.value))) == "preference" else "supervised"
    return None


def _questions(path: str | Path | None) -> Iterator[str]:
    if path is not None:
        for read in read_file(Path(path)):
            if isinstance(read.value, dict):
                yield taught(as_record(cast(object, read.value))).asked


class _Check:
    """A check that is under way."""

    def __init__(self, method: Method, context_limit: int, model: str | None, contents: Contents | None) -> None:
        self._method: Method = method
        self.contents = contents
        self.findings: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.lines = 0
        self.examples = 0
        self._plain_tools = PlainTools()
        self._context_limit = context_limit
        self._model = model

    def take(self, read: Read) -> None:
        """Check one line."""
        self.lines = max(self.lines, read.line)
        for fault in read.faults:
            self._add(Finding.of(fault.rule, read.line, fault.what))
        if read.run or not read.parsed:
            self._skip(read)
        elif not isinstance(read.value, dict):
            self._add(Finding.of("not-object", read.line, f"the line is {type(read.value).__name__}"))
        else:
            self._take_record(read, as_record(cast(object, read.value)))

    def _skip(self, read: Read) -> None:
        self.examples += read.run

    def _take_record(self, read: Read, record: Record) -> None:
        self.examples += 1
        if self._method != "supervised" or not (is_plain(record) or self._plain_tools.is_plain(record)):
            for fault in record_faults(record, self._method):
                self._add(Finding.of(fault.rule, read.line, fault.what))
        if read.size > self._context_limit:  # a token takes at least a byte
            self._check_length(read.line, record)
        if self.contents is not None:
            self._check_contents(self.contents, read, record)

    def _check_length(self, line: int, record: Record) -> None:
        count, _ = token_count(record, self._model)
        if count > self._context_limit:
            self._add(
                Finding.of("over-context", line, f"it takes {count:,} tokens, the limit is {self._context_limit:,}")
            )

    def _check_contents(self, contents: Contents, read: Read, record: Record) -> None:
        for fault in sensitive_faults(read.text):
            self._add(Finding.of(fault.rule, read.line, fault.what))
        if shape_of(record) in {"chat", "preference"}:
            for finding in contents.add(read.line, record, read.size):
                self._add(finding)

    def whole(self, size: int, least: int, megabytes: int) -> None:
        """Check what only the whole file shows."""
        last = max(1, self.lines)
        if self.examples == 0 and not self.findings:
            self._add(Finding.of("empty-file", 1, "there is no example in it"))
        if self.examples < least:
            self._add(
                Finding.of("too-few-examples", last, f"there are {self.examples} examples, at least {least} must be")
            )
        elif self.examples < _GOOD_START:
            self._add(Finding.of("few-examples", None, f"there are {self.examples} examples"))
        if size > megabytes * _MEGABYTE:
            self._add(Finding.of("file-too-large", None, f"it has {size:,} bytes, at most {megabytes} MB are taken"))
        for finding in self.contents.finish() if self.contents is not None else ():
            self._add(finding)

    def report(self, path: Path, epochs: int | None, price: float | None) -> CheckReport:
        """Return what was found."""
        contents = self.contents
        tokens = contents.tokens() if contents is not None else None
        cost = None
        if tokens is not None:
            cost = estimate_cost(tokens.total, self.examples, epochs=epochs, price=price, exact=tokens.exact)
        return CheckReport(
            path=str(path),
            method=self._method,
            lines=self.lines,
            examples=self.examples,
            bytes=path.stat().st_size,
            findings=tuple(sorted(self.findings, key=lambda finding: (finding.line is None, finding.line or 0))),
            counts=dict(self.counts),
            cost=cost,
            lengths=None if tokens is None else tokens.lengths,
            answers=() if contents is None else contents.answers(),
            limits=() if contents is None else contents.limits(),
        )

    def _add(self, finding: Finding) -> None:
        self.counts[finding.rule] += 1
        if self.counts[finding.rule] <= _KEPT_PER_RULE:
            self.findings.append(finding)
