# Every target makes the virtual environment that it needs.
#
#   make demo      agents in mazes that change, in the terminal; some ten seconds after the set-up
#   make figures   the figures of chapter 8, in results/
#   make test      the tests
#   make test-lowest  the environments' and agents' tests with the lowest supported versions
#   make check     format, lint, types and tests
#   make speed     the table of speeds
#   make docs      the site, in docs/_build/html; some two minutes after the set-up
#   make dist      wheel and source distribution of the last commit, in dist/
#   make trials    200 kills of drivers and workers during a sweep, and other long trials
#   make mutants   400 small edits of the sources, of which the tests must notice nine in ten
#   make clean     remove the environment, caches and results of these targets

PYTHON ?= python3
VENV ?= .venv
LOWEST ?= .venv-lowest
OUTPUT ?= .
SOURCES := setup.py dynamaze/*.py dynamaze/app dynamaze/common dynamaze/viewer envs agents distill benchmarks docs examples tests

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Says every 30 s that a command is still at work; the shell's exit code is that of the command.
ALIVE = (while sleep 30 >/dev/null 2>&1 && kill -0 $$$$; do echo "still installing ..." >&2; done) & alive=$$!; \
	trap 'kill $$alive' EXIT;
FAILED = { echo "Installing into $(@D) failed (see above); if the network was missing, run the same" \
	"command again when it is back." >&2; exit 1; }

.PHONY: demo figures test test-lowest lint types check speed docs dist trials mutants clean

demo: $(VENV)/core
	$(BIN)/dynamaze demo

figures: $(VENV)/core
	$(BIN)/dynamaze figures --output $(OUTPUT)

# Tests of a file stay together, until a worker without any takes some of another's. By "loadfile"
# the files with the fewest tests come last, and a long one is waited for.
test: $(VENV)/dev
	$(BIN)/python -m pytest -n auto --dist worksteal

# But today's torch: older wheels bring gigabytes of CUDA. A newer pyparsing warns Matplotlib 3.9.
test-lowest: $(LOWEST)/installed
	$(LOWEST)/bin/python -m pytest -n auto --dist worksteal tests/envs tests/agents

lint: $(VENV)/dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: $(VENV)/dev
	$(BIN)/mypy

check: lint types test

speed: $(VENV)/dev
	$(BIN)/dynamaze bench speed

# Executes the notebooks; warnings and dead links are errors. Always anew: pages are generated.
docs: $(VENV)/docs
	$(BIN)/python -m sphinx --builder html --fail-on-warning --fresh-env \
		docs docs/_build/html

# Byte-identical for a commit, with the setuptools of constraints.txt.
dist: $(VENV)/dev
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && umask 022 && \
		git archive --output "$$folder/tree.tar" HEAD && mkdir "$$folder/tree" && \
		tar -xf "$$folder/tree.tar" -C "$$folder/tree" && \
		SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
		$(BIN)/python -m build --no-isolation --outdir dist "$$folder/tree"

trials: $(VENV)/dev
	$(BIN)/python tests/trials/kill_runs.py --kills 200
	$(BIN)/python tests/trials/arguments.py --maps 100000 --combinations 20000
	$(BIN)/python tests/trials/load_elsewhere.py
	$(BIN)/python tests/trials/command_lines.py --lines 1000
	$(BIN)/python -W ignore tests/trials/kill_saves.py --kills 600
	$(BIN)/python -W ignore tests/trials/damaged_files.py --files 10000

mutants: $(VENV)/dev
	$(BIN)/python tests/trials/mutants.py --known
	$(BIN)/python tests/trials/mutants.py --sample 400 --seed 0

# The stamp stands for a whole environment, also where the last command was ended within this one.
$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "DynaMaze needs Python 3.11 or newer; pass one by PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/core: pyproject.toml constraints.txt | $(VENV)/created
	@echo "Installing DynaMaze into $(VENV) ..."
	@$(ALIVE) $(PIP_INSTALL) --editable ".[figures]" || $(FAILED)
	@touch $@

# torch alone and first: pinned, it is not replaced by what depends on it.
$(VENV)/dev: pyproject.toml constraints.txt | $(VENV)/created
	@echo "Installing DynaMaze with its tests' tools into $(VENV) ..."
	@$(ALIVE) { $(PIP_INSTALL) torch && $(PIP_INSTALL) --editable ".[dev]"; } || $(FAILED)
	@touch $@ $(VENV)/core

$(VENV)/docs: pyproject.toml constraints.txt | $(VENV)/created
	@echo "Installing DynaMaze with what builds its site into $(VENV) ..."
	@$(ALIVE) { $(PIP_INSTALL) torch && $(PIP_INSTALL) --editable ".[docs]"; } || $(FAILED)
	@touch $@ $(VENV)/core

# The lower bounds in pyproject.toml, as constraints.
$(LOWEST)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(LOWEST)
	grep -oE '"[A-Za-z0-9_-]+>=[0-9.]+"' pyproject.toml | tr -d '"' | sed 's/>=/==/' \
		| grep -vE '^(setuptools|torch)=' > $(LOWEST)/constraints.txt
	@$(ALIVE) { $(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch && \
		$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check \
		-c $(LOWEST)/constraints.txt --editable ".[distill,figures,models,onnx,tensorboard,trees,video]" \
		hypothesis "pyparsing<3.3" pytest pytest-xdist tqdm; } || $(FAILED)
	@touch $@

clean:
	rm -rf $(VENV) $(LOWEST) build dist docs/_build *.egg-info results .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
