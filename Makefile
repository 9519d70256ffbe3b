# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# An environment of its own with the core and its tests' tools; no pipeline.
define alone
$(PYTHON) -m venv .venv-$(1)
.venv-$(1)/bin/python -m pip install --quiet --upgrade $(2) 'pytest>=8.3' 'hypothesis>=6.120' psutil
.venv-$(1)/bin/python -m pip install --quiet --editable .
.venv-$(1)/bin/python -P -m pytest tests/gradmix/mixer tests/gradmix/test_light_core.py
endef

.PHONY: demo test check slow chaos bench bench-quick examples oldest newest docs coverage constraints clean

demo: $(READY)  ## The whole pipeline on embedded data, offline, in minutes
	$(BIN)/gradmix reproduce digits --scale demo

test: check  ## Checks, then the default tests, a file at a time on every core: offline, CPU
	$(BIN)/python -P -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: $(READY)  ## Style, rooms, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

slow: $(READY)  ## The tests that take minutes: whole runs killed and resumed, flipped signs
	$(BIN)/python -P -m pytest -m slow

chaos: $(READY)  ## Random kills of a reproduction, and faults on a fleet: an hour or two
	$(BIN)/python -P tests/flows/chaos
	$(BIN)/python -P tests/deploy/chaos

bench: $(READY)  ## All benchmarks, stored in docs/benchmarks.md: half an hour of a quiet machine
	$(BIN)/python -P tests/benchmarks --store

bench-quick: $(READY)  ## The same in a few minutes, only compared with the stored figures
	$(BIN)/python -P tests/benchmarks --quick

examples: $(READY)  ## The loops of docs/mixer, with Lightning and Hugging Face installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group examples
	$(BIN)/python -P -m pytest tests/examples -m "slow or not slow"

oldest:  ## The core's mixing loop on the oldest PyTorch that it supports, and nothing else installed
	$(call alone,oldest,"torch==2.4.*" "numpy==1.26.*")

newest:  ## The same on the newest PyTorch that the index has
	$(call alone,newest,torch)

docs: $(READY)  ## The documentation site, in site/: offline and strict
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-docs/bin/python -m pip install --quiet --group docs
	$(BIN)/python -P docs/hooks/site_tables.py .venv-docs/tables.json
	GRADMIX_TABLES=.venv-docs/tables.json NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet

coverage: $(READY)  ## Lines and branches of gradmix/ that its tests run; fails under 95 %
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group coverage
	$(BIN)/python -P -m coverage run -m pytest tests/gradmix
	$(BIN)/python -P -m coverage report

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "expected Python 3.11 or newer, found %s.%s; name one: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[pipeline]' --group dev
	touch $@

constraints: $(READY)  ## Write down the versions that are installed now
	{ head -n 1 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable; } > constraints.tmp
	mv constraints.tmp constraints.txt

clean:  ## Remove the virtual environment; runs/ is left alone
	rm -rf .venv .venv-oldest .venv-newest .venv-docs
