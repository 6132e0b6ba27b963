# One command each. Everything runs in .venv, which is made on first use from requirements-dev.lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo screenshots test hard mutants mutants-cards planted fuzz check format rules bench chaos available soak lock audit sbom clean

$(READY): pyproject.toml requirements-dev.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(READY)

demo: $(READY) ## the stories, their cards, and a service to try things on (ARGS=--once ends after printing)
	$(BIN)/crs-cds demo $(ARGS)

screenshots: $(READY) ## docs/images/, taken of the demo chart; needs Chromium
	$(BIN)/python -m tests.screenshots

test: $(READY) ## the whole test suite, by three workers (ARGS="-k sepsis" and the like go to pytest, which then works alone)
	$(BIN)/python -m pytest $(or $(ARGS),--numprocesses 3 --no-loadscope-reorder)

hard: $(READY) ## a million generated patients for two graders, 20,000 generated calls, 20,000 changed inputs
	CRS_TESTS_PATIENTS=1000000 CRS_TESTS_CALLS=20000 CRS_TESTS_FUZZ=20000 $(BIN)/python -m pytest \
		tests/spec/test_second_grader.py tests/contract/test_openapi.py tests/fuzz $(ARGS)

fuzz: $(READY) ## atheris (install it before), three minutes on each harness (ARGS="bundle 600" for one of them and its seconds)
	$(BIN)/python -m tests.fuzz.run $(ARGS)

mutants: $(READY) ## do the tests of the clinical core notice a wrong line? (ARGS="fever dosing" for some modules)
	$(BIN)/python mutants/run.py $(ARGS)

mutants-cards: $(READY) ## do the tests notice a wrong number or row of cards/? (ARGS="scales codes/d" for some files)
	$(BIN)/python mutants/tables.py $(ARGS)

planted: $(READY) ## do the tests notice bugs that were planted? (ARGS="store client" for some files)
	$(BIN)/python mutants/planted.py $(ARGS)

check: $(READY) ## format, lint, types, layers, content
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/crs-cds content check

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

rules: $(READY) ## what documents show of rules, hazards, queries and codes, from cards/, tests/hazards.toml and the tests
	$(BIN)/python -m tests.rules_table
	$(BIN)/python -m tests.hazards_table
	$(BIN)/python -m tests.made_parts

bench: $(READY) ## how fast it is, beside a bare Flask view and HealthChain: under 5 minutes (ARGS="--json FILE")
	$(BIN)/python -m bench.run $(ARGS)

chaos: $(READY) ## kill the service under load, 200 times (ARGS=20 for fewer): is anything lost that was acknowledged?
	$(BIN)/python -m tests.chaos $(or $(ARGS),200)

available: $(READY) ## two minutes each without EHR, without database, beside an EHR that hangs: what is answered? (ARGS=20 for seconds)
	$(BIN)/python -m tests.available $(or $(ARGS),120)

soak: $(READY) ## full load for 10 minutes (ARGS=60 for seconds), then a flood: does anything grow, does it recover?
	$(BIN)/python -m tests.soak $(or $(ARGS),600)

COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate

lock: $(READY) ## renew requirements-dev.lock, and requirements.lock, which is its part for running the service
	$(COMPILE) --group dev -o requirements-dev.lock
	$(COMPILE) --constraint requirements-dev.lock -o requirements.lock
	$(BIN)/python -m tests.made_parts

audit: $(READY) ## known flaws in what ships; fails too when that could not be found out (ARGS=--say-so only says it)
	$(BIN)/python release/audit.py $(ARGS)

sbom: $(READY) ## dist/sbom.cdx.json: what ships, as CycloneDX
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.cdx.json

clean:
	rm -rf $(VENV) .venv-peers dist build tests/hapi/target
