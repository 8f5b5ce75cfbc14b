# make setup | demo | test | bench | lint | lock — see README.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements-dev.lock requirements-clickhouse.lock
STAMP := $(VENV)/.installed

.PHONY: help setup demo test bench lint format lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(STAMP): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "alphastocks needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-clickhouse.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

setup: $(STAMP) ## make the environment in .venv

demo: $(STAMP) ## a synthetic trading day through all six services
	$(BIN)/alphastocks demo

test: $(STAMP) ## unit, contract and integration tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

bench: $(STAMP) ## speed beside references; writes var/bench.json
	$(BIN)/python -m tests.bench

lint: $(STAMP) ## format check, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## resolve the lock files again (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock
	uv pip compile -q --generate-hashes --no-deps --no-emit-index-url --no-header --python-version 3.11 requirements-clickhouse.in -o requirements-clickhouse.lock

clean: ## remove the environment and everything under var
	rm -rf $(VENV) var
