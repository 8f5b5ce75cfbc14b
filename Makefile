# make help lists the targets; README.md explains them.
PYTHON ?= python3
# The versions of Python that all packages have wheels for: see `make wheels`.
PYTHONS := 3.11 3.12 3.13 3.14
VENV := .venv
BIN := $(VENV)/bin
# The environment keeps the Python that it was made with, unless another one is asked for.
ASKED := $(if $(filter file,$(origin PYTHON)),$(BIN)/python,$(PYTHON))
HAS := $(shell $(ASKED) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
MAKER := $(if $(HAS),$(ASKED),$(PYTHON))
# What running needs, and the developer's tools on top; deploy/environment.py writes both stamps.
RUN := $(VENV)/.run-$(HAS)
DEV := $(VENV)/.dev-$(HAS)
# An environment whose Python is gone, or that was moved or copied, is made anew.
HERE := $(shell [ -x $(BIN)/python ] && [ "$$(cat $(RUN) 2>/dev/null)" = "$$(cd $(VENV) && pwd -P)" ] && echo yes)
# What is done with the stack on Docker: it finds the one that runs, simulator or live. REASON and LIVE
# reach it as variables; ARGS are words.
STACK := $(PYTHON) -m deploy.stack
export LIVE REASON
# What make help shows first.
FIRST := demo up down test help

.PHONY: help setup demo develop check test prove explore chaos-orders bench lint audit format lock wheels clean erase-var smoke k8s \
  up down ps state halt resume exit mode stop start restart logs lag tail dlq cli login password rewind rotate backup restore
.DEFAULT_GOAL := help

$(RUN): requirements.lock requirements-build.lock requirements-clickhouse.lock pyproject.toml libs/runtime/version.py $(if $(HERE),,.anew)
	@$(MAKER) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "alphastocks needs Python 3.11 or newer; $(MAKER) is older or missing. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(MAKER) deploy/environment.py run

# Is never there, so what needs it is made again.
.anew:

$(DEV): requirements-dev.lock $(RUN)
	@$(BIN)/python deploy/environment.py dev

##@ Running
setup: $(RUN) ## what running needs, in .venv; the targets that need it make it by themselves

demo: $(RUN) ## a synthetic trading day through all six services
	$(BIN)/alphastocks demo

clean: ## remove the environment; var, with orders and positions, stays
	rm -rf $(VENV)

erase-var: ## remove var: orders, positions, sessions, outcomes (make erase-var SURE=yes)
	@[ "$$SURE" = yes ] || { echo "this removes var, with the orders and positions of alphastocks up; if that is meant: make erase-var SURE=yes" >&2; exit 2; }
	rm -rf var

##@ Developing
develop: $(DEV) ## the developer's tools on top, in .venv

check: $(DEV) ## lint, types and the unit tests of what changed (make check SINCE=main)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/python -m tests.affected $(if $(SINCE),--since $(SINCE))

test: $(DEV) ## unit, contract and integration tests, with a sample of the long proofs
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 20

prove: $(DEV) ## the long proofs whole: properties at a thousand examples each
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --durations 20 -m "hypothesis or proof" --hypothesis-profile whole $(ARGS)

explore: $(DEV) ## the properties with new examples, a thousand each
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m hypothesis --hypothesis-profile explore $(ARGS)

chaos-orders: $(DEV) ## 10,000 days of the order path with a fault in each; writes var/chaos/orders.json
	$(BIN)/python -m tests.chaos.orders $(ARGS)

bench: $(DEV) ## speed beside references; writes var/bench.json
	$(BIN)/python -m tests.bench

lint: $(DEV) ## format check, lint, types, import contracts, audit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory audit

audit: $(DEV) ## known weaknesses of the locked dependencies
	@mkdir -p var
	$(BIN)/pip-audit --progress-spinner off --disable-pip --require-hashes -r requirements.lock --output var/audit.txt
	@if [ -s var/audit.txt ]; then echo "what could not be asked about: var/audit.txt"; fi

format: $(DEV) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## resolve the lock files again (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -c requirements-dev.lock requirements-build.in -o requirements-build.lock
	uv pip compile -q --generate-hashes --no-deps --no-emit-index-url --no-header --python-version 3.11 requirements-clickhouse.in -o requirements-clickhouse.lock

wheels: ## ask whether every locked package has a wheel for each Python (needs uv)
	@for python in $(PYTHONS); do for lock in requirements*.lock; do \
	  uv pip install --quiet --dry-run --no-deps --only-binary :all: --python-version $$python --target var/wheels -r $$lock \
	    || { echo "Python $$python, $$lock: not for every package"; exit 1; }; \
	done; echo "Python $$python: a wheel for every package"; done

help: ## every target, those to begin with first
	@awk -F ':.*## ' -v first=' $(FIRST) ' ' \
	  pass == 2 && /^##@ / { print "\n" substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / && (pass == 1) == (index(first, " " $$1 " ") > 0) { printf "  %-12s %s\n", $$1, $$2 } \
	  ' pass=1 Makefile pass=2 Makefile

##@ On Docker
up: $(if $(filter 1,$(LIVE)),$(RUN)) ## everything on Docker, simulated; LIVE=1: your account, orders only logged
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

backup: ## tables, topics and offsets to backups/, by name (make backup ARGS=2026-06-17; else today's date)
	@$(STACK) backup $(ARGS)

restore: ## a backup into empty volumes, all services stopped (make restore ARGS=2026-06-17)
	@$(STACK) restore $(ARGS)

smoke: $(DEV) ## docker compose up from scratch, services killed, nothing lost
	$(BIN)/python -m pytest -v -s tests/deploy/test_compose.py

k8s: $(DEV) ## render both overlays of deploy/k8s and check every object
	$(BIN)/python -m pytest -v tests/deploy/test_k8s.py
