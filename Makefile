# Everything a developer or an operator of one machine does. `make` alone lists it.
PORT ?= 8080
VAR ?= var
BROKER ?= memory
PYTHON ?= python3
ARGS ?=

bin := .venv/bin
ready := .venv/.ready
members := shared/pyproject.toml $(wildcard services/*/pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help setup up test soak fuzz fuzz-mail check bench bench-data bench-scale bench-alarms bench-sending bench-backlog mail-report migrate docs lock clean

help: ## Print this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(ready): requirements.lock pyproject.toml $(members) deploy/setup.sh
	@PYTHON='$(PYTHON)' sh deploy/setup.sh

setup: $(ready) ## Make .venv with exactly the packages of requirements.lock
	@:

up: $(ready) ## Run everything on this machine: PORT=8080 VAR=var (its data) BROKER=memory, rabbitmq or amqp://...
	@exec $(bin)/python deploy/embedded.py --port '$(PORT)' --var '$(VAR)' --broker '$(BROKER)'

test: $(ready) ## Run all tests: ARGS="-k outbox" for some; installs RabbitMQ, Dovecot and Chromium when it may
	@sh deploy/test-servers.sh
	@$(bin)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

soak: $(ready) ## 10,000 steps of random lives of tickets, other ones each time; schedulers killed for two minutes
	@DESKWIRE_STEPS=$${DESKWIRE_STEPS:-10000} $(bin)/python -m pytest -rP tests/test_lives.py $(ARGS)
	@DESKWIRE_CHAOS_SECONDS=$${DESKWIRE_CHAOS_SECONDS:-120} $(bin)/python -m pytest -rP \
		--timeout 300 services/scheduler-svc/tests/test_chaos.py

fuzz: $(ready) ## Call the API in all ways that it describes, and in others, for 10 minutes
	@DESKWIRE_FUZZ_SECONDS=$${DESKWIRE_FUZZ_SECONDS:-600} $(bin)/python -m pytest -rP tests/test_fuzz.py $(ARGS)

check: $(ready) ## Style, types, architecture, and whether the lock and the generated docs are fresh
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@sh deploy/types.sh
	@$(bin)/lint-imports --no-logo
	@$(bin)/python -m pytest -q --no-header tests/test_deploy.py -k lock
	@$(bin)/deskwire docs --check

bench: $(ready) ## Measure throughput and latency
	@PYTHONPATH=deploy $(bin)/python -m bench $(ARGS)

bench-sending: $(ready) ## Measure notify-svc alone beside one loop that sends ready mails: ARGS=10000
	@PYTHONPATH=deploy $(bin)/python -m bench.sending $(ARGS)

bench-backlog: $(ready) ## Measure how late an event is while 50,000 deliveries wait for slow servers
	@PYTHONPATH=deploy $(bin)/python -m bench.backlog $(ARGS)

bench-data: $(ready) ## Make a million tickets in var/bench: ARGS="50000 200000" for other numbers
	@$(bin)/python -m bench.data '$(VAR)/bench' $(ARGS)

bench-scale: $(ready) ## Measure lists and searches of a million tickets beside ten thousand
	@$(bin)/python -m bench.scale '$(VAR)/bench' $(ARGS)

bench-alarms: $(ready) ## Measure a million armed alarms beside ten thousand, a burst of them, and how late they are
	@PYTHONPATH=deploy $(bin)/python -m bench.alarms $(ARGS)

mail-report: $(ready) ## How well mails of other projects are understood, and which are not
	@$(bin)/python services/mail-ingest-svc/tests/mail_report.py

fuzz-mail: $(ready) ## Mails that nobody would write, for 10 minutes: those not read well are in var/fuzz
	@$(bin)/python services/mail-ingest-svc/tests/fuzz_parser.py "$${DESKWIRE_FUZZ_SECONDS:-600}"

migrate: $(ready) ## Bring the databases to the newest schema
	@$(bin)/deskwire migrate

docs: $(ready) ## Write docs/asyncapi.json, mails.html, messages.md and openapi.json from the code
	@$(bin)/deskwire docs

lock: $(ready) ## Resolve requirements.lock anew from the pyproject files
	@$(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		$(members) --group test --group check --group build \
		--no-emit-package deskwire -o requirements.lock
	@echo "requirements.lock is fresh: run make setup"

clean: ## Remove .venv and the caches; the data in var stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find bench deploy services shared tests -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
