"""Pictures of comparisons and reports, where matplotlib is there, and what is said where it is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from llmopt.errors import MissingExtraError
from llmopt.evaluation import Report, Row
from llmopt.types import Sample, Score


def report(values: Sequence[float | None]) -> Report:
    scored = [Score(value, "" if value is not None else "none") for value in values]
    rows = [Row(Sample(question="q", id=str(n)), {"right": score}) for n, score in enumerate(scored)]
    return Report(tuple(rows), ("right",))


BEFORE, AFTER = report([0.0, 0.0, 1.0, 0.0]), report([1.0, 0.0, 1.0, 1.0])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw without a screen."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.setenv("MPLBACKEND", "agg")


@pytest.mark.usefixtures("drawn")
def test_a_comparison_shows_means_the_difference_and_the_counts(tmp_path: Path) -> None:
    figure = AFTER.compare(BEFORE, "right").plot()
    assert [axes.get_title() for axes in figure.axes] == ["mean right", "paired difference", "samples"]
    assert [label.get_text() for label in figure.axes[2].get_xticklabels()] == ["worse", "equal", "better"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["0.500"]
    assert [text.get_text() for text in figure.axes[2].texts] == ["0", "2", "2"]
    figure.savefig(tmp_path / "comparison.png")  # pyright: ignore[reportUnknownMemberType]
    assert (tmp_path / "comparison.png").stat().st_size > 1000


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("values", [[1.0], [None, None], []], ids=["one sample", "no figures", "no samples"])
def test_a_comparison_of_next_to_nothing_is_drawn(values: Sequence[float | None]) -> None:
    figure = report(values).compare(report(values), "right").plot()
    assert len(figure.axes) == 3


@pytest.mark.usefixtures("drawn")
def test_a_report_shows_how_its_scores_are_spread() -> None:
    figure = report([0.1, 0.2, None, 3.0]).plot()
    assert [axes.get_title() for axes in figure.axes] == ["right, n = 3"]
    assert sum(patch.get_height() for patch in figure.axes[0].patches) == 3  # type: ignore[attr-defined]  # bars
    assert [text.get_text() for text in report([None]).plot().axes[0].texts] == ["no figure"]


@pytest.mark.usefixtures("drawn")
def test_drawing_leaves_no_open_figure_behind() -> None:
    import matplotlib.pyplot as plt

    BEFORE.plot()
    assert plt.get_fignums() == []


def test_matplotlib_is_asked_for_by_name_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"`Comparison.plot` needs matplotlib.*pip install matplotlib"):
        AFTER.compare(BEFORE, "right").plot()


def test_the_room_is_imported_without_matplotlib() -> None:
    code = "import sys, llmopt.evaluation; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
