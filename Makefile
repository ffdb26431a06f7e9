# Every target makes the virtual environment that it needs.
#
#   make figures   the figures of chapter 8, in results/
#   make test      the tests
#   make check     format, lint, types and tests
#   make speed     the table of speeds
#   make trials    kills during a sweep and during saves; damaged files
#   make clean     remove the environment, caches and results of these targets

PYTHON ?= python3
VENV ?= .venv
OUTPUT ?= .
SOURCES := dynamaze/*.py dynamaze/app dynamaze/common dynamaze/viewer envs agents distill benchmarks docs tests

BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: figures test lint types check speed trials clean

figures: $(VENV)/core
	$(BIN)/dynamaze figures --output $(OUTPUT)

test: $(VENV)/dev
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(VENV)/dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: $(VENV)/dev
	$(BIN)/mypy

check: lint types test

speed: $(VENV)/dev
	$(BIN)/dynamaze bench speed

trials: $(VENV)/dev
	$(BIN)/python tests/trials/kill_runs.py --kills 200
	$(BIN)/python -W ignore tests/trials/kill_saves.py --kills 600
	$(BIN)/python -W ignore tests/trials/damaged_files.py --files 10000

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "DynaMaze needs Python 3.11 or newer; pass one by PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/core: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing DynaMaze into $(VENV) ..."
	$(PIP_INSTALL) --editable .
	@touch $@

# torch alone and first: pinned, it is not replaced by what depends on it.
$(VENV)/dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing DynaMaze with its tests' tools into $(VENV) ..."
	$(PIP_INSTALL) torch
	$(PIP_INSTALL) --editable ".[dev]"
	@touch $@ $(VENV)/core

clean:
	rm -rf $(VENV) build dist *.egg-info results .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
