# Every target is one line of what it runs; `make help` prints them. The first one that needs the
# environment makes it: .venv holds exactly what requirements.lock names, by hash.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
DIR ?= ../shared/vectors
RESUME ?=
BIN := .venv/bin
CODE := hub relayer adapters deploy $(wildcard migrations) tests protos/generate.py protos/breaking.py
SUITES := unit properties vectors fuzz registry rpc scenarios simulation faults bench architecture
PYTEST := $(BIN)/pytest -n 2 --dist=worksteal

# A suite whose directory stands is run; $(call suite,NAME) says so when it does not.
suite = $(if $(wildcard tests/$(1)),$(BIN)/pytest tests/$(1),@echo "tests/$(1): no such suite")

.PHONY: help demo test check postgres15 chains vectors bench flood bench-chains dev fuzz fuzz-full faults chaos takeover promotion ordered simulate abuse fmt lint types contracts \
	protos migrations metrics dashboard-picture docs generate lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-18s %s\n", $$1, $$2}' Makefile

demo: .venv/.ready ## three cities exchange proven packets under faults, about 60 s
	$(BIN)/ydhub dev demo

dev: .venv/.ready ## a hub, a relayer and simchains on this machine
	$(BIN)/ydhub dev up

test: .venv/.ready ## every test suite but live chains, migrations and documents
	$(PYTEST) $(wildcard $(SUITES:%=tests/%))

check: lint types contracts protos migrations docs $(if $(wildcard tests/fuzz),fuzz) test postgres15 chains ## all that CI runs

postgres15: .venv/.ready ## the registry's and the migrations' tests on Debian's PostgreSQL 15
	.ci/debian postgresql-15 && YDHUB_TEST_POSTGRES=15 $(PYTEST) tests/registry tests/migrations

chains: .venv/.ready ## live chains: built once (minutes), then started and tested
	$(BIN)/python -m tests.chains.cosmos.build && $(BIN)/pytest tests/chains

vectors: .venv/.ready ## one JSON line for each vector case under DIR
	$(BIN)/python -m tests.vectors $(DIR)

bench: .venv/.ready ## packets a second, latency, CPU a packet, memory
	$(BIN)/ydhub bench

flood: .venv/.ready ## what a city that floods costs another one: p99 before and during
	$(BIN)/python -m tests.bench.flood

bench-chains: .venv/.ready ## 5,000 packets committed on one live chain, relayed to another and back
	$(BIN)/python -m tests.chains.cosmos.build && $(BIN)/python -m tests.chains.cosmos.bench

fuzz: .venv/.ready ## 20,000 mutations of each kind of untrusted input
	$(BIN)/python -m tests.fuzz --count 20000

fuzz-full: .venv/.ready ## 1,000,000 mutations of each kind of untrusted input
	$(BIN)/python -m tests.fuzz --count 1000000

faults: .venv/.ready ## faults of every kind strike whole networks, about 2 h; RESUME=--resume goes on
	.ci/debian libfaketime && $(BIN)/python -m tests.faults $(RESUME)

chaos: .venv/.ready ## two relayers, three cities: 200 processes killed under load
	$(BIN)/python -m tests.faults.chaos --kills 200

takeover: .venv/.ready ## how soon another relayer takes over from one that is killed or stopped
	$(BIN)/python -m tests.faults.takeover --count 20

promotion: .venv/.ready ## the database's primary is lost under load, its standby promoted, twenty times
	$(BIN)/python -m tests.faults.promotion --count 20

abuse: .venv/.ready ## what abuse of each listener costs others: p99 before and during, memory, connections
	$(BIN)/python -m tests.faults.abuse

ordered: .venv/.ready ## 10,000 packets on an ordered lane, one in twenty failing, under kills
	$(BIN)/python -m tests.faults.ordered

simulate: .venv/.ready ## the exchange on simulated machines: 1,000 runs, 10,000 walks, every interleaving, planted bugs
	$(BIN)/python -m tests.simulation --search large --walks 10000 --seeds 1000 --planted

fmt: .venv/.ready ## format code and protos
	$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format . && $(BIN)/buf format -w protos

lint: .venv/.ready ## format and lint rules of the code
	$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: .venv/.ready ## mypy, strict
	$(BIN)/mypy $(CODE)

contracts: .venv/.ready ## who may import whom
	$(BIN)/lint-imports

protos: .venv/.ready ## lint, format and compatibility of the wire contract
	$(BIN)/buf lint protos && $(BIN)/buf format -d --exit-code protos && $(BIN)/python protos/breaking.py

generate: .venv/.ready ## write protos/gen anew
	$(BIN)/python protos/generate.py

migrations: .venv/.ready ## the migrations lead to the schema that the code declares
	$(call suite,migrations)

metrics: .venv/.ready ## write the page of metrics and the dashboards anew
	$(BIN)/python -m deploy.generate

dashboard-picture: .venv/.ready ## draw the overview dashboard from a network under load, about 5 min
	.ci/debian prometheus && $(BIN)/python -m deploy.grafana.picture

docs: .venv/.ready ## every command and file that the documents name works; alert rules do what they say
	.ci/debian prometheus haproxy && $(call suite,docs)

lock: .venv/.ready ## resolve the dependencies anew, keeping pins that still fit
	$(BIN)/uv pip compile pyproject.toml --group dev --extra cosmos --extra otel --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" --quiet --output-file requirements.lock

clean: ## remove the environment and everything generated beside it
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv/.ready: requirements.lock pyproject.toml
	PYTHON=$(PYTHON) .ci/bootstrap
