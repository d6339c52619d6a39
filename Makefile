# One entry point for people and for CI. A fresh machine needs Linux, make and Python >= 3.11.
#
#   make quickstart   set up, start the platform, deploy and invoke an example, show the times
#   make test         set up and run every test            make test-all   the long ones as well
#   make check        lint, types, import rules, style     make fmt        write the formatting
#   make bench        measure this machine (BENCH_ARGS)    make lock       pin dependencies anew
#   make fuzz         hostile inputs (FUZZ_INPUTS for each target, FUZZ_SEED)
#   make test-cgroups what isolates, on a host with cgroup version 2 alone (TESTS, HOST_ARGS)

.DEFAULT_GOAL := help
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
# One more than processors: much of a test is waiting for processes.
WORKERS := $(shell n=$$(nproc 2>/dev/null || echo 1); echo $$((n < 4 ? n + 1 : 4)))

# Nothing is kept outside the checkout, so that a home that is missing or read-only does no harm.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PYRIGHT_PYTHON_CACHE_DIR := $(CURDIR)/$(VENV)/cache/pyright
export npm_config_cache := $(CURDIR)/$(VENV)/cache/npm
# make's own jobs and flags are not for the programs that recipes start.
unexport MAKEFLAGS

.PHONY: help quickstart setup test test-all test-cgroups fuzz check fmt bench docs lock clean

help:
	@sed -n 's/^#   //p' Makefile

# --- setting up ------------------------------------------------------------------------------
# The stamps say which locks are installed. quickstart needs few packages, everything else all.

$(BIN)/python:
	@tools/make_venv.sh $(VENV)

$(VENV)/.quickstart: requirements/quickstart.lock pyproject.toml | $(BIN)/python
	@tools/install.sh $(VENV) requirements/quickstart.lock
	@tools/host_packages.sh
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(BIN)/python
	@tools/install.sh $(VENV) requirements/dev.lock
	@tools/host_packages.sh dev
	@touch $@ $(VENV)/.quickstart

setup: $(VENV)/.dev

# --- using it ----------------------------------------------------------------------------------

quickstart: $(VENV)/.quickstart
	@$(BIN)/python tools/quickstart.py

bench: $(VENV)/.quickstart
	@$(BIN)/alonzo bench $(BENCH_ARGS)

# --- working on it -----------------------------------------------------------------------------

test: $(VENV)/.dev
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

test-all: $(VENV)/.dev
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --hypothesis-profile ci -m "" $(PYTEST_ARGS)
	$(BIN)/pytest -n 0 tests/perf $(PYTEST_ARGS) || [ $$? -eq 5 ]

# Needs qemu, and fetches a kernel of the distribution. CONTRIBUTING.md says more.
TESTS ?= tests/integration/sandbox tests/conformance/test_attacks.py \
    tests/conformance/test_snap_start.py tests/conformance/test_rootless.py

test-cgroups: $(VENV)/.dev
	$(BIN)/python tools/cgroup2_host $(HOST_ARGS) -q -rs $(TESTS) $(PYTEST_ARGS)

# So many inputs for each target, but for those that take long: about a million together.
FUZZ_INPUTS ?= 20000
FUZZ_SEED ?= 1

fuzz: $(VENV)/.dev
	ALONZO_FUZZ_INPUTS=$(FUZZ_INPUTS) ALONZO_FUZZ_SEED=$(FUZZ_SEED) $(BIN)/pytest tests/fuzz -n $(WORKERS) \
	    --dist loadfile --timeout 0 -o faulthandler_timeout=0 $(PYTEST_ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/pytest -n 0 tests/style

fmt: $(VENV)/.dev
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

# The documents are plain Markdown; what can go wrong in them is checked by tests/style.
docs: $(VENV)/.dev
	$(BIN)/pytest -n 0 -q tests/style/test_docs.py

lock: $(VENV)/.dev
	$(BIN)/python tools/lock.py --upgrade

clean:
	rm -rf $(VENV) .alonzo build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf tests/sdk_js/node_modules
	find src tests tools examples -name __pycache__ -type d -prune -exec rm -rf {} +
