# HOST, PORT, SCRIPT_NAME and other settings given as `make run PORT=8080` reach the program: make exports what stands on
# its command line, and passes on what stands in the environment.

PY := .venv/bin/python
TOO_OLD := Todos needs Python 3.11 or newer: install it, or name it with PYTHON=/path/to/python3.
NO_VENV := The virtual environment could not be created: this Python lacks the module venv or ensurepip.
NOT_INSTALLED := The packages could not be installed, see above; all have wheels for Python 3.11 to 3.13 on Linux and macOS.
NOT_OLDEST := Pin with the oldest Python that is supported: make clean requirements PYTHON=python3.11

.DEFAULT_GOAL := help
.PHONY: help run test test-deploy soak lint demo screenshots requirements settings vendor clean

help: ## List these commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

run: .venv/run.stamp ## Run everything on this machine; HOST=, PORT= and SCRIPT_NAME= say where.
	@$(PY) -m tools.local

# those that start processes of their own go last, three at a time, since they wait for workers and pages
LAST := tests/faults tests/browser tests/attachments/test_memory.py

# the tests start Python some hundred times: nothing is compiled twice, whatever the environment says
test test-deploy: export PYTHONDONTWRITEBYTECODE :=

test: .venv/dev.stamp ## Run the tests; ARGS="tests/todos -k archive" picks some.
ifdef ARGS
	$(PY) -m pytest $(ARGS)
else
	$(PY) -m pytest --numprocesses=auto $(addprefix --ignore=,$(LAST))
	$(PY) -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder $(LAST)
endif

test-deploy: .venv/dev.stamp ## Build the image and run it as in production: on Debian, as root, with podman.
	sh tests/deploy/run.sh $(ARGS)

soak: .venv/dev.stamp ## Kill and break everything under jobs for long; MINUTES=30, DATABASE=sqlite, SEED=1 say how.
	@$(PY) -m bench.soak

lint: .venv/dev.stamp ## Check style, format and types.
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/hadolint Dockerfile
	$(PY) -m mypy

demo: .venv/run.stamp ## Fill the development database with examples.
	@APP_ENV=$${APP_ENV:-development} $(PY) -m flask --app run demo

screenshots: .venv/dev.stamp ## Take the pictures of the README.
	$(PY) -m tools.screenshots

requirements: .venv/dev.stamp ## Pin what the .in files name; ARGS=--upgrade takes newer releases.
	@$(PY) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "$(NOT_OLDEST)" >&2; exit 1; }
	$(call compile,requirements)
	$(call compile,requirements-dev)

settings: .venv/run.stamp ## Write docs/configure.md from config.py.
	$(PY) -m tools.settings

vendor: .venv/run.stamp ## Fetch the pinned style sheets, scripts and icons from npm.
	$(PY) -m tools.vendor

clean: ## Remove the virtual environment and all caches; the data in var/ stays.
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

define compile
@echo "$(1).txt"
@$(PY) -m piptools compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-emit-index-url \
	--no-emit-find-links --no-emit-trusted-host --output-file=$(1).txt $(ARGS) $(1).in
@{ echo "# Pinned by make requirements from $(1).in: change that file, not this one."; cat $(1).txt; } > .venv/pinned.txt
@cp .venv/pinned.txt $(1).txt
endef

define install
@echo "Installing $(1) into .venv"
@$(PY) -m pip install --quiet --disable-pip-version-check --no-input -r $(1) || { echo "$(NOT_INSTALLED)" >&2; exit 1; }
endef

$(PY):
	@found=; for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "$(TOO_OLD)" >&2; exit 1; fi; \
	echo "Creating .venv with $$("$$found" --version)"; \
	"$$found" -m venv --clear .venv || { rm -rf .venv; echo "$(NO_VENV)" >&2; exit 1; }

.venv/run.stamp: requirements.txt $(PY)
	$(call install,requirements.txt)
	@touch $@

.venv/dev.stamp: requirements-dev.txt requirements.txt $(PY)
	$(call install,requirements-dev.txt)
	@touch .venv/run.stamp $@
