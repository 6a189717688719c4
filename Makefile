# Needs make and Python 3.11 or newer; the rest goes into .venv. Another Python: make test PYTHON=python3.13

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
export PYTHON
# Where it is set, as in many containers, each command that the tests start compiles the package again: 0.1 s of 0.25.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint docs bench mutants clean

help:
	@echo "make demo    ingest a synthetic facility into a lake, pull an archive back, compare, ask"
	@echo "make test    all tests"
	@echo "make lint    ruff, mypy, import contracts"
	@echo "make docs    the documentation as HTML in build/docs; any warning is an error"
	@echo "make bench   a map and small archives beside restic and borg; writes tests/bench/RESULTS.md"
	@echo "make mutants break critical lines one at a time; the tests must notice each"
	@echo "make clean   remove .venv and caches"

demo: $(VENV)/ready-run
	@$(BIN)/sxeslake demo

test: $(VENV)/ready-test
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy sxeslake tests examples docs/from_code.py docs/wheel_hook.py
	$(BIN)/lint-imports

docs: $(VENV)/ready-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo "build/docs/index.html"

bench: $(VENV)/ready-dev
	$(BIN)/python tests/bench/run.py --peers --repeat 5 --results --json build/bench.json

mutants: $(VENV)/ready-test
	$(BIN)/python tests/mutants/run.py

# Each stamp says what has been installed; a changed pyproject.toml makes it old.
$(VENV)/ready-run $(VENV)/ready-test $(VENV)/ready-docs $(VENV)/ready-dev: $(VENV)/ready-%: pyproject.toml .ci/bootstrap
	@.ci/bootstrap $*

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build
