# The developer interface; `make help` lists its words.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The tests of a file share their servers, so a file runs in one process.
PARALLEL := -n 2 --dist loadfile

.PHONY: help setup demo check test-fast test test-long screenshots compose-smoke clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

setup: $(STAMP)  ## make .venv with everything: service, worker and developer tools

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Evenkeel needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make setup PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (torch is the large part; a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[worker,dev]'
	@touch $(STAMP)

demo: setup  ## a real job from upload to report, on a stack of its own; KEEP=1 lets its page run on
	@$(BIN)/evenkeel demo $(if $(KEEP),--stay)

check: setup  ## ruff, mypy --strict, import contracts, migrations == tables
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m shared.db.migrate --check

test-fast: setup  ## the tests without servers and training, for the inner loop
	$(BIN)/python -m pytest -m 'not long and not server and not real_encoder' -q $(PARALLEL) \
		--ignore=tests/worker/training

test: setup  ## the tests, against real Redis and PostgreSQL from wheels
	$(BIN)/python -m pytest -m 'not long' $(PARALLEL) --durations=25 --durations-min=5

test-long: setup  ## the same with full counts
	$(BIN)/python -m pytest $(PARALLEL) --durations=25

screenshots: setup  ## the pictures in docs/screenshots, of jobs that are trained for it (needs Chromium)
	$(BIN)/python -m docs.screenshots

compose-smoke:  ## build the images, train a job in containers, kill a worker, take all down (needs a Docker engine)
	bash tests/compose/smoke.sh

clean:  ## remove what setup and the tests made
	rm -rf $(VENV) .clients .mypy_cache .ruff_cache .pytest_cache .hypothesis
