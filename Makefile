# One entry for everything. PYTHON may name another interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check read covered docs clean

# The main job on the embedded corpus: no key, no network beyond the package index.
demo: .venv/.base
	$(BIN)/llmopt demo

test: .venv/.test
	$(BIN)/python -m pytest

# What reads the code and what runs it, side by side.
check: .venv/.dev
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target read covered

read: .venv/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy llmopt tests benchmarks
	$(BIN)/basedpyright
	$(BIN)/lint-imports

covered: .venv/.dev
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered --cov-report=xml:.coverage.xml

# The docs are Markdown; building them means running every snippet in them.
docs: .venv/.test
	$(BIN)/python -m pytest tests/docs

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "llmopt needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

.venv/.base: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.test: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@ .venv/.base

.venv/.dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ .venv/.base .venv/.test

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* dist llmopt-demo
