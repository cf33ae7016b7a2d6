# Every task of the project; CI calls these and nothing else. `make` alone prints them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A folder of the current directory must never hide a library (the prescribed folder `validators` would).
export PYTHONSAFEPATH := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
DEBIAN := unzip 7zip default-jre-headless libpdfbox2-java libjaxb-api-java libactivation-java libcommons-io-java chromium postgresql mariadb-server unixodbc odbc-mariadb libsqliteodbc mdbtools odbc-mdbtools firebird3.0-server firebird3.0-utils
SHARED := $(or $(TRANSVASE_SHARED),$(abspath ../shared))

.DEFAULT_GOAL := help
.PHONY: help demo install dev test test-all debian lint types contracts codes docs matrix conformity bench clean

help: ## Print the tasks
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

install: $(VENV)/.run ## Install what running needs, in .venv
dev: $(VENV)/.dev ## Install what developing needs too

demo: $(VENV)/.run ## Run the whole chain on the embedded practice, in the folder demo
	$(BIN)/transvase demo demo $(DEMO)

test: $(VENV)/.dev ## Tests that need neither Debian packages nor the reference folder; the others are listed
	$(BIN)/pytest -q -n 2 --dist worksteal --plain --results build/results/test.json

test-all: test debian ## Then those that need Debian packages and the reference folder; nothing may be missing
	TRANSVASE_TEST_ALL=1 $(BIN)/pytest -q -n 2 --dist worksteal -m "shared or debian" --results build/results/test-all.json

debian: ## Install the Debian packages that test-all needs (root)
	@command -v npm >/dev/null || (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm) >/dev/null
	@dpkg -s $(DEBIAN) >/dev/null 2>&1 || (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEBIAN)) >/dev/null

lint: $(VENV)/.dev ## Style and common mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Static types
	$(BIN)/mypy

contracts: $(VENV)/.dev ## Who may import whom
	$(BIN)/lint-imports

codes: $(VENV)/.dev ## Generated code sets still equal the reference sheets
	$(BIN)/python tools/generate_codes.py $(SHARED)/reference --check

docs: $(VENV)/.dev ## Generated pages still equal the code
	$(BIN)/python tools/generate_docs.py --check

matrix: $(VENV)/.dev ## Requirements with their code, tests and the results of the last runs, in build/requirements.md
	$(BIN)/python tools/generate_docs.py --results $(wildcard build/results/*.json)

conformity: $(VENV)/.dev ## Every CDA we write passes the official XSD and Schematrons
	$(BIN)/python tools/conformity.py $(SHARED)

bench: $(VENV)/.dev ## Ratios against the floor, measured in one run
	$(BIN)/python bench/run.py $(BENCH)

clean: ## Remove what the tasks made
	rm -rf $(VENV) demo build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
