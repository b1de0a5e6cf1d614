# Every target sets up what it needs: a virtual environment in .venv, the locked versions, this package.
PYTHON ?= python3.11
READY := .venv/.ready
RUN := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup train test test-slow test-network lint lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## virtual environment with the locked versions

train: $(READY)  ## a 32-layer SELU network on MNIST, four seeds (ARGS="..." adds overrides)
	$(RUN) train.py +experiment=selu_deep $(ARGS)

test: $(READY)  ## the tests: about two minutes, no network
	$(RUN) -m pytest $(ARGS)

test-slow: $(READY)  ## whole jobs in processes of their own
	$(RUN) -m pytest -m "slow and not network" $(ARGS)

test-network: $(READY)  ## what needs the internet or a package registry
	$(RUN) -m pytest -m network $(ARGS)

lint: $(READY)  ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/mypy

lock:  ## resolve pyproject.toml afresh into requirements.lock
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/pip install --quiet --editable '.[dev]'
	.venv-lock/bin/pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock
	rm -rf .venv-lock

clean:  ## remove the virtual environment and caches; data and runs stay
	rm -rf .venv .ruff_cache .mypy_cache .pytest_cache

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --requirement requirements.lock
	.venv/bin/pip install --quiet --no-deps --editable .
	touch $@
