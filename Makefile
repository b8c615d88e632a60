# Everything starts from a bare machine with Python (3.10 or newer), git and make.
#   make setup    a virtual environment in .venv, and PostgreSQL, Java and Chromium for the tests
#   make test     everything: lint, types, import floors, tests
#   make demo     the story of examples/project_seed, in the terminal
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup test lint types tests demo bench schemas docs postgresql java chromium programs clean

setup: $(VENV)/.ready postgresql java chromium programs

$(VENV)/.ready: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@echo "installing what constraints.txt names into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt --group dev -e '.[content,dvc,gx,mlflow,postgresql,server,spark,pdf,timestamp]'
	@# Marquez' client, for the tests of the server: its wheel brings a package "tests", so it lies apart
	@$(BIN)/python -m pip install --quiet -c constraints.txt --target $(VENV)/marquez --upgrade marquez-python pytz
	@touch $@

# The tests start a PostgreSQL of their own; a running server is neither needed nor touched.
postgresql:
	@if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing PostgreSQL for the tests"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql >/dev/null; \
	else \
	  echo "PostgreSQL is missing: install its server package (initdb) for the tests, e.g. apt-get install postgresql"; \
	fi

# Spark, for the tests of lineage_spark, runs on Java; a session of its own, on loopback only.
java:
	@if command -v java >/dev/null || [ -x "$$JAVA_HOME/bin/java" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing Java for the tests"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends default-jre-headless >/dev/null; \
	else \
	  echo "Java is missing: install a runtime, 17 or newer, for the tests, e.g. apt-get install default-jre-headless"; \
	fi

# The tests of the server's pages open them in a browser, on loopback only.
chromium:
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing Chromium for the tests"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else \
	  echo "Chromium is missing: install it for the tests of the server's pages, e.g. apt-get install chromium"; \
	fi

# What stages may call, and what looks at them, for the tests of lineage.capture.
programs:
	@missing=$$(for name in strace curl wget perl; do command -v $$name >/dev/null || echo $$name; done); \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing" $$missing "for the tests"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
	  echo "missing:" $$missing "- install them for the tests"; \
	fi

test: setup lint types tests

lint: $(VENV)/.ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

types: $(VENV)/.ready
	@$(BIN)/mypy

# Two processes a processor: many tests wait for servers. Long files come first as they are in the first folders.
tests: $(VENV)/.ready
	@$(BIN)/python -m pytest -n "$$($(BIN)/python -c 'import os; print(min(8, 2 * (os.cpu_count() or 1)))')" \
	  --dist loadfile --no-loadscope-reorder -q

demo: $(VENV)/.ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/project_seed/run.py

# Some hours. One of them: .venv/bin/python -m benchmarks.NAME; its first lines say what it measures.
BENCHMARKS := startup labels asof recording intake registration sync_history ledger questions dossier pages server \
  gate_http removal content content_redteam spark hook
bench: $(VENV)/.ready
	@for benchmark in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$benchmark || exit 1; done

# Files made from the code; tests fail when they are not up to date.
schemas: $(VENV)/.ready
	@$(BIN)/python -m lineage.schemas schemas

docs: $(VENV)/.ready
	@$(BIN)/python -m pytest -q tests/unit/cli/test_docs.py --update-golden

clean:
	rm -rf $(VENV) .screenshots .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
