# Needs Python 3.11, make, git and a package index; everything else is installed into .venv by the first target that needs it.
# On a machine without a GPU, PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu saves the download of CUDA.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test lint types unit clean

setup: $(READY)

$(READY): constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pgolf needs Python 3.11 or later: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[ref,data,dev]'
	touch $@

# Train the tiny reference on real text, check its submission and an illegal twin.
demo: $(READY)
	$(BIN)/python tools/demo.py

test: lint types unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --cov --cov-report=term:skip-covered

# Outputs and caches; the environment in .venv stays.
clean:
	rm -rf out build dist .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find pgolf_check pgolf_ref tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +
