# The commands of this repository; `make` alone lists them.

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.set-up
PYTHONS := python3 python3.13 python3.12 python3.11 python3.14
OPENCV_ADVICE := OpenCV needs system libraries; on Debian or Ubuntu: apt-get install libgl1 libglib2.0-0
PYTEST := OMP_NUM_THREADS=1 GOMP_SPINCOUNT=1000 $(PYTHON) -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check format docs bench up lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Everything pinned, into .venv

demo: setup ## Start the service, upload the samples, print what was found
	@$(PYTHON) -m samples.demo

test: check ## Format, lint, types, import contracts, then all tests but the slow ones
	$(PYTEST) -n 2 -m "not slow"

test-slow: setup ## The tests that take minutes
	$(PYTEST) -m slow --timeout 1800

check: setup ## Format, lint, types and import contracts
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: setup ## Put the sources into the one format
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

docs: setup ## Write docs/models.md anew, from the catalogue
	$(PYTHON) -m vision.models.models_page > docs/models.md

bench: setup ## Measure this machine, each figure beside its reference
	@$(PYTHON) -m tests.bench

up: setup ## The whole service on this machine, until Ctrl-C
	@$(VENV)/bin/vision up

lock: setup ## Pin every dependency anew, after pyproject.toml changed
	$(VENV)/bin/uv pip compile --universal --upgrade --no-header --no-annotate --no-emit-index-url \
		--all-extras --group dev pyproject.toml -o requirements.lock

clean: ## Remove what the tools and the demo left; .venv and data stay
	rm -rf out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Repeated runs stop here: only a changed lock or project file installs again.
$(STAMP): requirements.lock pyproject.toml | $(VENV)/bin/uv
	$(VENV)/bin/uv pip install --python $(PYTHON) -r requirements.lock
	$(VENV)/bin/uv pip install --python $(PYTHON) --no-deps -e .
	@$(PYTHON) -c 'import cv2' || { echo "$(OPENCV_ADVICE)" >&2; exit 1; }
	@touch $@

$(VENV)/bin/uv:
	@for python in $(PYTHONS); do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		$$python -c 'import ensurepip, venv' 2>/dev/null || { found=$$python; continue; }; \
		echo "$$python -m venv $(VENV)"; $$python -m venv --clear $(VENV) && \
		$(PYTHON) -m pip install --quiet uv && exit 0; exit 1; \
	done; \
	if [ -n "$$found" ]; then \
		echo "$$found can't make virtual environments; on Debian or Ubuntu: apt-get install python3-venv" >&2; \
	else \
		echo "Python 3.11 or newer is needed; none of these is: $(PYTHONS)" >&2; \
	fi; exit 1
