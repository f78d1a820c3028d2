"""A pytest plugin for tests that assert on evaluations. It does nothing until it is asked for.

Ask for it in `conftest.py` by `pytest_plugins = ["llmopt.testing.plugin"]`, or on the command line by
`-p llmopt.testing.plugin`. It gives the fixture `evaluation`, which asserts like `assert_evaluation`, puts
every figure into the JUnit file, and shows the checked reports at the end of the run. Options:

* `--evaluation-reports FOLDER` writes every checked report there as JSON.
* `--evaluation-unclear pass` lets pass what so few samples cannot tell; the default is `fail`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from ..evaluation import Report, assert_evaluation, check_evaluation
from ..evaluation.assertions import Check, Unclear

__all__ = ["Evaluation", "evaluation", "pytest_addoption", "pytest_configure", "pytest_terminal_summary"]


@dataclass
class Evaluation:
    """What the fixture `evaluation` gives: `evaluation.check(report, faithfulness=">=0.8")`.

    Attributes:
        node: The test.
        seen: What all tests of the run have checked.
    """

    node: pytest.Item
    seen: list[_Seen]
    _count: int = field(default=0, init=False)

    def check(
        self,
        report: Report,
        required: Mapping[str, str] | None = None,
        /,
        *,
        unclear: Unclear | None = None,
        failed_at_most: float = 0.0,
        **requirements: str,
    ) -> None:
        """Assert that means meet bounds, and put the figures on record; the arguments are those of `assert_evaluation`.

        Raises:
            AssertionError: When a requirement is not met.
            UsageError: When one cannot be read.
        """
        wanted = {**(required or {}), **requirements}
        checks = check_evaluation(report, wanted)
        self._count += 1
        self._record(report, checks)
        chosen = unclear or cast("Unclear", self.node.config.getoption("evaluation_unclear"))
        assert_evaluation(report, wanted, unclear=chosen, failed_at_most=failed_at_most)

    def _record(self, report: Report, checks: list[Check]) -> None:
        for check in checks:
            self.node.user_properties.append((f"evaluation: {check.requirement.metric}", str(check)))
        self.seen.append(_Seen(self.node.nodeid, report, checks))
        folder = cast("str | None", self.node.config.getoption("evaluation_reports"))
        if folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            name = re.sub(r"[^\w.-]+", "_", self.node.nodeid).strip("_")
            report.to_json(Path(folder) / f"{name}.{self._count}.json")


@dataclass
class _Seen:
    test: str
    report: Report
    checks: list[Check]


_SEEN = pytest.StashKey[list[_Seen]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options."""
    group = parser.getgroup("llmopt")
    group.addoption("--evaluation-reports", metavar="FOLDER", help="write every checked report there as JSON")
    group.addoption(
        "--evaluation-unclear",
        choices=["fail", "pass"],
        default="fail",
        help="what becomes of a requirement of which so few samples cannot tell",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make room for what is checked."""
    config.stash[_SEEN] = []


@pytest.fixture
def evaluation(request: pytest.FixtureRequest) -> Evaluation:
    """Check reports: `evaluation.check(report, faithfulness=">=0.8")`."""
    return Evaluation(cast("pytest.Item", request.node), request.config.stash[_SEEN])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was checked, test by test."""
    seen = terminalreporter.config.stash[_SEEN]
    if not seen:
        return
    terminalreporter.write_sep("=", "evaluations")
    for one in seen:
        terminalreporter.write_line(f"{one.test}: {one.report.title or 'evaluation'}, {len(one.report)} samples")
        for check in one.checks:
            terminalreporter.write_line(f"  {check}")
