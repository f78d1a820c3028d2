"""The notebooks run from top to bottom in a kernel of their own, offline."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[2] / "notebooks"
_SECONDS_PER_CELL = 300


@pytest.mark.parametrize("path", sorted(_FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_notebook_runs_in_a_kernel(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="the notebook tools are not installed: pip install 'llmopt[dev]'")
    nbclient = pytest.importorskip("nbclient", reason="the notebook tools are not installed: pip install 'llmopt[dev]'")
    pytest.importorskip("ipykernel", reason="the notebook kernel is not installed: pip install 'llmopt[dev]'")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=_SECONDS_PER_CELL, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()  # raises the error of a cell that fails
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]


def test_there_are_notebooks() -> None:
    assert [path.stem for path in sorted(_FOLDER.glob("*.ipynb"))] == [
        "01_quickstart",
        "02_climb_the_ladder",
        "03_diagnose",
    ]
