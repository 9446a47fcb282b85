# Everything that is done with this checkout. `make help` prints the remarks behind the targets.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
FLASK := $(BIN)/flask --app app
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options
CLIENTS ?= 300
SEED ?= 1
SECONDS_TO_PROFILE ?= 60
TESTS ?= tests
MEASURE ?=

.PHONY: help
help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(VENV)/.runs ## Set up what is missing, then start web, worker and mail catcher on http://127.0.0.1:5000 (PORT=… for another).
	@$(BIN)/python scripts/run.py

.PHONY: test
test: $(VENV)/.tests chromium ## Set up what is missing, then run all tests but the long ones (TESTS=tests/jobs for some).
	@$(BIN)/python -m pytest -n 2 $(TESTS)

.PHONY: test-long
test-long: $(VENV)/.tests chromium ## Run the long tests: many processes, many rows, killed in the middle.
	@HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n 2 -m long $(TESTS)

.PHONY: demo
demo: $(VENV)/.runs ## Fill the database with demo data (CLIENTS=300 SEED=1).
	@$(FLASK) db upgrade
	@$(FLASK) demo --clients $(CLIENTS) --seed $(SEED)

.PHONY: worker
worker: $(VENV)/.runs ## Start one more worker: deadlines, mailings, reminders.
	@$(FLASK) worker

.PHONY: lint
lint: $(VENV)/.tests ## Read the code for mistakes and style.
	@$(BIN)/ruff check --quiet --output-format concise .
	@$(BIN)/ruff format --check --quiet . || { echo "make format puts the layout right"; exit 1; }

.PHONY: format
format: $(VENV)/.tests ## Put imports and layout of the code in order.
	@$(BIN)/ruff check --quiet --select I --fix .
	@$(BIN)/ruff format .

.PHONY: types
types: $(VENV)/.tests ## Check the types where the code thinks.
	@$(BIN)/mypy

.PHONY: sure
sure: lint types test ## All that has to be in order before a change is shared.

.PHONY: bench
bench: $(VENV)/.benches ## Measure what must be fast, beside its peers, at 100,000 clients (MEASURE="--case a" for some of it).
	@$(BIN)/python -m benchmarks $(MEASURE)

.PHONY: bench-long
bench-long: $(VENV)/.benches ## Measure at a million clients beside ten thousand, and the import.
	@$(BIN)/python -m benchmarks --long --imports $(MEASURE)

.PHONY: translate
translate: $(VENV)/.runs ## Collect the texts, bring the catalogues up to date and compile them.
	@PYTHONPATH=. $(BIN)/pybabel --quiet extract -F pyproject.toml -k _l -k lazy_pgettext:1c,2 --no-location --sort-output \
		--omit-header --width 110 -o translations/messages.pot .
	@$(BIN)/pybabel --quiet update -i translations/messages.pot -d translations --no-fuzzy-matching --ignore-obsolete \
		--ignore-pot-creation-date --width 110
	@$(BIN)/pybabel --quiet compile -d translations

.PHONY: routes
routes: $(VENV)/.runs ## Write down every address of the application, for the test that watches them.
	@$(BIN)/python scripts/routes.py tests/house/routes.txt

.PHONY: outbox
outbox: $(VENV)/.runs ## List the letters that the mail catcher has kept.
	@$(BIN)/python mail_catcher.py --list

.PHONY: profile
profile: $(VENV)/.tests ## Start the web alone and record where its time goes (SECONDS_TO_PROFILE=60).
	@mkdir -p data
	@$(BIN)/py-spy record --subprocesses --duration $(SECONDS_TO_PROFILE) --output data/profile.svg -- \
		$(BIN)/gunicorn "app:create_app()"

.PHONY: requirements
requirements: $(VENV)/.tests ## Pin what the files requirements*.in ask for, with digests.
	@$(COMPILE) --output-file requirements.txt requirements.in
	@$(COMPILE) --output-file requirements-dev.txt requirements-dev.in
	@$(COMPILE) --output-file requirements-bench.txt requirements-bench.in

.PHONY: clean
clean: ## Remove what can be made again; the data directory stays.
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Not for the list above: how the virtual environment comes about.

$(BIN)/python:
	@scripts/make-venv $(VENV)

$(VENV)/.runs: requirements.txt | $(BIN)/python
	@echo "Installing what Clientdesk needs (once, and when requirements.txt changes) …"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.tests: requirements-dev.txt $(VENV)/.runs
	@echo "Installing what the tests need (once, and when requirements-dev.txt changes) …"
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/.benches: requirements-bench.txt $(VENV)/.tests
	@echo "Installing what the measurements need (once, and when requirements-bench.txt changes) …"
	@$(PIP) -r requirements-bench.txt
	@touch $@

.PHONY: chromium
chromium:
	@scripts/install-chromium
