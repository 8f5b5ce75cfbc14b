# make setup | demo | check | test | prove | explore | bench | lint | lock | up | down | smoke — see README.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements-dev.lock requirements-clickhouse.lock
STAMP := $(VENV)/.installed
# What is done with the stack on Docker: it finds the one that runs, simulator or live. REASON and LIVE
# reach it as variables; ARGS are words.
STACK := $(PYTHON) -m deploy.stack
export LIVE REASON

.PHONY: help setup demo check test prove explore bench lint audit format lock clean smoke k8s \
  up down ps state halt resume exit mode stop start restart logs lag tail dlq cli login password rewind rotate
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
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --durations 20

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

up: $(if $(filter 1,$(LIVE)),$(STAMP)) ## everything on Docker, simulated; LIVE=1: your account, orders only logged
	@$(if $(filter 1,$(LIVE)),$(BIN)/python -m deploy.stack,$(STACK)) up $(ARGS)

down: ## stop the stack that runs; the data stays (make down ARGS=-v removes it)
	@$(STACK) down $(ARGS)

ps: ## what runs, whether it is healthy, and what it waits for
	@$(STACK) ps $(ARGS)

state: ## mode, whether trading is halted, open positions
	@$(STACK) state $(ARGS)

halt: ## open no new position, also after a restart (make halt REASON="news")
	@$(STACK) halt $(ARGS)

resume: ## allow new positions again (make resume REASON="over")
	@$(STACK) resume $(ARGS)

exit: ## close every open position; halt first
	@$(STACK) exit $(ARGS)

mode: ## disabled, logging_only or paper (make mode ARGS=logging_only)
	@$(STACK) mode $(ARGS)

stop: ## stop services (make stop ARGS=executor)
	@$(STACK) stop $(ARGS)

start: ## start what is stopped (make start ARGS=executor)
	@$(STACK) start $(ARGS)

restart: ## restart services (make restart ARGS=ingest)
	@$(STACK) restart $(ARGS)

logs: ## follow the logs (make logs ARGS=executor)
	@$(STACK) logs $(ARGS)

lag: ## how many messages each consumer group is behind (make lag ARGS=--watch)
	@$(STACK) lag $(ARGS)

tail: ## follow a topic (make tail ARGS=orders)
	@$(STACK) tail $(ARGS)

dlq: ## dead letters (make dlq ARGS=list; then show, retry)
	@$(STACK) dlq $(ARGS)

cli: ## any command of alphastocks in the stack (make cli ARGS=topics)
	@$(STACK) cli $(ARGS)

login: ## log in at Kite, for the live stack; needs KITE_API_KEY and KITE_API_SECRET
	@$(STACK) login $(ARGS)

password: ## the password of Grafana's user admin
	@$(STACK) password

rewind: ## a table's writer reads its topics again (make rewind ARGS=position.writer.positions)
	@$(STACK) rewind $(ARGS)

rotate: ## make a secret anew (make rotate ARGS=operator; or store)
	@$(STACK) rotate $(ARGS)

smoke: $(STAMP) ## docker compose up from scratch, services killed, nothing lost
	$(BIN)/python -m pytest -v -s tests/deploy/test_compose.py

k8s: $(STAMP) ## render both overlays of deploy/k8s and check every object
	$(BIN)/python -m pytest -v tests/deploy/test_k8s.py

clean: ## remove the environment and everything under var
	rm -rf $(VENV) var
