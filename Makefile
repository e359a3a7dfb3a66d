# Every target makes its own .venv when it is missing or out of date, and is quick when it is there.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/.for-running
DEV := $(BIN)/.for-developing
FOR_RUNNING := training,ui
AUDIT := .venv/audit
AUDITING := $(AUDIT)/.for-auditing
PACKAGES := shared training_service prediction_service streamlit_ui pumpcast
PARTS := build/sbom.json
FOR_DEVELOPING := training,packages,rl,feeds,ui,otel,dev
DATA ?=

# Everything starts dozens of processes: each would compile all modules anew where the environment forbids to keep them.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo run test coverage browser prometheus check bench chaos soak fuzz screenshots package audit sbom licences clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-11s %s\n", $$1, $$2}'

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit("pumpcast needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

# pip compiles one file after the other; on all cores that takes a part of the time.
define install
$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[$(1)]'
@$(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true
endef

$(RUN): $(BIN)/pip pyproject.toml constraints.txt
	$(call install,$(FOR_RUNNING))
	@touch $@

$(DEV): $(BIN)/pip pyproject.toml constraints.txt
	$(call install,$(FOR_DEVELOPING))
	@touch $(RUN) $@

setup: $(DEV) ## install everything into .venv

demo: $(RUN) ## the whole story on a simulated market; DATA=file.parquet takes real rows
	$(BIN)/pumpcast demo $(if $(DATA),--data $(DATA))

run: $(RUN) ## start the app, both services and their workers; Ctrl-C stops all
	$(BIN)/pumpcast up

test: $(DEV) ## all tests
	$(BIN)/pytest -n 3 --dist worksteal -q

coverage: $(DEV) ## all tests once more, slower: which lines of the services and the app they run
	$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report= -q
	$(BIN)/coverage report --fail-under=85

browser: $(DEV) ## see that there is a Chromium for the tests of the app, fetch one where there is none
	@$(BIN)/python -m tests.support.fetch_browser

prometheus: $(DEV) ## see that there is a promtool for the tests of the alert rules, fetch Debian's where there is none
	@$(BIN)/python -m tests.support.prometheus

check: $(DEV) ## format, lint, types, import contracts, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/bandit --quiet -c pyproject.toml -r $(PACKAGES)

bench: $(DEV) ## measure into docs/benchmarks.md; DATA=file.parquet trains and tests on real rows too
	$(BIN)/python -m benchmarks.run $(if $(DATA),--data $(DATA))

chaos: $(DEV) ## 100 jobs while their workers are killed and frozen; JOBS, WORKERS, SEED change that
	$(BIN)/python -m tests.support.chaos $(if $(JOBS),--jobs $(JOBS)) $(if $(WORKERS),--workers $(WORKERS)) $(if $(SEED),--seed $(SEED))

fuzz: $(DEV) ## 5,000 generated requests on each API, with keys and without; CASES changes that
	$(BIN)/python -m tests.support.fuzz $(if $(CASES),--cases $(CASES))

soak: $(DEV) ## everything under load while it is hurt; MINUTES, SEED change that, WRITE=1 puts the figures into docs/RELIABILITY.md
	$(BIN)/python -m tests.support.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(WRITE),--write)

screenshots: $(DEV) ## pictures of every page of the app into docs/screenshots; URL=http://... takes those of an app that runs
	$(BIN)/python -m tests.support.screenshots $(if $(URL),--url $(URL))

package: $(DEV) ## train the demonstration package anew, five minutes
	$(BIN)/python -m pumpcast.packages.demonstration

# In an environment of its own: what looks at the libraries is none of them, and would slow the app's start.
$(AUDITING): $(DEV) constraints-audit.txt
	$(PYTHON) -m venv $(AUDIT)
	$(BIN)/python -m tests.support.supply_chain tools >$(AUDIT)/tools.txt
	$(AUDIT)/bin/pip install --quiet --disable-pip-version-check -c constraints-audit.txt -r $(AUDIT)/tools.txt
	@touch $@

audit: $(AUDITING) ## faults in our code that bandit knows, advisories on what is pinned; needs the network
	$(BIN)/bandit --quiet -c pyproject.toml -r $(PACKAGES)
	$(BIN)/python -m tests.support.supply_chain audit $(AUDIT)/bin/pip-audit

sbom: $(AUDITING) ## the parts that run, as CycloneDX, into build/sbom.json
	@mkdir -p $(dir $(PARTS))
	$(AUDIT)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o $(PARTS).all $(BIN)/python
	$(AUDIT)/bin/python -m tests.support.supply_chain sbom $(PARTS).all $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') >$(PARTS)

licences: $(DEV) ## the licences of what is installed for running into docs/licences.md
	$(BIN)/python -m tests.support.supply_chain licences

clean: ## remove the environment, caches and everything the services wrote below ./var
	rm -rf .venv var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
