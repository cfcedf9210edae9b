# Two commands do everything: `make demo` (the main job) and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Each test process starts engines of its own; one more than cores, because much of the time they wait for them. Files are
# shared out as they stand: the long ones (acceptance, faults) first. A test that fails is tried again and named: real
# processes, a real browser and a busy machine now and then meet at a bad moment.
WORKERS ?= 3

# Each of a test's processes compiles the project anew where nothing may be kept.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test check browser bench faults machines pictures lock vendor clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(BIN)/.ready  ## the virtual environment, from requirements.lock (hashes checked)

$(BIN)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Custode needs Python 3.11 or newer with venv (Debian: apt-get install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

demo: setup  ## the main job, told as it goes (ONCE=1: exit when done)
	$(BIN)/custode demo $(if $(ONCE),--once)

test: setup browser check  ## everything: style, types, walls, tests
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --reruns 2 -r R

check: setup  ## style, types and walls only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

browser: setup
	@$(BIN)/python -m deploy.browser --install

bench: setup  ## what it takes, beside floor and peer in the same run (ONLY="commit slips": some of it)
	$(BIN)/python -m tests.benchmarks $(ONLY)

faults: setup  ## real installations broken on purpose, for half an hour and more; build/faults.json (ONLY="random-kills": some)
	$(BIN)/python -m tests.faults $(ONLY)

machines: setup  ## the state machines thoroughly: random commands over the domains, concurrent writers on the store
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest tests/machines

pictures: setup browser  ## the pictures of docs/school.md anew, from the pages as they are
	CUSTODE_PICTURES=1 $(BIN)/pytest tests/acceptance/test_pictures.py

lock:  ## requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --python-version 3.11 \
	  --no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock

vendor: setup  ## the web libraries anew from npm (needs npm)
	$(BIN)/python -m deploy.vendor

clean:  ## forget the demo and everything built
	@[ ! -x $(BIN)/custode ] || $(BIN)/custode clean
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
