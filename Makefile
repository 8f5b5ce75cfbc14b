# make setup | demo | check | test | prove | explore | bench | lint | lock | up | down | smoke — see README.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements-dev.lock requirements-clickhouse.lock
STAMP := $(VENV)/.installed
# make up LIVE=1 follows a real account and logs what it would order; see docs/runbook.md
COMPOSE := docker compose $(if $(LIVE),--env-file deploy/live.env) -f deploy/docker-compose.yml

.PHONY: help setup demo check test prove explore bench lint audit format lock clean up down logs ps password smoke k8s
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

check: $(STAMP) ## lint, types and the unit tests of what changed (make check SINCE=main)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/python -m tests.affected $(if $(SINCE),--since $(SINCE))

test: $(STAMP) ## unit, contract and integration tests, with a sample of the long proofs
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 20

prove: $(STAMP) ## the long proofs whole: properties at a thousand examples each
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --durations 20 -m "hypothesis or proof" --hypothesis-profile whole $(ARGS)

explore: $(STAMP) ## the properties with new examples, a thousand each
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m hypothesis --hypothesis-profile explore $(ARGS)

bench: $(STAMP) ## speed beside references; writes var/bench.json
	$(BIN)/python -m tests.bench

lint: $(STAMP) ## format check, lint, types, import contracts, audit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory audit

audit: $(STAMP) ## known weaknesses of the locked dependencies
	@mkdir -p var
	$(BIN)/pip-audit --progress-spinner off --disable-pip --require-hashes -r requirements.lock --output var/audit.txt
	@if [ -s var/audit.txt ]; then echo "what could not be asked about: var/audit.txt"; fi

format: $(STAMP) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## resolve the lock files again (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock
	uv pip compile -q --generate-hashes --no-deps --no-emit-index-url --no-header --python-version 3.11 requirements-clickhouse.in -o requirements-clickhouse.lock

up: ## everything on Docker: http://localhost:3000 shows it
	$(COMPOSE) up --detach --build --wait
	@echo "Grafana: http://localhost:$${GRAFANA_PORT:-3000}, user admin; make password shows the password"

down: ## stop it; the data stays (make down ARGS=-v removes it)
	$(COMPOSE) down $(ARGS)

logs: ## the services' logs (make logs ARGS=executor)
	$(COMPOSE) logs --follow --tail 20 $(ARGS)

ps: ## what runs, and whether it is healthy
	$(COMPOSE) ps --all

password: ## the password of Grafana's user admin
	@$(COMPOSE) exec grafana cat /run/alphastocks/grafana/admin_password; echo

smoke: $(STAMP) ## docker compose up from scratch, services killed, nothing lost
	$(BIN)/python -m pytest -v -s tests/deploy/test_compose.py

k8s: $(STAMP) ## render both overlays of deploy/k8s and check every object
	$(BIN)/python -m pytest -v tests/deploy/test_k8s.py

clean: ## remove the environment and everything under var
	rm -rf $(VENV) var
