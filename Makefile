# Everything runs in .venv, which any target makes first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

# In two processes, in the order of the modules, which has the longest first.
TWO := -n 2 --no-loadscope-reorder

.PHONY: demo ui test check format test-system clean

demo: $(VENV)/.demo
	$(BIN)/nightmark demo

ui: $(VENV)/.demo
	$(BIN)/nightmark ui

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(TWO) -m "not system and not gpu"

test-system: $(VENV)/.dev
	$(BIN)/python -m pytest $(TWO) -m system --durations=10

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) artifacts/demo

$(VENV)/.demo: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -r requirements.lock
	$(INSTALL) --no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(VENV)/.demo requirements-dev.lock
	$(INSTALL) -r requirements-dev.lock
	touch $@
