"""The shape of the code: sizes, docstrings, `__all__`, no heavy imports, no first-party import in a function."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "llmopt").rglob("*.py"))
HEAVY = {"openai", "tiktoken", "bm25s", "jinja2", "tqdm", "tenacity", "torch", "pandas", "transformers", "peft"}

LONGEST_FILE = 300
LONGEST_FUNCTION = 40
# Modules and functions over the limit, with the reason. This list only shrinks.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines without the docstring, which is as long as its reader needs."""
    doc = function.body[0]
    documented = isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant)
    spent = (doc.end_lineno or 0) - doc.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - spent


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_short_documented_and_says_what_it_exports(path: Path) -> None:
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "a module says in its docstring what it is for"
    if len(tree.body) > 1:
        assert any(
            isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
            for node in tree.body
        ), "every module has `__all__`"
    if name_of(path) not in LONG_FILES:
        assert source.count("\n") <= LONGEST_FILE, f"over {LONGEST_FILE} lines: redesign instead of adding"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_are_short(path: Path) -> None:
    for function in functions(ast.parse(path.read_text("utf-8"))):
        name = f"{name_of(path)}:{function.name}"
        if name not in LONG_FUNCTIONS:
            assert lines_of_code(function) <= LONGEST_FUNCTION, f"{name} has over {LONGEST_FUNCTION} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_first_party_imports_stand_at_the_top(path: Path) -> None:
    for function in functions(ast.parse(path.read_text("utf-8"))):
        for node in ast.walk(function):
            if isinstance(node, ast.ImportFrom):
                first_party = node.level > 0 or (node.module or "").split(".")[0] == "llmopt"
                assert not first_party, f"{name_of(path)}:{node.lineno} imports llmopt inside a function"


def test_the_exceptions_are_still_needed() -> None:
    for name in LONG_FILES:
        assert (ROOT / name).read_text("utf-8").count("\n") > LONGEST_FILE, f"{name} is short now: take it off the list"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, llmopt; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_every_module_can_be_imported_without_the_extras() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in MODULES]
    wanted = [name for name in names if not name.endswith("__main__") and ".testing" not in name]
    blocked = {"torch", "sentence_transformers", "onnxruntime", "transformers", "pandas", "pytest", "hypothesis"}
    code = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({sorted(blocked)!r}))\n"
        f"[importlib.import_module(name) for name in {wanted!r}]\n"
    )
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)
