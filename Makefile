# make            lists the targets
# PYTHON=…        a Python 3.11 to 3.13 (default: the newest found)
# WORKERS=…       files of tests that run at a time (default: 2)
# TORCH_INDEX=…   a package index to take torch from, e.g. PyTorch's index of CPU builds
SHELL := /bin/bash
VENV  ?= .venv
BIN   := $(VENV)/bin
PINS  := constraints.txt
WORKERS ?= 2
# gpu-check takes PYTHON=… if it is given, else the environment if there is one, else python3
GPU_PYTHON = $(or $(PYTHON),$(wildcard $(BIN)/python),python3)

.DEFAULT_GOAL := help
.PHONY: help run test lint bench bench-others gpu-check soak clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile

run: $(VENV)/.installed ## install what is needed, run the quickstart experiment on this machine, write its report
	$(BIN)/attnbench run experiment=quickstart --report results/report.html

test: $(VENV)/.installed-test ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(VENV)/.installed-test ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gpu-check: ## everything that needs a GPU, in the environment of PYTHON=… (torch, numpy, yaml)
	$(GPU_PYTHON) -m tests.gpu $(GPU_CHECK)

bench-others: $(VENV)/.installed-test ## the same cells through pytest-benchmark and pyperf, change points through Otava and asv (half an hour)
	$(BIN)/python -m tests.bench.others $(BENCH)
	$(BIN)/python -m tests.bench.others.detectors

bench: $(VENV)/.installed-test ## the project's own speed figures (BENCH=--json for JSON)
	$(BIN)/python -m tests.bench $(BENCH)

soak: $(VENV)/.installed-test ## kill actors, nodes and the driver of a sweep 100 times at random (SOAK='--kills 20 --seed 1')
	$(BIN)/python -m tests.soak $(SOAK)

clean: ## remove the environment and caches; results/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.installed: pyproject.toml $(PINS) .ci/venv
	@PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" .ci/venv $(VENV) $(PINS) .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@.ci/venv $(VENV) $(PINS) '.[test]'
	@touch $@
