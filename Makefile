# Each target calls one program, with the Python of .venv; `make` alone lists them.

PYTHON ?= $(or $(shell for p in python3 python3.12 python3.11; do $$p -E -c '' 2>&- && echo $$p && break; done),python3)
# -E: not with another Python's packages or home, which PYTHONPATH and PYTHONHOME may name. UTF-8 in every locale.
RUN := .venv/bin/python -E -X utf8 -m
# Two processes of tests, where the machine has room for two stacks; a file's tests share what they start.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help .venv demo test test-full check unit cluster e2e fix up down status logs submit sql sql-check sql-plan doctor jar clean bench bench-quick page
.NOTPARALLEL:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

.venv: # What is missing is installed; with nothing missing this takes a moment and no network
	@$(PYTHON) -E -m tools.bootstrap

demo: .venv ## Boot the stack, run the whole data flow, check its results, shut down
	$(RUN) local.demo

test: check ## Everything that CI runs
	$(RUN) pytest tests/unit tests/cluster $(PARALLEL)
	$(RUN) pytest tests/e2e $(PARALLEL)

test-full: check ## Everything there is: long outages, every fault, the contest of the benchmark
	$(RUN) pytest tests/unit tests/cluster --full $(PARALLEL)
	$(RUN) pytest tests/e2e --full --ignore tests/e2e/bench
	$(RUN) pytest tests/e2e/bench --full

check: .venv ## Format, lint, types, import contract, duplicates, dead code, open decisions, schema compatibility
	$(RUN) tools.check

unit: .venv ## Tests that need no JVM
	$(RUN) pytest tests/unit $(PARALLEL)

cluster: .venv ## Tests on Flink's mini-cluster
	$(RUN) pytest tests/cluster $(PARALLEL)

e2e: .venv ## Tests on a stack of their own
	$(RUN) pytest tests/e2e $(PARALLEL)

bench: .venv ## Measure the fraud job against its peers: half an hour on a quiet machine
	$(RUN) tests.bench

bench-quick: .venv ## The same with less, in some minutes
	$(RUN) tests.bench --quick

fix: .venv ## Format, and fix what the linter can fix
	$(RUN) tools.check --fix

up: .venv ## Start the stack, or what of it does not run
	$(RUN) local.stack up

down: .venv ## Stop the stack
	$(RUN) local.stack down

status: .venv ## Say of each service that it is healthy, or why not
	$(RUN) local.stack status

logs: .venv ## Show the end of a service's log: SERVICE=kafka; without, the services
	$(RUN) local.stack logs $(SERVICE)

page: .venv ## Show what runs as one picture in the browser, until Ctrl-C: docs/page.md
	$(RUN) ops page

submit: .venv ## Submit a job to the cluster, or several: JOB=fraud_detection
	$(RUN) ops submit $(JOB)

sql: .venv ## Run a pipeline: PIPELINE=name or path/to/any.sql, TARGET=local (default) or cluster
	$(RUN) ops sql run $(PIPELINE) --target $(or $(TARGET),local)

sql-check: .venv ## Plan every pipeline without running it, and say what will hurt later
	$(RUN) ops sql check $(PIPELINE)

sql-plan: .venv ## Say of each pipeline whether savepoints from before its change would restore
	$(RUN) ops sql plan $(PIPELINE)

doctor: .venv ## Check versions, jars, ports, memory and disk
	$(RUN) tools.doctor

jar: .venv ## Build dist/millrace-flink-<version>.jar, for any Flink: docs/jar.md
	$(RUN) toolchain.flink_jar

clean: ## Remove what was installed and cached in this folder; downloads shared between clones stay
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
