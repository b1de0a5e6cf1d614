# Every target sets up what it needs: a virtual environment in .venv, the locked versions, this package.
PYTHON ?= python3.11
READY := .venv/.ready
RUN := .venv/bin/python
# Two of `make` at once: the second waits for the environment of the first
IN_TURN := $(if $(shell command -v flock),flock Makefile)
RUNS := $(or $(SELFNORM_RUNS),runs)

.DEFAULT_GOAL := help
# For figure1: DATASETS=digits needs no download, SCALE=paper wants a GPU and days
DATASETS ?= mnist,cifar10
SCALE ?= preview
# For lock: the newest release with a CPU build for every platform that the tests run on
TORCH ?= 2.13.0
comma := ,
# For figure1: two cells at a time on a CPU; the paper's scale takes the device alone
LAUNCHER ?= $(if $(filter preview,$(SCALE)),hydra/launcher=joblib)
TAG := figure1-$(SCALE)$(if $(filter-out mnist$(comma)cifar10,$(DATASETS)),-$(subst $(comma),-,$(DATASETS)))

.PHONY: help setup figure1 results theory benchmark review dashboard train test test-slow soak test-network lint audit lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## virtual environment with the locked versions

figure1: $(READY)  ## the paper's Figure 1: train its cells, analyse, draw, report (DATASETS=digits, SCALE=preview)
	$(RUN) train.py +sweep=figure1 dataset=$(DATASETS) scale=$(SCALE) tag=$(TAG) $(LAUNCHER) $(ARGS)
	$(RUN) scripts/report.py "$(RUNS)" --tag $(TAG) --out "$(RUNS)/$(TAG)/report"

results: $(READY)  ## rebuild the published pictures and tables from the committed data
	for cells in docs/results/*/cells.csv; do $(RUN) scripts/report.py $$(dirname $$cells) --rebuild > /dev/null || exit 1; done
	$(RUN) scripts/precision.py
	$(RUN) scripts/readme.py
	$(RUN) scripts/review.py docs/results/figure1 --export docs/review/figure1.html

theory: $(READY)  ## prove the theorems, draw the moment map, lay the prediction over the measured moments
	$(RUN) scripts/prove.py
	$(RUN) scripts/theory.py
	$(RUN) scripts/prediction.py docs/theory/prediction --rebuild

benchmark: $(READY)  ## the job beside plain PyTorch, Lightning and the products alone: ten minutes, wants a quiet machine
	$(RUN) scripts/benchmark.py $(ARGS)

review: $(READY)  ## a local page over all runs (ARGS="--export review.html" writes it as one file)
	$(RUN) scripts/review.py $(ARGS)

dashboard: $(READY)  ## a W&B workspace and report (ARGS="--dry-run spec.json" needs no account)
	$(RUN) scripts/dashboard.py $(ARGS)

train: $(READY)  ## a 32-layer SELU network on MNIST, four seeds (ARGS="..." adds overrides)
	$(RUN) train.py +experiment=selu_deep $(ARGS)

test: $(READY)  ## the tests: about seven minutes on two cores, no network
	$(RUN) -m pytest $(ARGS)

test-slow: $(READY)  ## whole jobs in processes of their own, the page in a browser
	$(RUN) -m pytest -m "slow and not network and not soak" $(ARGS)

soak: $(READY)  ## 200 kills at random moments: every run must end as if it had not been killed (docs/hardening.md)
	$(RUN) -m pytest -m soak $(ARGS)

test-network: $(READY)  ## what needs the internet or a package registry
	$(RUN) -m pytest -m network $(ARGS)

lint: $(READY)  ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/mypy

audit: $(READY)  ## known weaknesses of the locked versions, by PyPI's advisories
	$(RUN) -m pip_audit --no-deps --disable-pip --progress-spinner=off --requirement requirements.lock

lock:  ## resolve pyproject.toml afresh into requirements.lock
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/pip install --quiet 'torch==$(TORCH)' --editable '.[dev]'
	.venv-lock/bin/pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock
	rm -rf .venv-lock

clean:  ## remove the virtual environment and caches; data and runs stay
	rm -rf .venv .ruff_cache .mypy_cache .pytest_cache

$(READY): requirements.lock pyproject.toml
	$(IN_TURN) sh -ec 'test $@ -nt requirements.lock && test $@ -nt pyproject.toml && exit; \
	$(PYTHON) -m venv .venv; \
	.venv/bin/pip install --quiet --requirement requirements.lock; \
	.venv/bin/pip install --quiet --no-deps --editable .; \
	touch $@'
