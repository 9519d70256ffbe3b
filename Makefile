# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check slow constraints clean

demo: $(READY)  ## The whole pipeline on embedded data, offline, in minutes
	$(BIN)/gradmix reproduce digits --scale demo

test: check  ## Checks, then the default tests: offline, CPU
	$(BIN)/python -P -m pytest

check: $(READY)  ## Style, rooms, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

slow: $(READY)  ## The tests that take minutes: whole runs killed and resumed, flipped signs
	$(BIN)/python -P -m pytest -m slow

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "expected Python 3.11 or newer, found %s.%s; name one: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	touch $@

constraints: $(READY)  ## Write down the versions that are installed now
	{ head -n 1 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable; } > constraints.tmp
	mv constraints.tmp constraints.txt

clean:  ## Remove the virtual environment; runs/ is left alone
	rm -rf .venv
