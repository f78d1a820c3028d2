"""Every Python block in the README and in docs/ runs, in the order of its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?P<mark><!-- not run: (?P<why>[^>]+) -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)


def blocks(page: Path) -> list[tuple[int, str]]:
    """Return the blocks to run with the line on which each begins."""
    text = page.read_text("utf-8")
    found = [match for match in BLOCK.finditer(text) if match["mark"] is None]
    return [(text.count("\n", 0, match.start("code")) + 1, match["code"]) for match in found]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name)
def test_the_snippets_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, code in blocks(page):
        padded = "\n" * (line - 1) + code  # so that a traceback names the page's own line
        exec(compile(padded, str(page), "exec"), namespace)


def test_the_readme_has_code_to_paste() -> None:
    assert blocks(ROOT / "README.md")
