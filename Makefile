# All set-up on a fresh machine: `make demo` and `make test`. Both need Python 3.11 or newer and make.

PYTHON ?= python3
BIN := .venv/bin
LINUX := $(filter Linux,$(shell uname -s))
# The tests open windows: give them a screen of their own, so that nothing flashes over yours.
SCREEN := $(if $(LINUX),xvfb-run -a -s "-screen 0 1600x1000x24")
# One process per core, where each gets its own screen: see tests/conftest.py. A file stays in one process, which makes
# its fixtures once; in the order of their names no long file comes last. ARGS="-n 0" runs all in one process.
WORKERS := $(if $(LINUX),-n auto --dist loadfile --no-loadscope-reorder)

.DEFAULT_GOAL := help
.PHONY: help demo test fast lint format tour check-system check-test-system clean

help: ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: check-system .venv/installed ## Install, make a small cohort, run every step and look at the result in napari
	$(BIN)/napari-ubam demo $(ARGS)

test: check-test-system .venv/installed ## Install and run the whole suite, with no window in your way
	$(SCREEN) $(BIN)/python -m pytest $(WORKERS) $(ARGS)

fast: check-test-system .venv/installed ## Run the tests, without the slow ones
	$(SCREEN) $(BIN)/python -m pytest $(WORKERS) -m "not slow" $(ARGS)

lint: .venv/installed ## Check style, types, spelling, the floors of the house and the manifest
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/npe2 validate src/napari_ubam/napari.yaml

format: .venv/installed ## Put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

tour: check-test-system .venv/installed ## Go through all widgets, and take the pictures of README and guide
	$(BIN)/napari-ubam demo --no-viewer --out .tour
	NAPARI_CONFIG=.tour/settings/napari.yaml $(SCREEN) $(BIN)/python tools/tour.py .tour/study docs/images

clean: ## Remove the virtual environment and everything that can be made again
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

check-system:
	@$(PYTHON) tools/check_system.py

check-test-system:
	@$(PYTHON) tools/check_system.py --tests

# torch comes first and alone: what is installed after it takes the build that is there.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev -e ".[all]"
	@touch $@
