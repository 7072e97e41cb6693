# make demo | make test | make bench | make setup; each sets up what it needs, once.

PYTHON ?= python3
# Tests wait more than they compute.
JOBS ?= $(shell expr 5 \* $$(nproc) / 2)
ROUNDS ?= 3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCHES := $(patsubst bench/%.py,bench.%,$(filter-out bench/support.py,$(wildcard bench/*.py)))
# A build's own variables must not reach the builds inside: they have servers, folders and limits of their own.
unexport MAKEFLAGS MFLAGS MAKELEVEL

.PHONY: setup demo test check generated bench clean

setup: $(READY)

$(READY): pyproject.toml hatch_build.py $(wildcard native/launcher/* native/sandbox/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fleetcc needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(READY)
	$(BIN)/python demo/demo.py

# The quick ones first.
check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest -n $(JOBS) tests/unit $(wildcard tests/simulation)
	$(BIN)/pytest -n $(JOBS) tests/interop tests/e2e

# What is made out of the options, the settings and the docs; a test tells when it is stale.
generated: $(READY)
	$(BIN)/python packaging/completions.py
	$(BIN)/python packaging/man.py

# All of them, even when a goal is missed; bench.fleet alone takes three quarters of an hour with ROUNDS=3.
bench: $(READY)
	@status=0; for each in $(filter-out bench.fleet,$(BENCHES)); do \
		echo "== $$each"; $(BIN)/python -m $$each || status=1; done; \
	echo "== bench.fleet"; $(BIN)/python -m bench.fleet --rounds $(ROUNDS) || status=1; exit $$status

clean:
	rm -rf build dist $(VENV)
